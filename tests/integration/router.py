"""How to reach the thing under test: PostgreSQL in a lab of its own, and in front of it Reparto's router, Debian's
PgBouncer, or nothing.

    with Backend() as backend, target("reparto", backend, pool_mode="transaction", default_pool_size=1) as router:
        Connection(router.address, backend.user, "shop", backend.password)

$REPARTO_TARGET names the kind when a test does not: `reparto` (the default), `direct`, `pgbouncer`. The last two are
how the tests themselves are tested: on `direct` every one must pass, on `pgbouncer` those fail that it can't do.
"""
import contextlib, json, os, pathlib, pwd, shutil, signal, socket, ssl, subprocess, sys, tempfile, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lab import Lab, program, wait_until
from pg_protocol import Address, Connection

KINDS = ("reparto", "direct", "pgbouncer")


def chosen():
    kind = os.environ.get("REPARTO_TARGET", "reparto")
    assert kind in KINDS, f"REPARTO_TARGET={kind}: one of {', '.join(KINDS)}"
    return kind


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_certificate(directory):
    """A self-signed one for localhost: key.pem and cert.pem, the latter also the CA."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-sha256", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", directory / "key.pem",
                    "-out", directory / "cert.pem"], check=True, capture_output=True, timeout=30)


class Backend:
    """One primary with TLS on. `user` is a superuser, `plain_user` is not; both have `password`."""

    user, plain_user, password = "tester", "clerk", "a pass=word's \"quote\""

    def __init__(self, settings=()):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="reparto-router-", dir="/tmp"))
        self.directory.chmod(0o755)
        # Nothing here needs to survive the machine.
        words = [w for s in ("log_min_duration_statement=-1", "fsync=off", *settings) for w in ("--settings", s)]
        self.lab = Lab(replicas=0, options=words)

    def __enter__(self):
        try:
            make_certificate(self.directory)
            self.lab.__enter__()
            node = self.lab.state()["shards"][0]["nodes"][0]
            self.address = Address(node["host"], node["port"])
            self.turn_tls_on(pathlib.Path(node["data"]))
            self.create_users()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        self.tls = ssl.create_default_context(cafile=str(self.directory / "cert.pem"))
        return self

    def __exit__(self, *why):
        shutil.rmtree(self.directory, ignore_errors=True)
        if hasattr(self.lab, "started"):
            self.lab.__exit__(*why)

    def turn_tls_on(self, data):
        owner = data.stat()
        for name, file in (("key.pem", "server.key"), ("cert.pem", "server.crt")):
            shutil.copyfile(self.directory / name, data / file)
            (data / file).chmod(0o600)
            os.chown(data / file, owner.st_uid, owner.st_gid)
        self.lab.psql("p", "ALTER SYSTEM SET ssl = on")
        self.lab.psql("p", "SELECT pg_reload_conf()")
        wait_until(lambda: self.lab.value("p", "SHOW ssl") == "on", "TLS is on")

    def create_users(self):
        quoted = self.password.replace("'", "''")
        for name, kind in ((self.user, "SUPERUSER"), (self.plain_user, "NOSUPERUSER")):
            self.lab.psql("p", f"CREATE ROLE {name} LOGIN {kind} PASSWORD '{quoted}'")
        self.lab.psql("p", f"GRANT ALL ON SCHEMA public TO {self.plain_user}")

    def verifiers(self):
        return self.lab.psql("p", "SELECT rolname, rolpassword FROM pg_authid "
                                  f"WHERE rolname IN ('{self.user}', '{self.plain_user}')")

    def connect(self, database="shop", user=None, **more):
        """Past whatever is under test."""
        return Connection(self.address, user or self.user, database, self.password, **more)


class Target:
    """Nothing in between: direct. `log` is a file, or None."""

    kind, log = "direct", None

    def __init__(self, backend, settings):
        self.backend, self.address, self.tls = backend, backend.address, backend.tls

    def start(self):
        pass

    def stop(self):
        pass

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log and self.log.exists() else ""

    def connect(self, database="shop", user=None, **more):
        return Connection(self.address, user or self.backend.user, database, self.backend.password, **more)


class Process(Target):
    """A router as a process of its own, never as root."""

    def __init__(self, backend, settings):
        super().__init__(backend, settings)
        self.address = Address("127.0.0.1", free_port())
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"reparto-{self.kind}-", dir="/tmp"))
        self.log = self.directory / "log"
        for name in ("key.pem", "cert.pem"):
            shutil.copyfile(backend.directory / name, self.directory / name)
            (self.directory / name).chmod(0o600)
        users = "".join(f'"{name}" "{secret}"\n' for name, secret in backend.verifiers())
        (self.directory / "userlist.txt").write_text(users)
        (self.directory / "userlist.txt").chmod(0o600)
        self.settings = {"listen_addr": self.address.host, "listen_port": self.address.port, "unix_socket_dir":
                         str(self.directory), "auth_type": "scram-sha-256", "auth_file": str(self.directory / "userlist.txt"),
                         "client_tls_sslmode": "allow", "client_tls_key_file": str(self.directory / "key.pem"),
                         "client_tls_cert_file": str(self.directory / "cert.pem"), **settings}
        self.write_settings()

    def start(self):
        words = []
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            words = ["setpriv", "--reuid", str(nobody.pw_uid), "--regid", str(nobody.pw_gid), "--clear-groups"]
            for path in (self.directory, *self.directory.iterdir()):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*words, *self.command()], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=self.directory,
                                            env=dict(os.environ, UBSAN_OPTIONS="print_stacktrace=1"))
        try:
            wait_until(self.is_listening, f"{self.kind} listens", 20)
        except BaseException:
            self.show_log()
            self.kill()
            raise

    def is_listening(self):
        assert self.process.poll() is None, f"{self.kind} ended with {self.process.returncode}: {self.log_text()}"
        with socket.socket() as probe:
            return probe.connect_ex(tuple(self.address)) == 0

    def stop(self):
        """Ends it at once; an AssertionError when it ended before, badly, or a sanitizer found something."""
        try:
            assert self.process.poll() is None, f"{self.kind} had ended with {self.process.returncode}"
            self.process.send_signal(self.stop_signal)
            code = self.process.wait(20)
            assert code == self.exit_code, f"{self.kind} ended with {code}"
            found = [l for l in self.log_text().splitlines() if "Sanitizer" in l or "runtime error" in l]
            assert not found, found
        except BaseException:
            self.show_log()
            raise
        finally:
            self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def show_log(self, lines=60):
        print(f"== the end of the log of {self.kind}:", *self.log_text().splitlines()[-lines:], sep="\n",
              file=sys.stderr, flush=True)


class Reparto(Process):
    kind, stop_signal, exit_code = "reparto", signal.SIGQUIT, 0

    def write_settings(self):
        databases = {"*": {"host": self.backend.address.host, "port": self.backend.address.port}}
        # JSON is YAML.
        (self.directory / "reparto.yaml").write_text(json.dumps({**self.settings, "databases": databases}, indent=1))

    def command(self):
        return [program("reparto"), "serve", "--config", str(self.directory / "reparto.yaml")]


class PgBouncer(Process):
    kind, stop_signal, exit_code = "pgbouncer", signal.SIGTERM, 1

    def write_settings(self):
        # What it refuses in a startup packet, and a client of Reparto may send.
        self.settings.setdefault("ignore_startup_parameters", "extra_float_digits,options,search_path,IntervalStyle")
        lines = ["[databases]", f"* = host={self.backend.address.host} port={self.backend.address.port}",
                 "[pgbouncer]", *(f"{name} = {value}" for name, value in self.settings.items())]
        (self.directory / "pgbouncer.ini").write_text("\n".join(lines) + "\n")

    def command(self):
        return ["/usr/sbin/pgbouncer", str(self.directory / "pgbouncer.ini")]


@contextlib.contextmanager
def target(kind, backend, **settings):
    """Starts it with these settings of Reparto's YAML (PgBouncer has them under the same names), and stops it."""
    under_test = {"reparto": Reparto, "direct": Target, "pgbouncer": PgBouncer}[kind](backend, settings)
    under_test.start()
    try:
        yield under_test
    finally:
        under_test.stop()


class RouterTest(unittest.TestCase):
    """Tests that share one backend and one target: `settings` for the target; `backend` and `router` to be used.
    A test that fails shows what the router logged meanwhile."""

    settings, backend_settings = {}, ()

    @classmethod
    def setUpClass(cls):
        cls.backend = cls.enterClassContext(Backend(cls.backend_settings))
        cls.router = cls.enterClassContext(target(chosen(), cls.backend, **cls.settings))

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        seen = len(self.router.log_text())
        super().run(result)
        if len(result.failures) + len(result.errors) > before and self.router.log:
            print(f"== {self.id()}: what {self.router.kind} logged:", self.router.log_text()[seen:][-6000:],
                  sep="\n", file=sys.stderr, flush=True)
        return result
