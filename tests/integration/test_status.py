#!/usr/bin/env python3
"""reparto status and reparto report on a real lab: what they say when a node is frozen, cut, killed or idle."""
import json, os, pathlib, pty, re, signal, subprocess, sys, tempfile, threading, time, unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/integration"), str(ROOT / "tests/lib")]
import schema
from lab import Lab, program, wait_until

SCHEMA = json.loads((ROOT / "docs/status.schema.json").read_text())


class Writes:
    """Some hundred rows a second into the primary, on one connection, until the block ends."""

    def __init__(self, lab, node="p"):
        self.lab, self.node, self.is_ending = lab, node, threading.Event()

    def __enter__(self):
        lab = self.lab
        self.psql = subprocess.Popen(lab.words("psql", self.node, "--", "-XAtq"), env=lab.environment(),
                                     stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                     text=True)
        self.thread = threading.Thread(target=self.write)
        self.thread.start()
        return self

    def write(self):
        while not self.is_ending.wait(0.005):
            self.psql.stdin.write("INSERT INTO status_test (at) VALUES (clock_timestamp());\n")
            self.psql.stdin.flush()

    def __exit__(self, *_):
        self.is_ending.set()
        self.thread.join()
        _, errors = self.psql.communicate(timeout=20)
        assert errors == "", errors


class StatusTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(shards=1, replicas=2)
        cls.lab.__enter__()
        cls.addClassCleanup(cls.lab.__exit__, None, None, None)
        cls.lab.psql("p", "CREATE TABLE status_test (id bigserial PRIMARY KEY, at timestamptz)")

    def call(self, *words, timeout=30):
        return subprocess.run([program("reparto"), *words], env=self.lab.environment(), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout)

    def status(self, *words):
        """(exit status, document, {name: node}); the document is checked against its schema."""
        result = self.call("status", "--json", *words)
        self.assertEqual(result.stderr, "")
        document = json.loads(result.stdout)
        self.assertEqual(schema.check(document, SCHEMA), [])
        self.assertEqual(result.returncode, 0 if document["healthy"] else 3)
        self.assertEqual(document["healthy"], document["problems"] == [])
        return result.returncode, document, {n["name"]: n for s in document["shards"] for n in s["nodes"]}

    def stale_ms(self, name):
        staleness = self.status()[2][name]["staleness"]
        return staleness["ms"] if staleness["basis"] == "measured" else None

    def await_healthy(self):
        wait_until(lambda: self.status()[0] == 0, "the lab is healthy", timeout=25)

    def test_healthy_and_idle_is_zero(self):
        self.await_healthy()
        with Writes(self.lab):
            # A replica may be some samples behind on a loaded machine, never near a second.
            for _ in range(10):
                code, document, nodes = self.status()
                self.assertEqual((code, document["problems"]), (0, []))
                self.assertLess(max(nodes[r]["staleness"]["ms"] for r in ("r1", "r2")), 900)
                time.sleep(0.1)
        wait_until(lambda: self.stale_ms("r1") == self.stale_ms("r2") == 0, "both replicas have all")
        end = time.monotonic() + 3  # idle: now() - pg_last_xact_replay_timestamp() would be 3 s here
        while time.monotonic() < end:
            self.assertEqual((self.stale_ms("r1"), self.stale_ms("r2")), (0, 0))
            time.sleep(0.2)
        code, document, nodes = self.status()
        self.assertEqual(document["shards"][0]["verdict"], "primary found")
        self.assertEqual([nodes[n]["role"] for n in ("p", "r1", "r2")], ["primary", "replica", "replica"])
        self.assertIsNone(nodes["p"]["staleness"])
        self.assertEqual({s["name"]: s["active"] for s in nodes["p"]["details"]["slots"]}, {"r1": True, "r2": True})
        self.assertEqual({s["state"] for s in nodes["p"]["details"]["replication"]}, {"streaming"})

    def test_frozen_wal_receiver_grows_to_four_seconds_and_falls(self):
        """The acceptance test: 4 s frozen under writes shows about 4 s; the other replica is not blamed."""
        self.await_healthy()
        seen = []
        with Writes(self.lab):
            self.lab.run("freeze", "r1", "--walreceiver")
            frozen = time.monotonic()
            try:
                while time.monotonic() - frozen < 4:
                    before = time.monotonic() - frozen
                    _, _, nodes = self.status()
                    seen.append((before, nodes["r1"]["staleness"], time.monotonic() - frozen, nodes["r2"]))
                    time.sleep(0.25)
                self.assertEqual(nodes["r1"]["state"], "answering")
                self.assertGreater(nodes["r1"]["bytes_behind"], 0)
            finally:
                self.lab.run("thaw", "r1")
        for before, staleness, after, other in seen:
            # The freeze happened before `frozen`; the first unseen write and its sample come up to 0.7 s later.
            self.assertGreaterEqual(staleness["ms"] / 1000, before - 0.7)
            self.assertLessEqual(staleness["ms"] / 1000, after + 0.7)
            self.assertEqual(staleness["basis"], "measured")
            self.assertGreaterEqual(staleness["at_most_ms"], staleness["ms"])
            self.assertLess(other["staleness"]["ms"], 900)
        self.assertGreater(seen[-1][1]["ms"], 3000)
        self.assertGreater(seen[-1][1]["ms"], seen[len(seen) // 2][1]["ms"])
        wait_until(lambda: self.stale_ms("r1") == 0, "r1 caught up")

    def test_a_cut_replica_is_stale_and_a_limit_makes_it_a_problem(self):
        self.await_healthy()
        with Writes(self.lab):
            self.lab.run("cut", "r2")
            try:
                wait_until(lambda: self.stale_ms("r2") > 1500, "r2 is stale")
                code, document, _ = self.status("--max-stale", "1s")
                self.assertEqual(code, 3)
                self.assertRegex(" ".join(document["problems"]), r"r2 is [0-9.]+ s stale, more than 1\.0 s")
            finally:
                self.lab.run("heal", "r2")
        wait_until(lambda: self.stale_ms("r2") == 0, "r2 caught up")

    def test_a_frozen_replica_does_not_answer_and_goes_on_ageing(self):
        self.await_healthy()
        with Writes(self.lab):
            self.lab.run("freeze", "r2")
            try:
                wait_until(lambda: self.status()[2]["r2"]["state"] == "no answer", "r2 is silent")
                time.sleep(1)
                code, document, nodes = self.status()
                self.assertEqual(code, 3)
                self.assertRegex(document["problems"][0], r"^r2 \(127\.0\.0\.1:\d+\): no answer for")
                self.assertGreater(nodes["r2"]["staleness"]["ms"], 900)
                self.assertGreater(nodes["r2"]["silent_ms"], 900)
            finally:
                self.lab.run("thaw", "r2")
        self.await_healthy()
        wait_until(lambda: self.stale_ms("r2") == 0, "r2 caught up")

    def test_the_page_fits_and_begins_with_the_verdict(self):
        self.await_healthy()
        result = self.call("status")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertTrue(result.stdout.startswith("PASS  1 shard, 3 nodes answer"), result.stdout)
        self.assertLessEqual(max(map(len, result.stdout.splitlines())), 80)
        self.assertNotIn("\x1b", result.stdout)

    def test_long_queries_and_idle_transactions_are_listed(self):
        self.await_healthy()
        sql = "BEGIN; SELECT 'held open';\n"
        idle = subprocess.Popen(self.lab.words("psql", "p", "--", "-XAtq"), env=self.lab.environment(),
                                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        slow = subprocess.Popen(self.lab.words("psql", "p", "--", "-XAtq", "-c", "SELECT pg_sleep(20) /* slow */"),
                                env=self.lab.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            idle.stdin.write(sql)
            idle.stdin.flush()

            def listed():
                details = self.status("--long-query", "200ms")[2]["p"]["details"]
                return (any("pg_sleep(20)" in q["query"] for q in details["long_queries"])
                        and any("held open" in q["query"] for q in details["idle_in_transaction"]))
            wait_until(listed, "both are listed")
            self.assertIn("held open", self.call("status", "--long-query", "200ms").stdout)
        finally:
            slow.terminate()
            self.lab.psql("p", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%slow */'")
            idle.communicate(timeout=10)
            slow.wait(timeout=10)

    def test_without_a_lab_it_samples_by_itself(self):
        self.await_healthy()
        dsns = {n: self.lab.dsn(n) for n in ("p", "r1", "r2")}
        code, document, nodes = self.status("--primary", dsns["p"], "--replica", dsns["r1"], "--replica", dsns["r2"])
        self.assertEqual((code, document["source"]), (0, "direct"))
        self.assertGreaterEqual(document["watched_s"], 1)
        code, document, _ = self.status("--primary", dsns["r1"], "--replica", dsns["r2"])
        self.assertRegex(" ".join(document["problems"]), "p .* is a replica, but was expected to be a primary")
        self.assertEqual(code, 3)
        code, document, _ = self.status("--primary", dsns["p"], "--replica", "host=127.0.0.1 port=1 dbname=shop")
        self.assertRegex(document["problems"][0], "r1 .*: down for .*Connection refused")
        self.lab.psql("p", "CREATE ROLE status_user LOGIN PASSWORD 'secret'")
        wait_until(lambda: self.stale_ms("r1") == 0, "r1 knows the role")
        _, document, nodes = self.status("--primary", re.sub("user=.*", "user=status_user password=secret", dsns["p"]))
        details = nodes["p"]["details"]
        # Only its own sessions are shown to such a user: that is not "none", and not a count.
        self.assertEqual((details["connections"]["used"], details["long_queries"], details["idle_in_transaction"]),
                         (None, None, None))
        self.assertEqual(document["problems"], [])
        wrong = re.sub("password=.*", "password=wrong", dsns["p"])
        code, document, _ = self.status("--primary", wrong)
        self.assertRegex(" ".join(document["problems"]), "password authentication failed")

    def test_behind_before_the_watch_began_is_at_least(self):
        self.await_healthy()
        self.lab.run("freeze", "r1", "--walreceiver")
        try:
            self.lab.psql("p", "INSERT INTO status_test (at) SELECT now() FROM generate_series(1, 100)")
            _, _, nodes = self.status("--primary", self.lab.dsn("p"), "--replica", self.lab.dsn("r1"))
            self.assertEqual(nodes["r1"]["staleness"]["basis"], "at least")
            self.assertIsNone(nodes["r1"]["staleness"]["at_most_ms"])
            self.assertGreater(nodes["r1"]["staleness"]["ms"], 500)
        finally:
            self.lab.run("thaw", "r1")
        wait_until(lambda: self.stale_ms("r1") == 0, "r1 caught up")

    def test_watch_appends_without_a_terminal_and_ends_with_ctrl_c(self):
        self.await_healthy()
        watch = subprocess.Popen([program("reparto"), "status", "--watch", "--json"], env=self.lab.environment(),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines = [watch.stdout.readline() for _ in range(2)]
        watch.send_signal(signal.SIGINT)
        _, errors = watch.communicate(timeout=10)
        self.assertEqual((watch.returncode, errors), (0, ""))
        for line in lines:
            self.assertEqual(schema.check(json.loads(line), SCHEMA), [])

    def test_watch_gives_the_cursor_back(self):
        self.await_healthy()
        parent, child = pty.openpty()
        watch = subprocess.Popen([program("reparto"), "status", "--watch"], stdout=child, stderr=child, stdin=child,
                                 env=dict(self.lab.environment(), TERM="xterm"))
        os.close(child)
        seen = b""
        while b"PASS" not in seen:
            seen += os.read(parent, 4096)
        watch.send_signal(signal.SIGINT)
        try:
            while True:
                part = os.read(parent, 4096)
                if not part:
                    break
                seen += part
        except OSError:  # EIO: the terminal's other end is closed
            pass
        os.close(parent)
        self.assertEqual(watch.wait(timeout=10), 0)
        self.assertIn(b"\x1b[?25l", seen)
        self.assertTrue(seen.rstrip().endswith(b"\x1b[?25h"), seen[-200:])

    def test_report_shows_who_asked_what(self):
        self.lab.psql("p", "SELECT 'reported' /* by test_status */ FROM status_test LIMIT 1")
        with tempfile.TemporaryDirectory() as directory:
            result = self.call("report", "--output", directory + "/out", timeout=120)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            html, text = map(pathlib.Path, result.stdout.split())
            self.assertIn("status_test", html.read_text())
            self.assertIn("s0, run of ", text.read_text())
            self.assertNotIn("reparto/monitor", html.read_text())
            log = pathlib.Path(directory) / "junk.log"
            log.write_text("nothing of PostgreSQL\n")
            result = self.call("report", "--log", str(log), "--output", directory + "/junk", timeout=60)
            self.assertEqual(result.returncode, 1)
            self.assertIn("found no line of PostgreSQL", result.stderr)
            self.assertEqual(list(pathlib.Path(directory, "junk").iterdir()), [])

    def test_refusals_say_what_to_do(self):
        for words, code, message in (
                (["status", "--dir", "/nonexistent"], 1, "start one with: reparto lab up"),
                (["report", "--dir", "/nonexistent"], 1, "start one with: reparto lab up"),
                (["status", "--replica", "x"], 2, "--replica needs --primary"),
                (["status", "--primary", "nonsense"], 1, "malformed DSN"),
                (["status", "--wach"], 2, "did you mean --watch"),
                (["report", "--log", "/nonexistent"], 1, "cannot read /nonexistent")):
            result = self.call(*words)
            self.assertEqual(result.returncode, code, words)
            self.assertIn(message, result.stderr)
            self.assertEqual(result.stdout, "")


class FailoverTest(unittest.TestCase):
    """A lab of its own, as it ends with another primary."""

    status = StatusTest.status
    call = StatusTest.call

    def test_killed_promoted_and_two_primaries(self):
        with Lab(shards=1, replicas=1) as self.lab:
            wait_until(lambda: self.status()[0] == 0, "the lab is healthy, and the watch has begun", timeout=25)
            self.lab.run("kill", "p")
            wait_until(lambda: self.status()[2]["p"]["state"] == "down", "p is down")
            code, document, nodes = self.status()
            self.assertEqual((code, document["shards"][0]["verdict"]), (3, "no primary"))
            wait_until(lambda: self.status()[2]["r1"]["staleness"]["basis"] == "at least", "0 is no longer certain")
            self.lab.run("promote", "r1")
            wait_until(lambda: self.status()[1]["shards"][0]["primary"] == "r1", "r1 is primary")
            code, document, nodes = self.status()
            self.assertEqual((nodes["r1"]["timeline"], nodes["p"]["expected_role"]), (2, "former primary"))
            self.assertRegex(" ".join(document["problems"]), "rebuild it: reparto lab start p")
            self.lab.run("start", "p")
            wait_until(lambda: self.status()[0] == 0, "p is a replica of r1", timeout=30)
            self.assertEqual(self.status()[2]["p"]["staleness"]["ms"], 0)
            with Lab(shards=1, replicas=0) as other:
                code, document, _ = self.status("--primary", self.lab.dsn("r1"), "--replica", other.dsn("p"))
                self.assertEqual((code, document["shards"][0]["primary"]), (3, None))
                self.assertEqual(document["problems"][0], "shard s0: two primaries: none is trusted")
                self.assertRegex(" ".join(document["problems"]), "are not of one cluster")


if __name__ == "__main__":
    unittest.main(verbosity=2)
