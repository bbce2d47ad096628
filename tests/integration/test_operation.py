"""The router as a service: systemd, logs, files, refusals to start, TLS that is renewed."""
import ctypes, json, os, pathlib, re, shutil, signal, socket, ssl, subprocess, sys, tempfile, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lab import ROOT, program, wait_until
from pg_protocol import Connection, Refused
from router import Backend, free_port, make_certificate
from test_restart import Restarted


class Service(Restarted):
    """`environment` and `stderr` (a descriptor; else the log) as a service manager would set them."""

    def __init__(self, backend, environment=None, words=(), stderr=None, **settings):
        super().__init__(backend, **{"pid_file": "", "log_connections": True, "log_disconnections": True, **settings})
        self.environment, self.words, self.stderr = environment or {}, list(words), stderr

    def start(self):
        """As whoever runs the test: systemd's own user is tested by the unit file."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.words, *self.command()], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=self.stderr or log, cwd=self.directory,
                                            env={**os.environ, **self.environment}, close_fds=False)
        wait_until(self.is_listening, "it listens")

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
        code = self.process.wait(20)
        self.kill()
        return code

    def change(self, **settings):
        path = self.directory / "reparto.yaml"
        path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
        self.process.send_signal(signal.SIGHUP)


class Manager:
    """systemd's end of the notify socket."""

    def __init__(self, directory):
        self.path = str(directory / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(0.05)
        self.messages = []

    def heard(self):
        try:
            while True:
                self.messages.append(self.socket.recv(4096).decode())
        except TimeoutError:
            return self.messages

    def wait(self, text):
        wait_until(lambda: any(text in m for m in self.heard()), f"systemd hears {text}", 10)

    def pings(self, seconds):
        self.heard()
        before = len(self.messages)
        time.sleep(seconds)
        return sum("WATCHDOG=1" in m for m in self.heard()[before:])


class OperationTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.backend = cls.enterClassContext(Backend())

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="reparto-operation-"))
        self.addCleanup(shutil.rmtree, self.directory, True)

    def service(self, **more):
        under_test = Service(self.backend, **more)
        under_test.start()
        self.addCleanup(under_test.kill)
        return under_test

    def ask(self, under_test, **more):
        client = under_test.connect(**more)
        self.assertEqual(client.sql("SELECT 1"), [("1",)])
        client.finish()


class SystemdTest(OperationTest):
    def test_it_tells_what_it_does(self):
        manager = Manager(self.directory)
        under_test = self.service(environment={"NOTIFY_SOCKET": manager.path}, stats_period="1s")
        manager.wait("READY=1")
        manager.wait("STATUS=stats: ")
        under_test.process.send_signal(signal.SIGHUP)
        manager.wait("RELOADING=1")
        client = under_test.connect()
        second = under_test.restart()
        manager.wait(f"MAINPID={second}")
        manager.messages.clear()
        under_test.process.send_signal(signal.SIGHUP)
        under_test.process.send_signal(signal.SIGTERM)
        self.assertEqual(under_test.process.wait(10), 0)
        self.assertFalse([m for m in manager.heard() if "STOPPING" in m or "RELOADING" in m])  # it's not the service's
        client.end()
        os.kill(second, signal.SIGTERM)
        manager.wait("STOPPING=1")
        wait_until(lambda: not under_test.alive(), "it ends")

    def test_the_watchdog_hears_of_it_only_while_every_worker_turns(self):
        manager = Manager(self.directory)
        under_test = self.service(environment={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "600000"}, workers=2)
        manager.wait("WATCHDOG=1")
        self.assertGreater(manager.pings(1.5), 2)
        threads = [int(t) for t in os.listdir(f"/proc/{under_test.process.pid}/task")]
        worker = sorted(threads)[-1]
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.ptrace(0x4206, worker, None, None) != 0:  # SEIZE
            self.skipTest("threads can't be stopped here")
        libc.ptrace(0x4207, worker, None, None)  # INTERRUPT
        time.sleep(0.7)  # what was seen alive last grows old
        self.assertEqual(manager.pings(1.5), 0)
        self.assertIn("worker_stuck", under_test.log_text())
        os.waitpid(worker, 0x40000000)
        libc.ptrace(17, worker, None, None)  # DETACH
        manager.wait("WATCHDOG=1")
        self.assertGreater(manager.pings(1.5), 2)
        self.assertEqual(under_test.end(), 0)

    def test_sockets_that_systemd_opened_are_used_and_handed_on(self):
        port = free_port()
        listening = socket.create_server(("127.0.0.1", port))
        shell = ["sh", "-c", 'exec 3<&"$0"; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', str(listening.fileno())]
        listening.set_inheritable(True)
        under_test = Service(self.backend, words=shell, listen_addr="203.0.113.1")
        under_test.address = under_test.address._replace(port=port)
        under_test.start()
        self.addCleanup(under_test.kill)
        listening.close()
        self.ask(under_test)
        wait_until(under_test.pids, "it said that it started")
        under_test.restart()
        self.ask(under_test)
        for pid in under_test.alive():
            os.kill(pid, signal.SIGQUIT)
        wait_until(lambda: under_test.process.poll() is not None and not under_test.alive(), "all end")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_the_units_are_right(self):
        text = (ROOT / "packaging" / "reparto.service").read_text()
        (self.directory / "reparto.service").write_text(re.sub("/usr/bin/reparto", program("reparto"), text))
        shutil.copy(ROOT / "packaging" / "reparto.socket", self.directory)
        result = subprocess.run(["systemd-analyze", "verify", "--man=no", self.directory / "reparto.service",
                                 self.directory / "reparto.socket"], capture_output=True, text=True, timeout=60)
        ours = [line for line in (result.stdout + result.stderr).splitlines() if "reparto" in line]
        self.assertEqual(ours, [])
        self.assertEqual(result.returncode, 0, result.stderr)


class LogTest(OperationTest):
    def test_pgbadger_reads_both_logs_in_one_run(self):
        under_test = self.service(log_format="pgbouncer", stats_period="1s", log_file="pgbouncer.log")
        log = under_test.directory / "pgbouncer.log"
        for _ in range(5):
            self.ask(under_test)
        with self.assertRaises(Refused):
            Connection(under_test.address, self.backend.user, "no_such_database")
        wait_until(lambda: re.search(r"LOG stats: [0-9]+ xacts/s, .* wait \d+ us$", log.read_text(), re.M), "totals")
        under_test.process.send_signal(signal.SIGQUIT)
        under_test.process.wait(10)
        for line in log.read_text().splitlines():
            self.assertRegex(line, r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC \[\d+\] (LOG|WARNING|ERROR) ")
        if not shutil.which("pgbadger"):
            self.skipTest("pgbadger is not installed")
        node = self.backend.lab.state()["shards"][0]["nodes"][0]
        direct = self.backend.connect()
        direct.sql("SET log_min_duration_statement = 0")
        direct.sql("SELECT 4711")
        direct.finish()
        server_logs = [p for p in pathlib.Path(node["log"]).glob("postgresql-*.log")
                       if "duration:" in p.read_text(errors="replace")]
        self.assertTrue(server_logs)
        report = self.directory / "report.json"
        result = subprocess.run(["pgbadger", "-q", "-x", "json", "-p",
                                 "%t [%p]: user=%u,db=%d,app=%a,client=%h ", "-o", report, *server_logs, log],
                                capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, "")
        found = json.loads(report.read_text())
        text = json.dumps(found)
        self.assertIn("no_such_database", text)
        self.assertEqual(found["pgb_connection_info"]["database_user"], {"shop": {self.backend.user: 5}})
        self.assertGreaterEqual(found["pgb_overall_stat"]["histogram"]["session_total"], 5)
        self.assertGreaterEqual(found["pgb_overall_stat"]["queries_number"], 1)  # lines of totals
        self.assertIn("SELECT ?", text.upper())

    def test_json_stays_json(self):
        under_test = self.service(log_format="json", stats_period="1s")
        self.ask(under_test)
        wait_until(lambda: '"event":"stats"' in under_test.log_text(), "totals")
        under_test.process.send_signal(signal.SIGQUIT)
        under_test.process.wait(10)
        for line in under_test.log_text().splitlines():
            self.assertIn("event", json.loads(line))

    def test_a_rotated_file_is_opened_anew_and_a_moved_log_is_followed(self):
        under_test = self.service(log_file="router.log")
        log = under_test.directory / "router.log"
        wait_until(lambda: "event=started" in log.read_text(), "it logs")
        log.rename(under_test.directory / "router.log.1")
        under_test.process.send_signal(signal.SIGHUP)
        wait_until(lambda: log.exists() and "event=reloaded" in log.read_text(), "the file is there again")
        under_test.change(log_file="other.log")
        other = under_test.directory / "other.log"
        wait_until(lambda: other.exists() and "setting_changed" in other.read_text(), "it logs elsewhere")
        self.assertNotIn("setting_changed", log.read_text())
        self.assertEqual(under_test.end(), 0)

    def test_a_log_that_nobody_takes_stops_nothing(self):
        reader, writer = os.pipe()
        for name, more in (("a pipe that is not read", {"stderr": writer}), ("a full disk", {"log_file": "/dev/full"})):
            with self.subTest(name):
                under_test = self.service(workers=2, **more)
                for _ in range(600):  # two lines each: more than a pipe holds
                    self.ask(under_test)
                self.assertIsNone(under_test.process.poll())
                if "stderr" in more:
                    seen = b""
                    while b"log_lines_lost" not in seen:  # once it is read again it says how many were lost
                        seen += os.read(reader, 1 << 16)
                self.assertEqual(under_test.end(), 0)
        os.close(reader)
        under_test = self.service(stderr=writer)  # nobody has the other end: EPIPE
        self.ask(under_test)
        self.assertEqual(under_test.end(), 0)
        os.close(writer)

    def test_no_secret_is_logged(self):
        under_test = self.service(log_level="debug", auth_type="password")
        self.ask(under_test, password=self.backend.password)
        for wrong in ("a wrong secret", "x" * 5000):
            with self.assertRaises(Refused):
                under_test.connect(password=wrong)
        under_test.change(databases={"shop": {"host": "127.0.0.1", "port": self.backend.address.port,
                                              "user": self.backend.user, "password": self.backend.password}})
        wait_until(lambda: "event=reloaded" in under_test.log_text(), "it reloads")
        for secret in (self.backend.password, "a wrong secret", "xxxxxxxxxx", "SCRAM-SHA-256$"):
            self.assertNotIn(secret, under_test.log_text())
        self.assertEqual(under_test.end(), 0)


class StartTest(OperationTest):
    def refuses(self, text, *words, **change):
        """It ends with 1, an error that has these words, and a hint."""
        under_test = Service(self.backend, **change)
        path = under_test.directory / "reparto.yaml"
        if text is not None:
            path.write_text(text)
        result = subprocess.run(under_test.command(), cwd=under_test.directory, capture_output=True, text=True,
                                timeout=20)
        shutil.rmtree(under_test.directory)
        self.assertEqual(result.returncode, 1, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)
        self.assertIn("hint: ", result.stderr)
        self.assertLess(len(result.stderr.splitlines()), 12)

    def test_what_keeps_it_from_starting_is_said(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            self.refuses(None, f"port {port}", "in use", listen_port=port)
        self.refuses("listen_prt: 1\n", "reparto.yaml:1:1", "listen_port")
        self.refuses(None, "missing.pem", client_tls_cert_file="missing.pem")
        bad = self.directory / "bad.pem"
        bad.write_text("no certificate\n")
        self.refuses(None, "bad.pem", client_tls_cert_file=str(bad))
        self.refuses(None, "pid_file", pid_file=str(self.directory / "missing" / "pid"))
        self.refuses(None, "log_file", log_file=str(self.directory / "missing" / "log"))
        (self.directory / "pid").write_text(f"{os.getpid()}\n")
        self.refuses(None, "pid_file", str(os.getpid()), pid_file=str(self.directory / "pid"))
        self.assertEqual((self.directory / "pid").read_text(), f"{os.getpid()}\n")

    def test_an_unreadable_configuration(self):
        result = subprocess.run([program("reparto"), "serve", "--config", self.directory / "none.yaml"],
                                capture_output=True, text=True, timeout=20)
        self.assertEqual(result.returncode, 1)
        self.assertIn("none.yaml: No such file", result.stderr)
        self.assertIn("hint: ", result.stderr)
        self.assertEqual(subprocess.run([program("reparto"), "serve", "--confg", "x"], capture_output=True,
                                        timeout=20).returncode, 2)

    def test_the_pid_file_is_the_process_that_serves(self):
        under_test = self.service(pid_file="router.pid")
        path = under_test.directory / "router.pid"
        wait_until(under_test.pids, "it said that it started")
        self.assertEqual(path.read_text(), f"{under_test.process.pid}\n")
        second = under_test.restart()
        self.assertEqual(under_test.process.wait(10), 0)
        self.assertEqual(path.read_text(), f"{second}\n")
        os.kill(second, signal.SIGTERM)
        wait_until(lambda: not path.exists(), "it is removed at the end")


class KeepaliveTest(OperationTest):
    @unittest.skipUnless(shutil.which("ss"), "ss is not installed")
    def test_clients_are_watched_as_the_settings_say(self):
        under_test = self.service(tcp_keepidle="77s", tcp_user_timeout="9s")
        first = under_test.connect()
        self.assertRegex(self.timers(under_test, first), r"timer:\(keepalive,1min1[0-9]sec")
        under_test.change(tcp_keepidle="200s")
        wait_until(lambda: "event=reloaded" in under_test.log_text(), "it reloads")
        second = under_test.connect()
        self.assertRegex(self.timers(under_test, second), r"timer:\(keepalive,3min[12][0-9]sec")
        for client in (first, second):
            client.finish()
        self.assertEqual(under_test.end(), 0)

    def timers(self, under_test, client):
        """What the kernel says of the router's end of it."""
        port = client.socket.getsockname()[1]
        return subprocess.run(["ss", "-tnoH", f"sport = :{under_test.address.port} and dport = :{port}"],
                              capture_output=True, text=True, timeout=20).stdout


class TlsReloadTest(OperationTest):
    def test_a_new_certificate_serves_new_clients_and_keeps_the_old_ones(self):
        under_test = self.service()
        context = ssl.create_default_context(cafile=str(self.backend.directory / "cert.pem"))
        old = under_test.connect(tls=context)
        make_certificate(self.directory)
        for name in ("key.pem", "cert.pem"):
            shutil.copy(self.directory / name, under_test.directory / name)
        under_test.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "event=reloaded" in under_test.log_text(), "it reloads")
        fresh = ssl.create_default_context(cafile=str(self.directory / "cert.pem"))
        self.ask(under_test, tls=fresh)
        with self.assertRaises(ssl.SSLError):
            under_test.connect(tls=context)
        self.assertEqual(old.sql("SELECT 2"), [("2",)])
        (under_test.directory / "cert.pem").write_text("broken\n")
        under_test.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reload_failed" in under_test.log_text(), "it refuses the broken one")
        self.ask(under_test, tls=fresh)
        self.assertEqual(old.sql("SELECT 3"), [("3",)])
        old.finish()
        self.assertEqual(under_test.end(), 0)


if __name__ == "__main__":
    unittest.main()
