// node-postgres: named statements, LISTEN, errors, a timeout set at the start, its pool.
"use strict";
const assert = require("assert");
const fs = require("fs");
const { Client, Pool } = require("pg");
const ssl = { ca: fs.readFileSync(process.env.PGSSLROOTCERT).toString(), servername: "localhost" };

(async () => {
    const c = new Client({ ssl });
    await c.connect();
    for (let round = 0; round < 4; round++) {
        const r = await c.query({ name: "named", text: "SELECT $1::int + 1 AS a, $2::text AS b, $3::int[] AS c, $4::date::text AS d",
                                  values: [41, "it's \u00e9", [1, 2, null], "2020-02-03"] });
        assert.deepStrictEqual(r.rows, [{ a: 42, b: "it's \u00e9", c: [1, 2, null], d: "2020-02-03" }]);
    }
    console.log("parameters and types, prepared over transactions");
    const big = "b\u00e4".repeat(1000000);
    assert.strictEqual((await c.query("SELECT $1::text AS v", [big])).rows[0].v, big);
    console.log("big values");
    await c.query("CREATE TABLE IF NOT EXISTS np (a int PRIMARY KEY, b text)");
    await c.query("TRUNCATE np");
    await c.query("BEGIN");
    await c.query("INSERT INTO np VALUES ($1, $2)", [1, "x"]);
    await c.query("ROLLBACK");
    assert.strictEqual((await c.query("SELECT count(*)::int AS n FROM np")).rows[0].n, 0);
    console.log("rollback");
    await c.query("INSERT INTO np VALUES (1, 'x')");
    await assert.rejects(c.query("INSERT INTO np VALUES ($1, 'twice')", [1]), { code: "23505", constraint: "np_pkey" });
    const notice = new Promise((resolve) => c.once("notice", resolve));
    await c.query("DO $$ BEGIN RAISE NOTICE 'hello'; END $$");
    assert.strictEqual((await notice).message, "hello");
    console.log("errors and notices");
    const heard = new Promise((resolve) => c.once("notification", resolve));
    await c.query("LISTEN newsn");
    await c.query("SELECT pg_notify('newsn', 'np')");
    const n = await heard;
    assert.deepStrictEqual([n.channel, n.payload], ["newsn", "np"]);
    console.log("notifications");
    const many = await Promise.all([...Array(50).keys()].map((k) => c.query("SELECT $1::int AS k", [k])));
    assert.deepStrictEqual(many.map((r) => r.rows[0].k), [...Array(50).keys()]);
    const multi = await c.query("SELECT 1 AS a; SELECT 2 AS b");
    assert.deepStrictEqual(multi.map((r) => r.rows), [[{ a: 1 }], [{ b: 2 }]]);
    console.log("many at once");
    await c.end();
    const timed = new Client({ ssl, statement_timeout: 300 });
    await timed.connect();
    await assert.rejects(timed.query("SELECT pg_sleep(20)"), { code: "57014" });
    assert.strictEqual((await timed.query("SHOW statement_timeout")).rows[0].statement_timeout, "300ms");
    await timed.end();
    console.log("statement_timeout at the start");
    const pool = new Pool({ ssl, max: 5 });
    const found = await Promise.all([...Array(50).keys()].map((k) => pool.query("SELECT $1::int * 2 AS k", [k])));
    assert.deepStrictEqual(found.map((r) => r.rows[0].k), [...Array(50).keys()].map((k) => 2 * k));
    await pool.end();
    console.log("its pool");
    console.log("done");
})().catch((error) => { console.error(error); process.exit(1); });
