"""The admin console, and the metrics: against real PostgreSQL, beside Debian's PgBouncer and its exporter."""
import os, pathlib, re, shutil, signal, struct, subprocess, sys, tempfile, threading, time, unittest, urllib.error, urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import pg_protocol as pg
from lab import wait_until
from router import Backend, free_port, target

PYTHON = "/usr/bin/python3"  # Debian's: its packages are of no other
EXPORTER = "/usr/bin/prometheus-pgbouncer-exporter"
JAR = "/usr/share/java/postgresql.jar"
SHOWS = ("CLIENTS", "SERVERS", "POOLS", "LISTS", "STATS", "STATS_TOTALS", "STATS_AVERAGES", "TOTALS", "DATABASES",
         "USERS", "CONFIG", "VERSION", "MEM", "SOCKETS", "ACTIVE_SOCKETS", "DNS_HOSTS", "DNS_ZONES")
OUR_SHOWS = ("STATE", "PINS", "WORKERS", "PREPARED_STATEMENTS", "HELP")


def names(messages):
    """Column names of the first RowDescription."""
    return [c[0].decode() for c in pg.columns(next(m for m in messages if m.kind == "T").body)]


def dicts(connection, text):
    messages = connection.run(pg.query(text))
    failures = [pg.error_fields(m.body) for m in messages if m.kind == "E"]
    assert not failures, f"{text}: {failures}"
    return [dict(zip(names(messages), (None if v is None else v.decode() for v in r))) for r in pg.rows(messages)]


def run(connection, data):
    """The answers to all messages of `data`."""
    messages, at = [], 0
    while at < len(data):
        size = 1 + struct.unpack_from("!i", data, at + 1)[0]
        messages.append(data[at:at + size])
        at += size
    return connection.run(*messages)


class AdminTest(unittest.TestCase):
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.backend = cls.enterClassContext(Backend())

    def setUp(self):
        self.http_port = free_port()
        self.router = self.enterContext(target("reparto", self.backend, **{
            "admin_users": self.backend.user, "stats_users": self.backend.plain_user, "workers": 2,
            "http_port": self.http_port, "default_pool_size": 2, **self.settings}))
        self.addCleanup(lambda: [c.end() for c in self.connections])
        self.connections = []

    def connect(self, *words, **more):
        connection = self.router.connect(*words, **more)
        self.connections.append(connection)
        return connection

    def console(self, user=None, database="reparto", **more):
        return self.connect(database, user, **more)

    def http(self, path, accept=None):
        """Status and body."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}",
                                         headers={"Accept": accept} if accept else {})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def started(self, connection, text):
        """Sends it; a function that says whether its whole answer has come, and one that waits for it."""
        found = []
        def work():
            found.extend(connection.run(pg.query(text)))
        thread = threading.Thread(target=work)
        thread.start()
        self.addCleanup(thread.join)
        def finish():
            thread.join(15)
            assert not thread.is_alive(), f"{text}: no answer"
            return found
        return (lambda: not thread.is_alive()), finish


class Console(AdminTest):
    def test_admins_may_do_all_watchers_only_show_others_nothing(self):
        watcher = self.console(self.backend.plain_user)
        for show in (*SHOWS, *OUR_SHOWS):
            self.assertFalse(pg.errors(watcher.run(pg.query(f"SHOW {show}"))), show)
        for command in ("PAUSE", "RESUME", "RECONNECT", "KILL shop", "DISABLE shop", "ENABLE shop", "RELOAD",
                        "SHUTDOWN", "SET query_timeout = 5", "WAIT_CLOSE"):
            self.assertEqual(pg.errors(watcher.run(pg.query(command))), ["42501"], command)
        admin = self.console(database="pgbouncer")
        admin.sql("SET stats_users = ''")
        with self.assertRaises(pg.Refused) as caught:
            self.console(self.backend.plain_user)
        self.assertEqual(caught.exception.fields["C"], "42501")
        admin.sql("RELOAD")
        self.console(self.backend.plain_user)

    def test_the_console_is_open_when_no_client_may_come_in(self):
        admin = self.console()
        admin.sql("SET max_client_conn = 1")
        self.connect()
        with self.assertRaises(pg.Refused) as caught:
            self.connect()
        self.assertEqual(caught.exception.fields["C"], "53300")
        self.console().sql("SHOW VERSION")

    def test_what_is_unknown_is_refused_with_its_sqlstate(self):
        admin = self.console()
        for text, sqlstate in (("SELECT 1", "42601"), ("SHOW nothing", "42704"), ("SHOW FDS", "0A000"),
                               ("SHOW pools WHERE nix = 1", "42703"), ("SHOW pools WHERE sv_idle = 'x'", "22P02"),
                               ("SHOW pools LIMIT -1", "2201W"), ("PAUSE a b", "42601"), ("KILL", "42601"),
                               ("RESUME", "55000"), ("RESUME shop", "55000"), ("SET nix = 1", "42704"),
                               ("SET query_timeout = 'x'", "22023"), ("SET listen_port = 1", "55P02"),
                               ("SHOW pools; SELECT 1; SHOW pools", "42601")):
            self.assertEqual(pg.errors(admin.run(pg.query(text))), [sqlstate], text)
        self.assertEqual([m.kind for m in admin.run(pg.query(" ;; -- nothing"))], ["I", "Z"])
        self.assertEqual(pg.tags(admin.run(pg.query("SHOW VERSION; SHOW STATE"))), ["SHOW", "SHOW"])

    def test_clauses_choose_rows(self):
        clients = [self.connect(parameters=[("application_name", f"app {i}")]) for i in range(4)]
        for client in clients:
            client.sql("SELECT 1")
        admin = self.console(parameters=[("application_name", "the console")])
        mine = "SHOW CLIENTS WHERE application_name LIKE 'app _' AND database <> 'reparto'"
        found = [row["application_name"] for row in dicts(admin, f"{mine} ORDER BY application_name DESC LIMIT 3")]
        self.assertEqual(found, ["app 3", "app 2", "app 1"])
        self.assertEqual({row["worker"] for row in dicts(admin, mine)}, {"0", "1"})
        self.assertEqual(len(dicts(admin, "SHOW CLIENTS WHERE database = 'reparto'")), 1)
        self.assertEqual(dicts(admin, "SHOW pools WHERE database = 'shop'")[0]["cl_active"], "4")

    def test_pins_are_shown_with_their_reasons(self):
        client = self.connect()
        client.sql("CREATE TEMP TABLE t (i int)")
        client.sql("LISTEN something")
        pins = dicts(self.console(), "SHOW PINS")
        self.assertEqual([set(p["pins"].split()) for p in pins], [{"temp_table", "listen"}])
        servers = dicts(self.console(), f"SHOW SERVERS WHERE remote_pid = {pins[0]['remote_pid']}")
        self.assertEqual([(s["ptr"], s["link"]) for s in servers], [(pins[0]["link"], pins[0]["ptr"])])

    def test_texts_of_prepared_statements_hide_their_strings(self):
        client = self.connect()
        client.run(pg.parse("s", "SELECT 'a secret', $1::int"), pg.sync())
        client.run(pg.bind("", "s", ["1"]), pg.execute(), pg.sync())
        texts = [row["query"] for row in dicts(self.console(), "SHOW PREPARED_STATEMENTS")]
        self.assertTrue(any("$1" in text for text in texts), texts)
        self.assertFalse(any("secret" in text for text in texts), texts)

    def test_averages_are_of_the_last_periods(self):
        admin, client = self.console(), self.connect()
        admin.sql("SET stats_period = '1s'")
        stop = time.monotonic() + 2.5
        while time.monotonic() < stop:
            client.sql("SELECT pg_sleep(0.01)")
        row = dicts(admin, "SHOW STATS WHERE database = 'shop'")[0]
        self.assertGreater(int(row["total_query_count"]), 50)
        self.assertTrue(20 <= int(row["avg_query_count"]) <= 100, row)
        self.assertTrue(10_000 <= int(row["avg_query_time"]) <= 50_000, row)
        self.assertGreaterEqual(int(row["total_query_time"]), int(row["total_query_count"]) * 10_000)
        wait_until(lambda: dicts(admin, "SHOW STATS WHERE database = 'shop'")[0]["avg_query_count"] == "0",
                   "nothing was done for two periods", 10)
        totals = {r["name"]: int(r["value"]) for r in dicts(admin, "SHOW TOTALS")}
        self.assertEqual(totals["total_query_count"], int(row["total_query_count"]))


class Extended(AdminTest):
    def test_parameters_binary_results_and_portals(self):
        admin = self.console()
        messages = run(admin, pg.parse("s", "SHOW CONFIG WHERE key LIKE $1 AND value <> $2 ORDER BY key LIMIT $3")
                             + pg.describe("S", "s") + pg.bind("p", "s", ["server_%", "nix", "3"]) + pg.describe("P", "p")
                             + pg.execute("p", 2) + pg.execute("p", 0) + pg.close("P", "p") + pg.sync())
        self.assertEqual("".join(m.kind for m in messages), "1tT2TDDsDC3Z")
        self.assertEqual(next(m for m in messages if m.kind == "t").body, struct.pack("!HIII", 3, 25, 25, 25))
        self.assertEqual([r[0] for r in pg.rows(messages)],
                         [b"server_check_delay", b"server_check_query", b"server_connect_timeout"])
        messages = run(admin, pg.parse("", "SHOW WORKERS ORDER BY worker") + pg.bind("", "", [], [], [1])
                             + pg.describe("P", "") + pg.execute() + pg.sync())
        self.assertEqual([r[0] for r in pg.rows(messages)], [struct.pack("!i", 0), struct.pack("!i", 1)])
        self.assertEqual(len(pg.rows(messages)[0][6]), 8)

    def test_parameters_may_be_binary(self):
        admin = self.console()
        for oid, packed in ((20, struct.pack("!q", -1)), (23, struct.pack("!i", -1)), (21, struct.pack("!h", -1))):
            messages = run(admin, pg.parse("", "SHOW LISTS WHERE list = $1 AND items > $2", [25, oid]) + pg.describe("S", "")
                           + pg.bind("", "", ["pools", packed], [1]) + pg.execute() + pg.sync())
            self.assertEqual(pg.rows(messages), [[b"pools", b"0"]])
            self.assertEqual(next(m for m in messages if m.kind == "t").body, struct.pack("!HII", 2, 25, oid))

    def test_an_error_skips_to_the_sync(self):
        admin = self.console()
        bad = [pg.parse("", "SELECT 1"), pg.parse("", "SHOW nix"), pg.bind("", "none"), pg.execute("none"),
               pg.describe("S", "none"), pg.parse("", "SHOW VERSION; SHOW VERSION"),
               pg.parse("", "SHOW LISTS WHERE items = $1", [17]), pg.parse("", "SHOW LISTS WHERE nix = $1"),
               pg.parse("", "SHOW LISTS WHERE items = $1") + pg.bind("", "", []),
               pg.parse("", "SHOW LISTS WHERE items = $1") + pg.bind("", "", ["x"]) + pg.execute(),
               pg.parse("", "SHOW LISTS WHERE items = $1", [23]) + pg.bind("", "", [b"\0\1"], [1]),
               pg.parse("", "SHOW LISTS") + pg.bind("", "", [], [], [0, 0, 0])]
        expected = ["42601", "42704", "26000", "34000", "26000", "42601", "0A000", "42703", "08P01", "22P02", "08P01",
                    "08P01"]
        for message, sqlstate in zip(bad, expected):
            messages = run(admin, message + pg.parse("never", "SHOW VERSION") + pg.sync())
            self.assertEqual(pg.errors(messages), [sqlstate], message)
            self.assertEqual(messages[-1].kind, "Z")
        self.assertEqual(pg.errors(run(admin, pg.describe("S", "never") + pg.sync())), ["26000"])

    def test_statements_and_portals_have_a_limit(self):
        admin = self.console()
        for i in range(64):
            self.assertFalse(pg.errors(run(admin, pg.parse(f"s{i}", "SHOW VERSION") + pg.sync())))
        self.assertEqual(pg.errors(run(admin, pg.parse("more", "SHOW VERSION") + pg.sync())), ["53000"])
        self.assertEqual(pg.errors(run(admin, pg.parse("s1", "SHOW VERSION") + pg.sync())), ["42P05"])
        run(admin, pg.close("S", "s1") + pg.sync())
        self.assertFalse(pg.errors(run(admin, pg.parse("s1", "SHOW VERSION") + pg.sync())))

    def test_a_transaction_block_only_shows(self):
        admin = self.console()
        admin.sql("BEGIN")
        self.assertEqual(admin.status, "T")
        admin.sql("SHOW POOLS")
        self.assertEqual(pg.errors(admin.run(pg.query("PAUSE"))), ["25001"])
        self.assertEqual(admin.status, "E")
        self.assertEqual(pg.errors(admin.run(pg.query("SHOW POOLS"))), ["25P02"])
        self.assertEqual(pg.tags(admin.run(pg.query("COMMIT"))), ["ROLLBACK"])
        self.assertEqual(admin.status, "I")

    def test_bad_messages_end_the_console_only(self):
        other = self.connect()
        for message, sqlstate in ((b"Q\0\0\0\1", "08P01"), (b"Q" + struct.pack("!i", 1 << 20), "54000"),
                                  (b"Q" + struct.pack("!i", -5), "08P01")):
            admin = self.console()
            admin.write(message)
            fatal = admin.read_message()
            self.assertEqual((fatal.kind, pg.error_fields(fatal.body)["C"]), ("E", sqlstate))
            with self.assertRaises(pg.Closed):
                admin.read_message()
        admin = self.console()
        admin.write(pg.frame("Q", b"SHOW VERSION"))  # no zero at its end
        self.assertEqual(pg.error_fields(admin.read_message().body)["C"], "08P01")
        self.assertEqual(other.sql("SELECT 1"), [("1",)])

    def test_requests_may_be_pipelined_behind_one_that_waits(self):
        admin = self.console()
        admin.send(*[pg.query("SHOW POOLS")] * 50)
        self.assertEqual(len(pg.tags(admin.answers())), 50)

    def test_drivers_work(self):
        host, port = self.router.address
        dsn = f"host={host} port={port} user={self.backend.user} dbname=reparto"
        environment = dict(os.environ, PGPASSWORD=self.backend.password, DSN=dsn, PGHOST=host, PGPORT=str(port),
                           PGUSER=self.backend.user, PGDATABASE="reparto")
        programs = {
            "psycopg2": """import os, psycopg2
c = psycopg2.connect(os.environ["DSN"]); k = c.cursor()
k.execute("SHOW DATABASES"); k.fetchall(); k.execute("SHOW CONFIG WHERE key = %s", ("workers",)); print(k.fetchone()[1]); c.rollback()""",
            "psycopg": """import os, psycopg
with psycopg.connect(os.environ["DSN"]) as c:
    for i in range(8): r = c.execute("SHOW CONFIG WHERE key = %s", ("workers",)).fetchone()
    print(r[1])""",
            "asyncpg": """import asyncio, asyncpg, os
async def main():
    c = await asyncpg.connect(password=os.environ["PGPASSWORD"], ssl=False)
    print((await c.fetch("SHOW CONFIG WHERE key = $1", "workers"))[0]["value"]); await c.close()
asyncio.run(main())""",
        }
        commands = {name: [PYTHON, "-c", text] for name, text in programs.items()
                    if not subprocess.run([PYTHON, "-c", f"import {name}"], capture_output=True).returncode}
        commands["psql"] = ["psql", "-XAtc", "SHOW default_pool_size"]
        if shutil.which("java") and pathlib.Path(JAR).exists():
            commands["pgjdbc"] = ["java", "-Xmx128m", "-cp", JAR, str(pathlib.Path(__file__).parent / "clients/ConsoleJdbc.java")]
        for name, command in commands.items():
            with self.subTest(driver=name):
                done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
                self.assertEqual((done.returncode, done.stdout.strip()), (0, "2"), done.stderr)


class Golden(AdminTest):
    def test_columns_are_those_of_pgbouncer_with_ours_behind(self):
        if not pathlib.Path("/usr/sbin/pgbouncer").exists():
            self.skipTest("pgbouncer is not installed: apt-get install pgbouncer")
        admin = self.console()
        with target("pgbouncer", self.backend, admin_users=self.backend.user) as pgbouncer:
            theirs = pgbouncer.connect("pgbouncer")
            self.addCleanup(theirs.end)
            for show in SHOWS:
                wanted = names(theirs.run(pg.query(f"SHOW {show}")))
                self.assertEqual(names(admin.run(pg.query(f"SHOW {show}")))[:len(wanted)], wanted, show)
            for show in ("LISTS", "TOTALS"):  # here the rows have the names
                wanted = [row[0] for row in theirs.sql(f"SHOW {show}")]
                self.assertEqual([row[0] for row in admin.sql(f"SHOW {show}")], wanted, show)


class Commands(AdminTest):
    def backend_pid(self, client):
        return client.sql("SELECT pg_backend_pid()")[0][0]

    def test_pause_waits_for_transactions_and_holds_clients_until_resume(self):
        admin, busy, other = self.console(), self.connect(), self.connect()
        busy.sql("BEGIN")
        has_answered, finish = self.started(admin, "PAUSE")
        wait_until(lambda: dicts(self.console(), "SHOW STATE WHERE key = 'paused'")[0]["value"] == "yes", "paused")
        other_answered, other_finish = self.started(other, "SELECT 1")
        time.sleep(0.3)  # long enough for a PAUSE that does not wait to be caught
        self.assertFalse(has_answered() or other_answered())
        busy.sql("SELECT 1")
        busy.sql("COMMIT")
        self.assertEqual(pg.tags(finish()), ["PAUSE"])
        self.assertEqual(dicts(admin, "SHOW SERVERS"), [])
        self.assertEqual(pg.errors(admin.run(pg.query("PAUSE"))), ["55000"])
        late = pg.Wire(self.router.address)  # a client that comes meanwhile waits too
        self.addCleanup(late.end)
        self.assertFalse(other_answered())
        self.assertEqual(dicts(admin, "SHOW POOLS")[0]["cl_waiting"], "1")
        admin.sql("RESUME")
        self.assertEqual(pg.value(other_finish()), "1")

    def test_pause_of_one_database_leaves_the_others(self):
        admin, other = self.console(), self.connect("postgres")
        admin.sql("PAUSE shop")
        self.assertEqual(other.sql("SELECT 1"), [("1",)])
        self.assertEqual(dicts(admin, "SHOW DATABASES WHERE name = 'postgres'")[0]["paused"], "0")
        admin.sql("RESUME shop")
        self.assertEqual(self.connect().sql("SELECT 1"), [("1",)])

    def test_a_pause_that_is_given_up_is_undone(self):
        for gives_up in ("cancel", "disconnect"):
            with self.subTest(by=gives_up):
                admin, busy = self.console(), self.connect()
                busy.sql("BEGIN")
                if gives_up == "cancel":
                    has_answered, finish = self.started(admin, "PAUSE")
                    wait_until(lambda: dicts(self.console(), "SHOW STATE WHERE key = 'paused'")[0]["value"] == "yes", "paused")
                    pg.cancel(self.router.address, admin.key)
                    self.assertEqual(pg.errors(finish()), ["57014"])
                    admin.sql("SHOW VERSION")
                else:
                    admin.write(pg.query("PAUSE"))
                    wait_until(lambda: dicts(self.console(), "SHOW STATE WHERE key = 'paused'")[0]["value"] == "yes", "paused")
                    admin.end()
                wait_until(lambda: dicts(self.console(), "SHOW STATE WHERE key = 'paused'")[0]["value"] == "no", "not paused")
                self.assertEqual(self.connect().sql("SELECT 1"), [("1",)])
                busy.sql("COMMIT")

    def test_a_pause_ends_with_an_error_when_another_console_resumes(self):
        admin, busy = self.console(), self.connect()
        busy.sql("BEGIN")
        _, finish = self.started(admin, "PAUSE")
        wait_until(lambda: dicts(self.console(), "SHOW STATE WHERE key = 'paused'")[0]["value"] == "yes", "paused")
        self.console().sql("RESUME")
        self.assertEqual(pg.errors(finish()), ["57014"])
        busy.sql("COMMIT")

    def test_kill_ends_clients_and_holds_new_ones(self):
        admin, client, other = self.console(), self.connect(), self.connect("postgres")
        client.sql("BEGIN")
        admin.sql("KILL shop")
        fatal = client.read_message()
        self.assertEqual((fatal.kind, pg.error_fields(fatal.body)["C"]), ("E", "57P01"))
        self.assertEqual(other.sql("SELECT 1"), [("1",)])
        wait_until(lambda: dicts(admin, "SHOW SERVERS WHERE database = 'shop'") == [], "its servers are gone")
        found = []
        thread = threading.Thread(target=lambda: found.append(self.connect().sql("SELECT 1")))
        thread.start()
        time.sleep(0.3)
        self.assertEqual(found, [])
        admin.sql("RESUME shop")
        thread.join(10)
        self.assertEqual(found, [[("1",)]])

    def test_disable_refuses_new_clients_only(self):
        admin, client = self.console(), self.connect()
        admin.sql("DISABLE shop")
        self.assertEqual(client.sql("SELECT 1"), [("1",)])
        for _ in range(4):  # in each worker
            with self.assertRaises(pg.Refused) as caught:
                self.connect()
            self.assertEqual(caught.exception.fields["C"], "55000")
        self.assertEqual(dicts(admin, "SHOW DATABASES WHERE name = 'shop'")[0]["disabled"], "1")
        admin.sql("ENABLE shop")
        self.connect()

    def test_reconnect_replaces_servers_and_wait_close_waits_for_it(self):
        admin, client = self.console(), self.connect()
        client.sql("BEGIN")
        first = self.backend_pid(client)
        admin.sql("RECONNECT")
        has_answered, finish = self.started(admin, "WAIT_CLOSE")
        time.sleep(0.2)
        self.assertFalse(has_answered())
        self.assertEqual(self.backend_pid(client), first)
        client.sql("COMMIT")
        self.assertEqual(pg.tags(finish()), ["WAIT_CLOSE"])
        self.assertNotEqual(self.backend_pid(client), first)

    def test_set_holds_until_reload_in_every_worker(self):
        admin = self.console()
        version = int(dicts(admin, "SHOW WORKERS")[0]["config_version"])
        admin.sql("SET pool_mode = session")
        self.assertEqual(admin.sql("SHOW pool_mode"), [("session",)])
        wait_until(lambda: {r["config_version"] for r in dicts(admin, "SHOW WORKERS")} == {str(version + 1)}, "all have it")
        self.connect().sql("SELECT 1")
        self.assertEqual(dicts(admin, "SHOW POOLS")[0]["pool_mode"], "session")
        admin.sql("RELOAD")
        self.assertEqual(admin.sql("SHOW pool_mode"), [("transaction",)])

    def test_a_bad_file_is_told_and_changes_nothing(self):
        admin = self.console()
        file = self.router.directory / "reparto.yaml"
        good = file.read_text()
        file.write_text(good.replace('"workers"', '"wurkers"'))
        messages = admin.run(pg.query("RELOAD"))
        self.assertEqual(pg.errors(messages), ["F0000"])
        self.assertIn("wurkers", pg.error_fields(messages[0].body)["M"])
        file.write_text(good)
        admin.sql("RELOAD")


class Ends(AdminTest):
    def setUp(self):
        super().setUp()
        self.router.stop = self.router.kill  # it ends by itself here

    def test_shutdown_waits_for_clients_but_not_for_the_console(self):
        admin, client = self.console(), self.connect()
        client.sql("BEGIN")
        self.assertEqual(pg.tags(admin.run(pg.query("SHUTDOWN WAIT_FOR_CLIENTS"))), ["SHUTDOWN"])
        wait_until(lambda: self.http("/readyz")[0] == 503, "not ready")
        self.assertEqual(self.http("/healthz"), (200, "ok\n"))
        self.assertIn("\nreparto_draining 1\n", self.http("/metrics")[1])
        self.assertEqual(client.sql("SELECT 1"), [("1",)])
        self.assertIsNone(self.router.process.poll())
        client.sql("COMMIT")
        client.finish()
        self.assertEqual(self.router.process.wait(10), 0)

    def test_shutdown_at_once(self):
        admin, client = self.console(), self.connect()
        client.sql("BEGIN")
        admin.write(pg.query("SHUTDOWN"))
        self.assertEqual(self.router.process.wait(10), 0)

    def test_what_waits_on_the_console_does_not_hold_up_the_end(self):
        admin, client = self.console(), self.connect()
        client.sql("BEGIN")
        for text in ("PAUSE", "SHOW CLIENTS", "RELOAD"):
            console = self.console()
            console.write(pg.query(text) * 20)
        self.router.process.send_signal(signal.SIGQUIT)
        self.assertEqual(self.router.process.wait(10), 0)
        self.assertNotIn("Sanitizer", self.router.log_text())


class Metrics(AdminTest):
    def numbers(self):
        found = {}
        for line in self.http("/metrics")[1].splitlines():
            if not line.startswith("#"):
                name, number = line.rsplit(" ", 1)
                found[name] = float(number)
        return found

    def test_ready_and_healthy_and_nothing_else(self):
        self.assertEqual(self.http("/healthz"), (200, "ok\n"))
        self.assertEqual(self.http("/readyz"), (200, "ready\n"))
        self.assertEqual(self.http("/nix")[0], 404)
        wire = pg.Wire(pg.Address("127.0.0.1", self.http_port))
        self.addCleanup(wire.end)
        wire.write(b"DELETE /metrics HTTP/1.1\r\nHost: a\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
                   b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\nHEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n")
        answers = b""
        while part := wire.read_some():
            answers += part
        codes = re.findall(rb"HTTP/1.1 (\d+) ", answers)
        self.assertEqual([c.decode() for c in codes], ["405", "200", "200", "200", "400"], answers[:300])

    def test_slow_and_many_connections_do_not_keep_others_out(self):
        wires = [pg.Wire(pg.Address("127.0.0.1", self.http_port)) for _ in range(40)]
        for wire in wires:
            self.addCleanup(wire.end)
            wire.write(b"GET /metr")
        self.assertEqual(self.http("/readyz")[0], 200)

    def test_counters_follow_what_is_done(self):
        client = self.connect()
        client.sql("SELECT 1")
        labels = f'{{database="shop",user="{self.backend.user}"}}'
        before = self.numbers()
        for _ in range(20):
            client.sql("SELECT pg_sleep(0.003)")
        after = self.numbers()
        for name in ("reparto_pool_queries_total", "reparto_pool_transactions_total", "reparto_pool_query_seconds_count"):
            self.assertEqual(after[name + labels] - before[name + labels], 20, name)
        buckets = [n for name, n in after.items() if name.startswith("reparto_pool_query_seconds_bucket" + labels[:-1])]
        self.assertEqual(buckets, sorted(buckets))
        self.assertEqual(buckets[-1], after["reparto_pool_query_seconds_count" + labels])
        self.assertGreater(after["reparto_pool_query_seconds_sum" + labels] - before["reparto_pool_query_seconds_sum" + labels], 0.06)
        self.assertEqual(after["reparto_clients"], 1)
        self.assertEqual(len([n for n in after if n.startswith("reparto_worker_cpu_seconds_total")]), 2)

    def test_promtool_finds_nothing(self):
        if not shutil.which("promtool"):
            self.skipTest("promtool is not installed: apt-get install prometheus")
        self.connect().sql("SELECT 1")
        done = subprocess.run(["promtool", "check", "metrics"], input=self.http("/metrics")[1], text=True,
                              capture_output=True, timeout=30)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_openmetrics_is_read_by_prometheus_own_parser(self):
        check = "import sys; from prometheus_client.openmetrics.parser import text_string_to_metric_families as read; " \
                "print(len(list(read(sys.stdin.read()))))"
        if subprocess.run([PYTHON, "-c", "import prometheus_client"], capture_output=True).returncode:
            self.skipTest("apt-get install python3-prometheus-client")
        self.connect().sql("SELECT 1")
        text = self.http("/metrics", "application/openmetrics-text; version=1.0.0")[1]
        done = subprocess.run([PYTHON, "-c", check], input=text, text=True, capture_output=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr[-800:])
        self.assertGreater(int(done.stdout), 30)

    def test_debians_exporter_for_pgbouncer_works(self):
        if not pathlib.Path(EXPORTER).exists():
            self.skipTest("apt-get install prometheus-pgbouncer-exporter (and leave its service off)")
        self.connect().sql("SELECT 1")
        port = free_port()
        host, router_port = self.router.address
        log = tempfile.TemporaryFile("w+")
        self.addCleanup(log.close)
        exporter = subprocess.Popen([EXPORTER, "--host", "127.0.0.1", "--port", str(port), "--pgbouncer-host", host,
                                     "--pgbouncer-port", str(router_port), "--pgbouncer-user", self.backend.plain_user],
                                    env=dict(os.environ, PGPASSWORD=self.backend.password), stdout=log, stderr=log)
        self.addCleanup(lambda: (exporter.kill(), exporter.wait()))
        found = {}
        def answers():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                    found["text"] = answer.read().decode()
                return True
            except OSError:
                return False
        try:
            wait_until(answers, "the exporter answers", 20)
        except AssertionError:
            log.seek(0)
            raise AssertionError(log.read()[-2000:])
        for line in ('pgbouncer_requests_total{database="shop"} 1.0',
                     f'pgbouncer_active_clients{{database="shop",user="{self.backend.user}"}} 1.0',
                     'pgbouncer_pool_size{database="shop"} 2.0', "pgbouncer_pools 1.0"):
            self.assertIn(line, found["text"].splitlines())


if __name__ == "__main__":
    unittest.main(verbosity=2)
