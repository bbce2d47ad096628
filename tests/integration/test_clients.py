"""Each driver that Debian or npm packages runs a small real program through the router in transaction mode, with TLS
and SCRAM, while others use the same two server connections, so that it hardly ever gets the same one twice.

    test_clients.py             those whose driver is installed; the others are skipped, with what to install
    test_clients.py --all       one that is not installed is a failure
"""
import os, pathlib, shutil, subprocess, sys, tempfile, threading, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import pg_protocol as pg
from lab import ROOT
from router import RouterTest

CLIENTS = pathlib.Path(__file__).parent / "clients"
PYTHON = "/usr/bin/python3"  # Debian's: its drivers are of no other
GO = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "", "CGO_ENABLED": "0"}
NODE = {"NODE_PATH": f"{ROOT}/build/clients/node_modules:/usr/share/nodejs"}
JAR = "/usr/share/java/postgresql.jar"

# name: (what shows that it is there, what to install, how it is built, how it runs, with which environment)
DRIVERS = {
    "libpq": (["pg_config", "--version"], "libpq-dev",
              ["cc", "-Wall", "-I/usr/include/postgresql", "-o", "PROGRAM", "libpq_client.c", "-lpq"], ["PROGRAM"], {}),
    "psycopg2": ([PYTHON, "-c", "import psycopg2"], "python3-psycopg2", [], [PYTHON, "psycopg2_client.py"], {}),
    "psycopg3": ([PYTHON, "-c", "import psycopg"], "python3-psycopg", [], [PYTHON, "psycopg3_client.py"], {}),
    "asyncpg": ([PYTHON, "-c", "import asyncpg"], "python3-asyncpg", [], [PYTHON, "asyncpg_client.py"], {}),
    "node-postgres": (["node", "-e", "require('pg')"], "node-pg, or: npm install --prefix build/clients pg",
                      [], ["node", "node_client.js"], NODE),
    "pgjdbc": (["sh", "-c", f"test -f {JAR} && javac --version"], "default-jdk-headless libpostgresql-jdbc-java",
               [], ["java", "-Xmx256m", "-cp", JAR, "JdbcClient.java"], {}),
    "lib/pq": (["sh", "-c", "test -d /usr/share/gocode/src/github.com/lib/pq && go version"],
               "golang-go golang-github-lib-pq-dev", ["go", "build", "-o", "PROGRAM", "lib_pq_client.go"], ["PROGRAM"], GO),
    "pgx": (["sh", "-c", "test -d /usr/share/gocode/src/github.com/jackc/pgx/v4 && go version"],
            "golang-go golang-github-jackc-pgx-v4-dev", ["go", "build", "-o", "PROGRAM", "pgx_client.go"], ["PROGRAM"], GO),
    "ruby-pg": (["ruby", "-e", "require 'pg'"], "ruby-pg", [], ["ruby", "ruby_client.rb"], {}),
    "DBD::Pg": (["perl", "-MDBD::Pg", "-e", "1"], "libdbd-pg-perl", [], ["perl", "perl_client.pl"], {}),
}


class Noise(threading.Thread):
    """Another client: settings, prepared statements of the same names, short transactions that hold a server."""

    STEPS = [pg.query("SET TimeZone = 'America/Lima'"), pg.query("BEGIN; SELECT pg_sleep(0.003)"), pg.query("COMMIT"),
             pg.parse("add", "SELECT 'noise', $1::text") + pg.sync(), pg.query("SET search_path = pg_catalog"),
             pg.query("DEALLOCATE ALL"), pg.query("SET statement_timeout = '9s'; SET DateStyle = German"), pg.query("RESET ALL"),
             pg.query("SET client_encoding = LATIN1; SET bytea_output = escape"), pg.query("SELECT 1/0")]

    def __init__(self, router, number):
        super().__init__()
        self.connection, self.number, self.is_over = router.connect(tls=router.tls), number, threading.Event()
        self.failure = None

    def run(self):
        at = self.number
        try:
            while not self.is_over.is_set():
                self.connection.write(self.STEPS[at % len(self.STEPS)])
                while self.connection.read_message().kind != "Z":
                    pass
                at += 1
        except (pg.Closed, OSError) as error:
            self.failure = error
        self.connection.end()

    def stop(self):
        self.is_over.set()
        self.join(20)
        assert not self.is_alive() and not self.failure, f"the other client: {self.failure!r}"


class ClientsTest(RouterTest):
    settings = {"pool_mode": "transaction", "default_pool_size": 2, "client_tls_sslmode": "require"}
    must_be_there = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="reparto-clients-", dir="/tmp"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, True)
        cls.environment = {
            **{n: v for n, v in os.environ.items() if not n.startswith("PG")}, "PGHOST": "localhost",
            "PGPORT": str(cls.router.address.port), "PGUSER": cls.backend.user, "PGPASSWORD": cls.backend.password,
            "PGDATABASE": "shop", "PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(cls.backend.directory / "cert.pem"),
            "HOME": str(cls.directory), "GOCACHE": str(cls.directory / "go"), "LC_ALL": "C.UTF-8"}

    def call(self, words, environment, timeout):
        return subprocess.run(words, cwd=CLIENTS, env={**self.environment, **environment}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout)

    def is_there(self, words, environment):
        try:
            return self.call(words, environment, 60).returncode == 0
        except FileNotFoundError:
            return False

    def run_driver(self, name):
        there, package, build, run, environment = DRIVERS[name]
        if not self.is_there(there, environment):
            (self.fail if self.must_be_there else self.skipTest)(f"not installed: {package}")
        binary = str(self.directory / name.replace("/", "_"))
        build, run = ([binary if word == "PROGRAM" else word for word in words] for words in (build, run))
        if build:
            result = self.call(build, environment, 300)
            self.assertEqual(result.returncode, 0, result.stderr)
        others = [Noise(self.router, number) for number in range(3)]
        for other in others:
            other.start()
        try:
            result = self.call(run, environment, 120)
        finally:
            for other in others:
                other.stop()
        self.assertEqual((result.returncode, result.stdout.splitlines()[-1:]), (0, ["done"]),
                         f"{result.stdout}{result.stderr}")
        print(f"{name}: {', '.join(result.stdout.splitlines()[:-1])}", file=sys.stderr, flush=True)


for driver in DRIVERS:
    def test(self, driver=driver):
        self.run_driver(driver)
    setattr(ClientsTest, "test_" + driver.lower().replace("-", "_").replace("/", "_").replace("::", "_"), test)

if __name__ == "__main__":
    if "--all" in sys.argv:
        sys.argv.remove("--all")
        ClientsTest.must_be_there = True
    unittest.main()
