"""asyncpg: binary types by introspection, statement cache, COPY, cursors, a timeout that cancels."""
import asyncio, datetime, os, ssl
import asyncpg


async def main():
    context = ssl.create_default_context(cafile=os.environ["PGSSLROOTCERT"])
    c = await asyncpg.connect(ssl=context)
    for _ in range(4):
        row = await c.fetchrow("SELECT $1::int + 1, $2::text, $3::date, $4::int[], $5::timestamptz", 41, "\u00e9",
                               datetime.date(2020, 2, 3), [1, None], datetime.datetime(2020, 2, 3, tzinfo=datetime.timezone.utc))
        assert row[0] == 42 and row[3] == [1, None] and row[2] == datetime.date(2020, 2, 3), row
    print("parameters and types, prepared over transactions")
    big = b"\0b\xff" * 1000000
    assert await c.fetchval("SELECT $1::bytea", big) == big
    print("big values")
    await c.execute("CREATE TABLE IF NOT EXISTS ap (a int PRIMARY KEY, b text); TRUNCATE ap")
    try:
        async with c.transaction():
            await c.execute("INSERT INTO ap VALUES (1, 'x')")
            async with c.transaction():
                await c.executemany("INSERT INTO ap VALUES ($1, $2)", [(n, "y") for n in range(2, 200)])
            raise KeyError
    except KeyError:
        pass
    assert await c.fetchval("SELECT count(*) FROM ap") == 0
    print("transactions with savepoints")
    await c.copy_records_to_table("ap", records=[(n, f"row {n}") for n in range(5000)])
    chunks = []

    async def keep(data):
        chunks.append(data)
    await c.copy_from_query("SELECT * FROM ap ORDER BY a", output=keep)
    assert len(b"".join(chunks).splitlines()) == 5000
    print("copy")
    try:
        await c.execute("INSERT INTO ap VALUES (1, 'twice')")
        raise AssertionError("no error")
    except asyncpg.UniqueViolationError:
        pass
    seen = []
    c.add_log_listener(lambda _, message: seen.append(message.message))
    await c.execute("DO $$ BEGIN RAISE NOTICE 'hello'; END $$")
    await asyncio.sleep(0)
    assert seen == ["hello"], seen
    print("errors and notices")
    try:
        await c.fetch("SELECT pg_sleep(20)", timeout=0.3)
        raise AssertionError("not cancelled")
    except asyncio.TimeoutError:
        pass
    assert await c.fetchval("SELECT 7") == 7
    print("cancel")
    heard = asyncio.get_running_loop().create_future()
    await c.add_listener("newsa", lambda _c, _p, channel, payload: heard.set_result((channel, payload)))
    await c.execute("NOTIFY newsa, 'ap'")
    assert await asyncio.wait_for(heard, 5) == ("newsa", "ap")
    print("notifications")
    async with c.transaction():
        assert sum([r[0] async for r in c.cursor("SELECT generate_series(1, 1000)", prefetch=90)]) == 500500
    print("cursors")
    await c.close()
    pool = await asyncpg.create_pool(ssl=context, min_size=2, max_size=4)
    found = await asyncio.gather(*(pool.fetchval("SELECT $1::int * 2", n) for n in range(50)))
    assert found == [2 * n for n in range(50)]
    for _ in range(3):
        async with pool.acquire() as d:  # its reset: RESET ALL, UNLISTEN *, CLOSE ALL, pg_advisory_unlock_all()
            await d.execute("SET TimeZone = 'Asia/Tokyo'")
    async with pool.acquire() as d:
        assert await d.fetchval("SHOW TimeZone") == "UTC"
    await pool.close()
    print("its pool")

asyncio.run(main())
print("done")
