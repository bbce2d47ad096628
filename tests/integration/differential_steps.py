"""Random steps for the differential test: what clients do that could leak from one to the other through a pool.

A step is JSON: [client, "send", [MESSAGE, …]], [client, "reconnect", profile, how] or [-1, "check"]; a MESSAGE is
["Q", sql], ["P", name, sql, types], ["B", portal, name, values], ["D" or "C", "S" or "P", name], ["E", portal, rows],
["S"], ["H"], ["d", data], ["c"], ["f", why], ["F", function, values]. So a failing run can be cut down and replayed.

Every family can be switched off. Those in UNPROVABLE are off by default: a pool can't give what a session of one's
own gives there, and docs/protocol.md says what it gives instead.
"""
import re

# Startup parameters of a client: RESET and DISCARD ALL go back to these, whoever used the server connection before.
PROFILES = [
    [],
    [("TimeZone", "Asia/Tokyo"), ("application_name", "one")],
    [("DateStyle", "German"), ("client_encoding", "LATIN1")],
    [("options", "-c statement_timeout=7s -c search_path=alt")],
    [("extra_float_digits", "2"), ("application_name", "it's \"four\""), ("IntervalStyle", "iso_8601")],
]

SETTINGS = {
    "TimeZone": ["UTC", "America/Lima", "Asia/Tokyo", "Mars/North"],
    "DateStyle": ["ISO, MDY", "German", "SQL, DMY", "Postgres"],
    "IntervalStyle": ["postgres", "iso_8601", "sql_standard"],
    "application_name": ["a", "b c", "it''s", ""],
    "client_encoding": ["UTF8", "LATIN1", "nonsense"],
    "search_path": ["public", "pg_catalog", "alt", "", "nowhere"],
    "statement_timeout": ["0", "5s", "60000", "soon"],
    "extra_float_digits": ["0", "1", "-3", "99"],
    "bytea_output": ["hex", "escape"],
    "default_transaction_isolation": ["read committed", "repeatable read"],
    "default_transaction_read_only": ["on", "off", "off"],
    "work_mem": ["4MB", "256kB", "8192"],
    "app.tenant": ["7", "eight", ""],
    "client_min_messages": ["notice", "warning", "debug1", "error"],
    "enable_seqscan": ["on", "off"],
    "array_nulls": ["on", "off"],
    "synchronous_commit": ["on", "local"],
    "lc_monetary": ["C", "POSIX"],
    "row_security": ["on", "off"],
    "plan_cache_mode": ["auto", "force_generic_plan", "force_custom_plan"],
    "quote_all_identifiers": ["on", "off"],
    "xmloption": ["content", "document"],
    "no.such.setting": ["x"],
    "nosuch": ["1"],
}
WATCHED = sorted(n for n in SETTINGS if not n.startswith("no")) + ["role", "standard_conforming_strings",
                                                                    "transaction_isolation", "transaction_read_only"]
NAMES = ["s1", "s2", "S1", "s 3", "x" * 60]  # a longer one is cut, with a notice that a translated name has not
# Each is a statement with one parameter or none.
PREPARABLE = [
    ("SELECT $1::int + 1", ["4"]), ("SELECT $1::text || current_setting('TimeZone')", ["z"]),
    ("SELECT k, v FROM t WHERE k < $1 ORDER BY k", ["7"]), ("INSERT INTO t VALUES ($1, 'prepared')", ["11"]),
    ("UPDATE t SET v = v || '.' WHERE k = $1 RETURNING k, v", ["2"]), ("SELECT $1", ["untyped"]),
    ("SELECT 5", []), ("SELECT x, y FROM u WHERE x = $1", ["1"]), ("SELECT 1/0", []), ("SELEC", []),
    ("SELECT now()::timestamptz IS NOT NULL, $1::date", ["2020-02-03"]), ("SELECT count(*) FROM v", []),
]
CHANNELS = ["alpha", "beta", "Mixed Case"]
# What a pool may answer by keeping the client on its server connection until it goes: where it must, and where it
# can't tell what a statement sets, or what its tokens are, or (a FunctionCall) what is called.
PINS = re.compile(r"\b(temp|temporary|pg_temp)\b|\bhold\b|pg_(try_)?advisory_lock|setseed|currval|lastval|"
                  r"set_config\(lower|PERFORM set_config|UPDATE pg_settings|U&'", re.I)
SET_CONFIG = 2078  # its oid, in a FunctionCall
FAMILIES = ["settings", "strings", "transactions", "data", "prepared", "portals", "copy", "cursors", "locks", "listen",
            "temp", "discard", "errors", "pipeline", "function", "roles", "ddl", "reconnect", "look"]
UNPROVABLE = ["sequences", "literals", "catalogue", "plans"]


def quoted(name):
    return '"' + name + '"'


def pins(step):
    """Whether this client must be thought to keep its server connection from now on."""
    messages = step[2] if step[1] == "send" else []
    return any(m[0] == "F" or any(isinstance(part, str) and PINS.search(part) for part in m) for m in messages)


class Steps:
    def __init__(self, random, families):
        self.random, self.families = random, set(families)

    def pick(self, *choices):
        return self.random.choice(choices)

    def chance(self, probability):
        return self.random.random() < probability

    def next(self, client, state, is_pinned=False):
        """The next step of this client. `state`: what Twin.state() says of it; `is_pinned`: pins() held of a step."""
        if state == "closed" or (is_pinned and self.chance(0.08)):
            return self.step_reconnect(client)
        if state == "copy":
            return [client, "send", self.copy_on()]
        if state == "open" and self.chance(0.5):
            return [client, "send", [["S"]]]
        if state == "E" and self.chance(0.4):
            return [client, "send", [["Q", self.pick("ROLLBACK", "ABORT", "COMMIT", "ROLLBACK TO a")]]]
        if state == "T" and self.chance(0.25):
            return [client, "send", [["Q", self.ending()]]]
        weights = {"settings": 8, "look": 8, "prepared": 9, "transactions": 5, "data": 4, "pipeline": 4, "portals": 3}
        names = [f for f in FAMILIES + UNPROVABLE if f in self.families]
        family = self.random.choices(names, [weights.get(f, 2) for f in names])[0]
        return getattr(self, "step_" + family)(client)

    # ---- statements ----

    def setting(self):
        name = self.random.choice(list(SETTINGS))
        return name, self.random.choice(SETTINGS[name])

    def set_statement(self):
        name, value = self.setting()
        text = "''" if value == "" else f"'{value}'"
        return self.pick(
            f"SET {name} = {text}", f"SET {name} TO {text}", f"SET SESSION {name} TO {text}", f"set {name}={text}",
            f"SET LOCAL {name} = {text}", f"SET LOCAL {name} TO {text}", f"SET {name} TO DEFAULT", f"RESET {name}",
            f"SELECT set_config('{name}', {text}, false)", f"SELECT set_config('{name}', {text}, true)",
            f"SELECT pg_catalog.set_config(lower('{name}'), {text}, k = 0) FROM t WHERE k = 1",
            f"DO $$ BEGIN PERFORM set_config('{name}', {text}, false); END $$",
            f"UPDATE pg_settings SET setting = {text} WHERE name = '{name}'",
            "RESET ALL", f"SET TIME ZONE '{self.pick('UTC', 'Asia/Tokyo')}'", f"SET NAMES '{self.pick('UTF8', 'LATIN1')}'",
            "SET SCHEMA 'alt'", "SET TIME ZONE LOCAL", "SET XML OPTION DOCUMENT",
            f"SET SESSION CHARACTERISTICS AS TRANSACTION {self.pick('READ ONLY', 'READ WRITE')}")

    def look(self):
        names = ", ".join(f"'{n}'" for n in WATCHED)
        return self.pick(
            f"SHOW {self.random.choice(list(SETTINGS))}", f"SHOW {self.random.choice(WATCHED)}",
            f"SELECT name, setting FROM pg_settings WHERE name IN ({names}) ORDER BY name",
            f"SELECT name, setting FROM pg_settings WHERE name IN ({names}) ORDER BY name",
            "SELECT '2020-02-03 04:05:06+00'::timestamptz, interval '1 day 2 hours', '\\x00ff'::bytea, 1/3::float8",
            "SELECT current_user, session_user, current_schemas(false)", "SELECT current_setting('app.tenant')",
            "SELECT 'd\u00e9j\u00e0'", "SELECT name, statement, is_holdable FROM pg_cursors ORDER BY 1")

    def ending(self):
        return self.pick("COMMIT", "COMMIT", "ROLLBACK", "ROLLBACK", "END", "ABORT", "COMMIT AND CHAIN",
                         "ROLLBACK AND CHAIN", "COMMIT; BEGIN", "ROLLBACK; " + self.set_statement())

    def transaction(self):
        return self.pick("BEGIN", "BEGIN", "START TRANSACTION", "BEGIN READ ONLY", "SAVEPOINT a", "SAVEPOINT a",
                         "SAVEPOINT b", "ROLLBACK TO a", "ROLLBACK TO SAVEPOINT b", "RELEASE a", self.ending(),
                         "BEGIN ISOLATION LEVEL REPEATABLE READ", "SET TRANSACTION READ ONLY")

    def data(self):
        k = self.random.randrange(12)
        return self.pick(f"INSERT INTO t VALUES ({k}, 'new')", f"DELETE FROM t WHERE k = {k}",
                         f"UPDATE t SET v = v || '+' WHERE k = {k}", "SELECT k, v FROM t ORDER BY k",
                         f"INSERT INTO t VALUES ({k}, 'it') ON CONFLICT DO NOTHING RETURNING k",
                         "SELECT g, repeat('x', 2000) FROM generate_series(1, 40) g", "SELECT count(*) FROM t, t AS o",
                         "", "/* nothing */", "SELECT 1; SELECT 2", "DO $$ BEGIN RAISE NOTICE 'hi'; END $$")

    def error(self):
        return self.pick("SELECT 1/0", "SELECT nosuch", "SELEC 1", "SELECT * FROM nosuch", "SELECT 'é'::int",
                         "SELECT 1; SELECT 1/0; SELECT 2", "INSERT INTO t VALUES (1, 'twice')",
                         "DO $$ BEGIN RAISE EXCEPTION 'mine' USING ERRCODE = 'XY123'; END $$")

    def sql_prepared(self):
        name = quoted(self.random.choice(NAMES)) if self.chance(0.5) else self.pick("s1", "S1", "s2")
        text, values = self.random.choice(PREPARABLE)
        types = "(int)" if self.chance(0.2) else ""
        argument = self.pick("", "(1)", "('2')", "('2020-01-01')", "(3, 4)")
        return self.pick(f"PREPARE {name} {types} AS {text}", f"PREPARE {name} AS {text}", f"EXECUTE {name}{argument}",
                         f"EXECUTE {name}{argument}", f"EXECUTE {name}{argument}", f"DEALLOCATE {name}",
                         "DEALLOCATE ALL", f"DEALLOCATE PREPARE {name}",
                         f"EXPLAIN (COSTS OFF) EXECUTE {name}{argument}")

    def listen(self):
        channel, payload = quoted(self.random.choice(CHANNELS)), self.pick("", "one", "two")
        return self.pick(f"LISTEN {channel}", f"LISTEN {channel}", f"UNLISTEN {channel}", "UNLISTEN *",
                         f"NOTIFY {channel}", f"NOTIFY {channel}, '{payload}'", f"NOTIFY {channel}, '{payload}'",
                         f"SELECT pg_notify('{channel[1:-1]}', '{payload}')")

    def lock(self):
        kind = self.pick("", "_shared")
        return self.pick(f"SELECT pg_try_advisory_lock{kind}(1)", f"SELECT pg_advisory_lock{kind}(2)",
                         f"SELECT pg_advisory_unlock{kind}(1)", f"SELECT pg_advisory_xact_lock{kind}(1)",
                         f"SELECT pg_try_advisory_xact_lock{kind}(2)", "SELECT pg_advisory_unlock_all()",
                         f"SELECT pg_try_advisory_lock{kind}(1, 2)", f"SELECT pg_advisory_unlock{kind}(2)")

    def temp(self):
        return self.pick("CREATE TEMP TABLE tt (a int)", "CREATE TEMPORARY TABLE tt ON COMMIT DROP AS SELECT 9 AS a",
                         "INSERT INTO tt VALUES (1)", "SELECT a FROM tt ORDER BY 1", "DROP TABLE tt",
                         "SELECT 8 AS a INTO TEMP tt", "CREATE TABLE pg_temp.tt (a int, b int)", "DISCARD TEMP",
                         "CREATE TEMP VIEW tv AS SELECT 1 AS one", "SELECT * FROM tv",
                         "CREATE TEMP TABLE tt (a int) ON COMMIT DELETE ROWS", "CREATE TEMP SEQUENCE ts")

    def cursor(self):
        return self.pick("DECLARE c CURSOR FOR SELECT k, v FROM t ORDER BY k", "FETCH 2 FROM c", "FETCH c", "CLOSE c",
                         "DECLARE c CURSOR WITH HOLD FOR SELECT k FROM t ORDER BY k", "MOVE 1 IN c", "CLOSE ALL")

    def role(self):
        return self.pick("SET ROLE clerk", "SET ROLE NONE", "RESET ROLE", "SET SESSION AUTHORIZATION clerk",
                         "RESET SESSION AUTHORIZATION", "SET LOCAL ROLE clerk", "SET SESSION AUTHORIZATION DEFAULT",
                         "SET ROLE nobody_such", "SET LOCAL SESSION AUTHORIZATION clerk")

    def ddl(self):
        return self.pick("CREATE TABLE u (x int, y text)", "DROP TABLE IF EXISTS u", "CREATE INDEX ON t (v)",
                         "ALTER TABLE t ALTER k SET STATISTICS 10", "CREATE OR REPLACE VIEW v AS SELECT k FROM t",
                         "TRUNCATE t", "DROP VIEW v", "INSERT INTO t SELECT g, 'row' FROM generate_series(1, 5) g")

    def any_statement(self):
        kinds = {"settings": self.set_statement, "transactions": self.transaction, "data": self.data, "look": self.look,
                 "errors": self.error, "prepared": self.sql_prepared, "listen": self.listen, "locks": self.lock,
                 "temp": self.temp, "cursors": self.cursor, "roles": self.role}
        names = [n for n in kinds if n in self.families] or ["look"]
        return kinds[self.random.choices(names, [3 if n in ("settings", "look", "data") else 1 for n in names])[0]]()

    # ---- steps ----

    def simple(self, client, sql):
        """Mostly alone; sometimes by the extended protocol, sometimes behind or before another."""
        if self.chance(0.15):
            sql = "; ".join(self.random.sample([sql, self.any_statement(), self.any_statement()], self.pick(2, 3)))
        elif self.chance(0.3):
            return [client, "send", [["P", "", sql, []], ["B", "", "", []], *self.maybe(["D", "P", ""]),
                                     ["E", "", 0], ["S"]]]
        return [client, "send", [["Q", sql]]]

    def maybe(self, message):
        return [message] if self.chance(0.5) else []

    def step_settings(self, client):
        return self.simple(client, self.set_statement())

    def step_look(self, client):
        return self.simple(client, self.look())

    def step_strings(self, client):
        return self.simple(client, self.pick(
            "SET standard_conforming_strings = off", "SET standard_conforming_strings = on", "SELECT 'a\\nb', E'c\\td'",
            "SELECT 'it''s; not two', $$ ; SET x = 1 $$, 1 /* ; /* nested */ */", "SET escape_string_warning = off",
            "SELECT U&'d\\0061t', e'\\'; SET TimeZone = UTC; --'", "SELECT 'x' -- ; RESET ALL\n , 'SET work_mem = 1'"))

    def step_transactions(self, client):
        return self.simple(client, self.transaction())

    def step_data(self, client):
        return self.simple(client, self.data())

    def step_errors(self, client):
        return self.simple(client, self.error())

    def step_locks(self, client):
        return self.simple(client, self.lock())

    def step_listen(self, client):
        return self.simple(client, self.listen())

    def step_temp(self, client):
        return self.simple(client, self.temp())

    def step_cursors(self, client):
        return self.simple(client, self.cursor())

    def step_roles(self, client):
        return self.simple(client, self.role())

    def step_ddl(self, client):
        return self.simple(client, self.ddl())

    def step_discard(self, client):
        return self.simple(client, self.pick("DISCARD ALL", "DISCARD ALL", "DISCARD PLANS", "DISCARD SEQUENCES",
                                             "CLOSE ALL; UNLISTEN *; RESET ALL"))

    def step_reconnect(self, client):
        return [client, "reconnect", self.random.randrange(len(PROFILES)), self.pick("terminate", "abrupt", "flying")]

    def step_function(self, client):
        return [client, "send", [self.pick(
            ["F", 1397, ["-5"]], ["F", 1397, ["minus"]], ["F", SET_CONFIG, ["TimeZone", self.pick("UTC", "Asia/Tokyo"), "f"]],
            ["F", SET_CONFIG, ["app.tenant", "called", self.pick("t", "f")]], ["F", 4294967290, []])]]

    def prepared_group(self):
        """Messages of one use of a statement, named or not, without Sync."""
        name = self.random.choice([*NAMES, "s1", "s2", ""])
        text, values = self.random.choice(PREPARABLE)
        start = [["P", name, text, [self.pick(0, 23, 25)] if values and self.chance(0.2) else []]]
        use = [["B", "", name, self.pick(values, ["1"], [None], [])], *self.maybe(["D", "P", ""]),
               ["E", "", self.pick(0, 0, 0, 1)]]
        return self.pick(start, start + use, start + use, use, use, use, [["D", "S", name]], [["C", "S", name]],
                         [["C", "S", name], *start, *use], start + [["D", "S", name]] + use)

    def step_prepared(self, client):
        if self.chance(0.4):
            return self.simple(client, self.sql_prepared())
        return [client, "send", [*self.prepared_group(), self.pick(["S"], ["S"], ["S"], ["S"], ["S"], ["H"])]]

    def step_pipeline(self, client):
        """Several statements without waiting, with Syncs between them at random."""
        messages = []
        for _ in range(self.random.randint(2, 6)):
            if self.chance(0.5):
                messages += self.prepared_group()
            else:
                messages += [["P", "", self.any_statement(), []], ["B", "", "", []], ["E", "", 0]]
            messages += self.pick([], [], [["S"]], [["Q", self.any_statement()]] if self.chance(0.2) else [["H"]])
        return [client, "send", [*messages, *([["S"]] if self.chance(0.9) else [["H"]])]]

    def step_portals(self, client):
        portal = self.pick("p1", "p2", "")
        make = [["P", "", self.pick("SELECT k, v FROM t ORDER BY k", "SELECT generate_series(1, 9)", "SHOW work_mem"), []],
                ["B", portal, "", []]]
        use = [["E", portal, self.pick(1, 2, 0)]]
        messages = self.pick(make, make + use, make + use + use, use, use, [["D", "P", portal]], [["C", "P", portal]])
        return [client, "send", [*messages, self.pick(["S"], ["S"], ["S"], ["H"])]]

    def step_copy(self, client):
        sql = self.pick("COPY t FROM STDIN", "COPY t (k) FROM STDIN", "COPY nosuch FROM STDIN",
                        "COPY (SELECT k, v FROM t ORDER BY k) TO STDOUT", "COPY t FROM STDIN (FORMAT csv)",
                        "COPY (SELECT repeat('y', 3000) FROM generate_series(1, 60)) TO STDOUT (FORMAT binary)",
                        "COPY (SELECT 1/(k - 3) FROM t ORDER BY k) TO STDOUT", "COPY t FROM STDIN; SELECT 1",
                        "SET app.tenant = 'copied'; COPY t FROM STDIN")
        if self.chance(0.1):
            return [client, "send", [self.pick(["d", "too late"], ["c"], ["f", "nothing to fail"]), ["S"]]]
        if self.chance(0.4):
            return [client, "send", [["P", "", sql, []], ["B", "", "", []], ["E", "", 0], self.pick(["S"], ["H"])]]
        return [client, "send", [["Q", sql]]]

    def copy_on(self):
        k = self.random.randrange(12, 60)
        data = [["d", self.pick(f"{k}\trow\n", f"{k}\tro", "w\n", "bad\n", f"{k}\n", f"{k},csv\n", "\\.\n", "",
                                f"{k}\t{'z' * 9000}\n")] for _ in range(self.random.randrange(4))]
        # In the extended protocol the server keeps its answer to CopyDone until a Flush or Sync.
        end = self.pick([["c"], ["S"]], [["c"], ["S"]], [["c"], ["H"]], [["f", "gave up"]], [["f", "gave up"], ["S"]],
                        [["S"]])
        # Without one of these the server may find an error at once, or later: not the same twice.
        return [*data, *end] if end[0][0] != "S" or not data else [*data, ["c"], *end]

    # ---- what a pool can't give ----

    def step_sequences(self, client):
        return self.simple(client, self.pick("SELECT nextval('sq')", "SELECT currval('sq')", "SELECT lastval()",
                                             "SELECT setval('sq', 5)", "SELECT setseed(0.5)", "SELECT random()"))

    def step_literals(self, client):
        """What the settings were when a statement was prepared is in the statement for good."""
        return self.simple(client, self.pick(
            "PREPARE s1 AS SELECT 'a\\nb'", "SET standard_conforming_strings = off", "EXECUTE s1", "DEALLOCATE s1",
            "PREPARE s1 AS SELECT '01/02/2020'::date::timestamp", "SET DateStyle = 'SQL, DMY'", "RESET ALL"))

    def step_catalogue(self, client):
        return self.simple(client, self.pick(
            "SELECT name, statement, from_sql FROM pg_prepared_statements ORDER BY 1", "SELECT pg_listening_channels()",
            "SELECT name, source, reset_val FROM pg_settings WHERE name IN ('TimeZone', 'work_mem') ORDER BY 1"))

    def step_plans(self, client):
        return self.simple(client, self.pick("PREPARE s1 AS SELECT * FROM u", "EXECUTE s1", "CREATE TABLE u (x int, y text)",
                                             "ALTER TABLE u ADD z int", "ALTER TABLE u DROP z", "DEALLOCATE s1"))
