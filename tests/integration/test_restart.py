"""USR2: another process takes the place of a running router, and no client notices."""
import contextlib, json, os, pathlib, re, signal, stat, sys, threading, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lab import open_files, process_state, wait_until
from pg_protocol import Address, Closed, Connection, Refused, Wire, cancel, query, startup
from router import Backend, Reparto

class Restarted(Reparto):
    """A router that may have been followed by others: all that its log names are ended."""

    def __init__(self, backend, **settings):
        super().__init__(backend, {"auth_type": "trust", "pool_mode": "transaction", "max_client_conn": 2000,
                                   "pid_file": "reparto.pid", "log_connections": False,
                                   "log_disconnections": False, **settings})
        quoted = backend.password.replace('"', '""')
        (self.directory / "userlist.txt").write_text(f'"{backend.user}" "{quoted}"\n')
        self.unix = Address(str(self.directory), self.address.port)

    def start(self):
        super().start()
        wait_until(self.pids, "it says that it has started")

    def pids(self):
        """Of all that served, the oldest first."""
        return [int(pid) for pid in re.findall(r"event=started .* pid=(\d+)", self.log_text())]

    def alive(self):
        return [pid for pid in self.pids() if process_state(pid)]

    def restart(self):
        """Returns the new pid, when it serves."""
        count = len(self.pids())
        os.kill(self.pids()[-1], signal.SIGUSR2)
        wait_until(lambda: len(self.pids()) > count, "another process serves", 20)
        return self.pids()[-1]

    def connect(self, unix=False, **more):
        return Connection(self.unix if unix else self.address, self.backend.user, "shop", **more)

    def stop(self):
        found = self.alive()
        for pid in found:
            os.kill(pid, signal.SIGQUIT)
        try:
            for pid in found:
                self.process.poll()
                wait_until(lambda: self.process.poll() is not None and not process_state(pid), f"{pid} ends")
            bad = [l for l in self.log_text().splitlines() if "Sanitizer" in l or "runtime error" in l]
            assert not bad, bad
            assert self.process.returncode == 0, self.process.returncode
        except BaseException:
            self.show_log()
            raise
        finally:
            for pid in self.alive():
                os.kill(pid, signal.SIGKILL)
            self.kill()


@contextlib.contextmanager
def restarted(backend, **settings):
    router = Restarted(backend, **settings)
    router.start()
    try:
        yield router
    finally:
        router.stop()


class Crowd:
    """Threads that connect, ask and leave until told to stop; what goes wrong is kept."""

    def __init__(self, router, count):
        self.router, self.is_over, self.done, self.troubles = router, False, 0, []
        self.threads = [threading.Thread(target=self.run, args=(i % 2 == 1,)) for i in range(count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        for thread in self.threads:
            thread.join(30)

    def run(self, unix):
        while not self.is_over:
            try:
                connection = self.router.connect(unix)
                connection.sql("SELECT 1")
                connection.finish()
                self.done += 1
            except (OSError, Closed, Refused, AssertionError) as trouble:
                self.troubles.append(f"{'unix' if unix else 'tcp'}: {trouble!r}")


class RestartTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.backend = cls.enterClassContext(Backend())

    def router(self, **settings):
        return self.enterContext(restarted(self.backend, **settings))

    def test_no_connection_is_refused_or_reset_while_processes_follow_one_another(self):
        router = self.router(workers=2)
        with Crowd(router, 6) as crowd:
            for _ in range(6):
                before = crowd.done
                router.restart()
                wait_until(lambda: crowd.done > before + 350, "clients go on", 30)
        self.assertEqual(crowd.troubles, [])
        self.assertGreater(crowd.done, 2000)
        print(f"{crowd.done} connections during 6 restarts", file=sys.stderr)
        wait_until(lambda: len(router.alive()) == 1, "the older ones ended")
        self.assertEqual(len(set(router.pids())), 7)

    def test_sessions_stay_with_the_old_process_until_they_end(self):
        router = self.router()
        idle, busy = router.connect(), router.connect(unix=True)
        busy.sql("BEGIN")
        busy.sql("CREATE TEMP TABLE mine (x int) ON COMMIT DROP")
        first = router.pids()[0]
        router.restart()
        router.restart()
        wait_until(lambda: len(router.alive()) == 2, "the second, which has no client, ended")
        busy.sql("INSERT INTO mine VALUES (1)")
        self.assertEqual(busy.sql("SELECT x FROM mine"), [("1",)])
        busy.sql("COMMIT")
        time.sleep(1)  # several looks for idle clients, which a drain would let go
        self.assertEqual(idle.sql("SELECT 7"), [("7",)])
        idle.finish()
        self.assertIn(first, router.alive())
        busy.finish()
        wait_until(lambda: first not in router.alive(), "the first one ended with its last client")
        router.connect().finish()

    def test_a_cancel_request_reaches_the_process_that_has_the_client(self):
        router = self.router(workers=2)
        clients = [router.connect()]
        for _ in range(2):
            router.restart()
            clients.append(router.connect())
        self.assertEqual(len(router.alive()), 3)
        for client in clients:
            client.send(query("SELECT pg_sleep(20)"))
        time.sleep(0.3)  # let them begin; a cancel of nothing is lost, as in PostgreSQL
        for client in clients[:2]:
            cancel(router.address, client.key)
            messages = client.answers(10)
            self.assertIn(b"57014", next(m.body for m in messages if m.kind == "E"))
        wrong = clients[2].key[:4] + bytes(b ^ 255 for b in clients[2].key[4:])
        cancel(router.address, wrong)
        with self.assertRaises(TimeoutError):
            clients[2].answers(0.5)
        for client in clients:
            client.end()

    def test_a_cancel_outlives_the_process_between(self):
        """The channel to the first process is the third's own, not only the second's."""
        router = self.router()
        client = router.connect()
        second = router.restart()
        router.restart()
        wait_until(lambda: second not in router.alive(), "the second, which has no client, ended")
        client.send(query("SELECT pg_sleep(20)"))
        time.sleep(0.3)  # as above
        cancel(router.address, client.key)
        self.assertIn(b"57014", next(m.body for m in client.answers(10) if m.kind == "E"))
        client.finish()

    def test_a_new_process_that_fails_changes_nothing(self):
        router = self.router()
        config = router.directory / "reparto.yaml"
        good = config.read_text()
        for text, why in (("listen_port: no number\n", "listen_port"),
                          (json.dumps({**json.loads(good), "listen_addr": "203.0.113.1"}), "203.0.113.1")):
            config.write_text(text)
            seen = len(router.log_text())
            os.kill(router.pids()[0], signal.SIGUSR2)
            wait_until(lambda: "restart_failed" in router.log_text()[seen:], "it says so")
            line = next(l for l in router.log_text()[seen:].splitlines() if "restart_failed" in l)
            self.assertIn(why, line)
            self.assertEqual(len(router.alive()), 1)
            self.serves(router)
        self.assertEqual((router.directory / f".s.PGSQL.{router.address.port}.lock").read_text(),
                         f"{router.pids()[0]}\n")
        config.write_text(good)
        router.restart()
        wait_until(lambda: len(router.alive()) == 1, "the older one ended")
        self.assertTrue(stat.S_ISSOCK((router.directory / f".s.PGSQL.{router.address.port}").stat().st_mode))
        self.serves(router)

    def serves(self, router):
        for unix in (False, True):
            client = router.connect(unix)
            self.assertEqual(client.sql("SELECT 1"), [("1",)])
            client.finish()

    def test_clients_that_have_just_begun_are_let_in(self):
        router = self.router()
        self.sockets = 0
        self.sockets = self.accepted(router)
        wires = [Wire(router.address) for _ in range(20)]
        wait_until(lambda: self.accepted(router) >= 20, "the first process accepted them")
        router.restart()
        for wire in wires:
            wire.write(startup([("user", self.backend.user), ("database", "shop")]))
            self.assertEqual(wire.read_message().kind, "R")
            wire.end()

    def accepted(self, router):
        """How many connections of clients the first process has open."""
        return sum(link.startswith("socket:") for link in open_files(router.pids()[0])) - self.sockets

    def test_a_settings_change_that_needs_a_restart_is_taken_on(self):
        router = self.router()
        config = json.loads((router.directory / "reparto.yaml").read_text())
        (router.directory / "reparto.yaml").write_text(json.dumps({**config, "workers": 3}))
        router.restart()
        self.assertIn("workers=3", router.log_text())

    def test_the_old_process_can_be_told_to_drain(self):
        router = self.router()
        idle = router.connect()
        first = router.pids()[0]
        router.restart()
        os.kill(first, signal.SIGTERM)
        with self.assertRaises((Refused, Closed, AssertionError)):
            wait_until(lambda: idle.sql("SELECT 1") and False, "it is let go", 5)
        wait_until(lambda: router.alive() == router.pids()[1:], "the first one ended")


if __name__ == "__main__":
    unittest.main()
