"""The operation of `reparto serve`: who may come in by auth_query."""
import contextlib, os, pathlib, sys, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lab import wait_until
from pg_protocol import Closed, Connection, Refused
from router import Backend, Reparto

SECRETS = ("first secret of dora", "second secret of dora", "md5 secret of milo", "plain secret of petra")
FUNCTION = """
CREATE TABLE known (name text, secret text);
CREATE FUNCTION find_login(wanted text) RETURNS TABLE (name text, secret text) LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog AS $$
    SELECT rolname::text, rolpassword FROM pg_authid WHERE rolname = wanted AND rolcanlogin
    UNION ALL SELECT k.name, k.secret FROM public.known k WHERE k.name = wanted $$;
REVOKE ALL ON FUNCTION find_login FROM public;
GRANT EXECUTE ON FUNCTION find_login TO finder;
"""


def login_works(address, user, password):
    try:
        Connection(address, user, "shop", password).finish()
        return True
    except (Refused, Closed, OSError):
        return False


class AuthBackend(Backend):
    """`finder` logs in without a password, so that no secret at all is in the router's files."""

    def __enter__(self):
        super().__enter__()
        self.psql("CREATE ROLE finder LOGIN")
        self.psql(FUNCTION)
        rules = pathlib.Path(self.lab.value("p", "SHOW hba_file"))
        rules.write_text("host all finder 127.0.0.1/32 trust\nhost all milo 127.0.0.1/32 md5\n" + rules.read_text())
        self.psql("SELECT pg_reload_conf()")
        wait_until(lambda: login_works(self.address, "finder", ""), "finder logs in")
        return self

    def psql(self, sql):
        return self.lab.psql("p", sql)


class Router(Reparto):
    """With the databases that a test wants, and no auth_file."""

    def __init__(self, backend, databases=None, **settings):
        self.databases = databases or {"shop": {}}
        super().__init__(backend, settings)

    def write_settings(self):
        import json
        server = {"host": self.backend.address.host, "port": self.backend.address.port}
        self.settings.pop("auth_file")
        (self.directory / "userlist.txt").unlink()
        text = {**self.settings, "databases": {name: {**server, **more} for name, more in self.databases.items()}}
        (self.directory / "reparto.yaml").write_text(json.dumps(text, indent=1))

    def login(self, user, password, database="shop"):
        """A connection that has run a query; Refused else."""
        connection = Connection(self.address, user, database, password)
        self.last = connection.sql("SELECT current_user")[0][0]
        return connection


@contextlib.contextmanager
def router(backend, databases=None, **settings):
    under_test = Router(backend, databases, **settings)
    under_test.start()
    try:
        yield under_test
    finally:
        under_test.stop()


class AuthQueryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.backend = cls.enterClassContext(AuthBackend())

    def router(self, databases=None, **settings):
        more = {"auth_user": "finder", "auth_query": "SELECT name, secret FROM find_login($1)", **settings}
        return self.enterContext(router(self.backend, databases, **more))

    def role(self, name, password):
        self.backend.psql(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        self.addCleanup(self.backend.psql, f"DROP ROLE IF EXISTS {name}")

    def refused(self, under_test, user, password, database="shop"):
        with self.assertRaises(Refused) as caught:
            under_test.login(user, password, database)
        return caught.exception.fields["C"]

    def test_scram_users_that_only_postgresql_knows_log_in_through_the_pool(self):
        self.role("dora", SECRETS[0])
        under_test = self.router(workers=2)
        for _ in range(4):  # whichever worker: each learns the key from its own clients
            under_test.login("dora", SECRETS[0]).finish()
            self.assertEqual(under_test.last, "dora")
        self.assertEqual(self.refused(under_test, "dora", "wrong"), "28P01")
        self.assertEqual(self.refused(under_test, "nobody", "wrong"), "28P01")
        self.assertEqual(self.refused(under_test, "do'ra; DROP TABLE known; --", "x"), "28P01")
        self.assertEqual(self.refused(under_test, "x" * 2000, "x"), "28P01")
        under_test.login("dora", SECRETS[0]).finish()
        for secret in SECRETS:
            self.assertNotIn(secret, under_test.log_text())
        self.assertNotIn("SCRAM-SHA-256$", under_test.log_text())

    def test_a_changed_password_works_at_the_next_try(self):
        self.role("dora", SECRETS[0])
        under_test = self.router(auth_query_ttl="1h", server_lifetime=0)
        under_test.login("dora", SECRETS[0]).finish()
        self.backend.psql(f"ALTER ROLE dora PASSWORD '{SECRETS[1]}'")
        self.assertEqual(self.refused(under_test, "dora", SECRETS[1]), "28P01")  # held against the old one
        under_test.login("dora", SECRETS[1]).finish()
        self.assertEqual(self.refused(under_test, "dora", SECRETS[0]), "28P01")

    def test_without_ttl_a_changed_password_works_at_once_and_a_dropped_user_is_out_at_once(self):
        self.role("dora", SECRETS[0])
        under_test = self.router(auth_query_ttl=0, server_lifetime=0)
        under_test.login("dora", SECRETS[0]).finish()
        self.backend.psql(f"ALTER ROLE dora PASSWORD '{SECRETS[1]}'")
        under_test.login("dora", SECRETS[1]).finish()
        self.backend.psql("DROP ROLE dora")
        self.assertEqual(self.refused(under_test, "dora", SECRETS[1]), "28P01")

    def test_the_ttl_ends_what_is_kept(self):
        self.role("dora", SECRETS[0])
        under_test = self.router(auth_query_ttl="300ms")
        under_test.login("dora", SECRETS[0]).finish()
        self.backend.psql("ALTER ROLE dora NOLOGIN")
        time.sleep(0.4)  # the ttl itself
        self.assertEqual(self.refused(under_test, "dora", SECRETS[0]), "28P01")

    def test_md5_and_plain_secrets_serve_too(self):
        self.backend.psql(f"SET password_encryption = md5; CREATE ROLE milo LOGIN PASSWORD '{SECRETS[2]}'")
        self.addCleanup(self.backend.psql, "DROP ROLE milo")
        self.role("petra", SECRETS[3])
        self.backend.psql(f"INSERT INTO known VALUES ('petra', '{SECRETS[3]}')")
        under_test = self.router(auth_type="md5", auth_query="SELECT k.* FROM find_login($1) k "
                                                             "ORDER BY k.secret LIKE 'SCRAM%' LIMIT 1")
        for name, secret in (("milo", SECRETS[2]), ("petra", SECRETS[3])):
            under_test.login(name, secret).finish()
            self.assertEqual(under_test.last, name)
            self.assertEqual(self.refused(under_test, name, "wrong"), "28P01")

    def test_the_default_query_and_one_database_for_all(self):
        self.role("dora", SECRETS[0])
        self.backend.psql("ALTER ROLE finder SUPERUSER")
        self.addCleanup(self.backend.psql, "ALTER ROLE finder NOSUPERUSER")
        under_test = self.enterContext(router(self.backend, {"*": {}, "shop": {}}, auth_user="finder", auth_dbname="shop"))
        under_test.login("dora", SECRETS[0], "postgres").finish()
        self.backend.psql("ALTER ROLE dora VALID UNTIL '2001-01-01'")
        self.assertEqual(self.refused(under_test, "dora", "wrong", "postgres"), "28P01")  # and what was kept is out of date
        self.assertEqual(self.refused(under_test, "dora", SECRETS[0], "postgres"), "28P01")

    def test_a_database_has_its_own(self):
        self.role("dora", SECRETS[0])
        self.backend.psql("INSERT INTO known VALUES ('guest', 'a secret that opens nothing')")
        under_test = self.router({"shop": {}, "other": {"dbname": "shop", "auth_query":
                                                       "SELECT $1::text, NULL::text"}})
        under_test.login("dora", SECRETS[0]).finish()
        self.assertEqual(self.refused(under_test, "dora", SECRETS[0], "other"), "28P01")  # NULL: no password

    def test_an_answer_of_another_shape_is_an_error_of_ours(self):
        self.role("dora", SECRETS[0])
        for query, why in (("SELECT $1::text", "2 columns"), ("SELECT $1::text, 'a' FROM generate_series(1, 3)", "row"),
                           ("SELECT 'postgres'::text, $1::text", "another user"),
                           ("SELECT nonsense FROM find_login($1)", "nonsense"),
                           ("SELECT $1::text, repeat('x', 2000)", "1023"),
                           ("SELECT $1::text, repeat('x', 2000000)", "too much"),
                           ("SELECT $1::text, 'SCRAM-SHA-256$what'", "SCRAM")):
            with self.subTest(query):
                with router(self.backend, auth_user="finder", auth_query=query) as under_test:
                    code = self.refused(under_test, "dora", SECRETS[0])
                    self.assertIn(code, ("58000", "08006"))
                    line = next(l for l in under_test.log_text().splitlines() if "auth_query_failed" in l)
                    self.assertIn(why, line)
                    self.assertEqual(self.refused(under_test, "dora", SECRETS[0]), code)

    def test_what_a_client_has_set_does_not_change_the_query(self):
        """The pool of auth_user may serve clients too: one hides the function behind its search_path."""
        self.role("dora", SECRETS[0])
        self.backend.psql(f"ALTER ROLE finder PASSWORD '{SECRETS[2]}'; CREATE SCHEMA trap AUTHORIZATION finder; "
                          "CREATE FUNCTION trap.find_login(text) RETURNS TABLE (name text, secret text) "
                          "LANGUAGE sql AS $$ SELECT $1, 'known to all' $$")
        self.addCleanup(self.backend.psql, "DROP SCHEMA trap CASCADE")
        under_test = self.router(default_pool_size=1, auth_query_ttl=0)
        first = under_test.login("finder", SECRETS[2])
        first.sql("SET search_path = trap, public")
        self.assertEqual(self.refused(under_test, "dora", "known to all"), "28P01")
        under_test.login("dora", SECRETS[0]).finish()
        self.assertEqual(first.sql("SHOW search_path"), [("trap, public",)])
        first.finish()

    def test_clients_that_leave_while_they_are_looked_up_cost_no_connection(self):
        self.role("dora", SECRETS[0])
        under_test = self.router(default_pool_size=1, auth_query_ttl=0,
                                 auth_query="SELECT name, secret FROM find_login($1), pg_sleep(0.05)")
        under_test.login("dora", SECRETS[0]).finish()
        pids = set(self.backend.psql("SELECT pid FROM pg_stat_activity WHERE usename = 'finder'"))
        for _ in range(20):
            with self.assertRaises((Closed, OSError)):
                Connection(under_test.address, "dora", "shop", SECRETS[0], timeout=0.01)
        under_test.login("dora", SECRETS[0]).finish()
        self.assertEqual(set(self.backend.psql("SELECT pid FROM pg_stat_activity WHERE usename = 'finder'")), pids)


class AuthServerDownTest(unittest.TestCase):
    def test_a_server_that_is_down_is_an_error_and_heals(self):
        with AuthBackend() as backend:
            backend.psql(f"CREATE ROLE dora LOGIN PASSWORD '{SECRETS[0]}'")
            with router(backend, auth_user="finder", auth_query="SELECT name, secret FROM find_login($1)",
                        auth_query_ttl=0, query_wait_timeout="500ms", server_login_retry="100ms") as under_test:
                under_test.login("dora", SECRETS[0]).finish()
                backend.lab.run("kill", "p")
                with self.assertRaises(Refused) as caught:
                    under_test.login("dora", SECRETS[0])
                self.assertEqual(caught.exception.fields["C"][:2], "08")
                self.assertNotIn("127.0.0.1", caught.exception.fields["M"])
                self.assertIn("auth_query_failed", under_test.log_text())
                backend.lab.run("start", "p")
                wait_until(lambda: login_works(under_test.address, "dora", SECRETS[0]), "logins work again")


if __name__ == "__main__":
    unittest.main()
