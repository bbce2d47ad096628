"""load_test's check of its servers: each that can't be right is refused in one line, before a row is written."""
import pathlib, re, subprocess, sys, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lab import Lab, program


class TargetTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(shards=2, replicas=1)
        cls.lab.__enter__()
        cls.addClassCleanup(cls.lab.__exit__, None, None, None)

    def load_test(self, *words, password=None):
        state = self.lab.state()
        environment = dict(self.lab.environment(), PGPASSWORD=password or state["password"])
        return subprocess.run([program("load_test"), "--quiet", *words], env=environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=30)

    def dsn(self, name, more=""):
        """Without the password, for argv is everybody's to read."""
        return re.sub(r" password=\S+", "", self.lab.dsn(name)) + more

    def place(self, name):
        node = next(n for shard in self.lab.state()["shards"] for n in shard["nodes"] if n["name"] == name)
        return f"{node['host']}:{node['port']}"

    def expect_refused(self, message, hint, *words, password=None):
        result = self.load_test(*words, password=password)
        self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
        lines = result.stderr.splitlines()
        self.assertEqual(lines[0], f"load_test: {message}")
        self.assertIn(hint, lines[1])
        self.assertEqual(len(lines), 2, result.stderr)
        self.assertNotIn(self.lab.state()["password"], result.stderr)

    def test_roles_that_are_wrong(self):
        self.expect_refused(f"p at {self.place('s0r1')} is a replica, not a primary", "--primary takes that one",
                            "--primary", self.dsn("s0r1"))
        self.expect_refused(f"r1 at {self.place('s1p')} is a primary, not a replica", "was it promoted?",
                            "--primary", self.dsn("s0p"), "--replica", self.dsn("s1p"))

    def test_a_replica_of_another_cluster(self):
        self.expect_refused(f"far at {self.place('s1r1')} belongs to another cluster than p at {self.place('s0p')}",
                            "system identifiers", "--primary", self.dsn("s0p"),
                            "--replica", self.dsn("s1r1", " application_name=far"))

    def test_a_wrong_password_and_a_port_where_nobody_is(self):
        self.expect_refused(f'p: cannot connect to {self.place("s0p")}: FATAL:  password authentication failed for '
                            f'user "{self.lab.state()["user"]}"', "check user and password",
                            "--primary", self.dsn("s0p"), password="wrong")
        result = self.load_test("--primary", "host=127.0.0.1 port=1 dbname=shop user=nobody")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"^load_test: p: cannot connect to 127\.0\.0\.1:1: .*Connection refused")

    def test_frozen_servers_do_not_hang_it(self):
        for name, words in (("s0p", ["--shard", "s0"]), ("s1r1", ["--shard", "s1"])):
            self.lab.run("freeze", name)
            try:
                began = time.monotonic()
                self.expect_refused(f"{name}: cannot connect to {self.place(name)}: no answer in time", "frozen",
                                    "--timeout", "500ms", *words)
                self.assertLess(time.monotonic() - began, 5)
            finally:
                self.lab.run("thaw", name)

    def test_nothing_is_left_of_what_was_refused(self):
        self.load_test("--primary", self.dsn("s0p"), "--replica", self.dsn("s1p"))
        self.assertEqual(self.lab.value("s0p", "SELECT count(*) FROM pg_tables WHERE schemaname = 'load_test'"), "0")


if __name__ == "__main__":
    unittest.main()
