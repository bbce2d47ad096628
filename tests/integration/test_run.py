"""load_test's plain run on a real lab: what it measures, what it says when servers fail, and that it leaves nothing."""
import csv, json, pathlib, re, subprocess, sys, tempfile, time, unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/integration"), str(ROOT / "tests/lib")]
import schema
from lab import Lab, program, wait_until


class RunTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(shards=1, replicas=2)
        cls.lab.__enter__()
        cls.addClassCleanup(cls.lab.__exit__, None, None, None)

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def command(self, *words):
        return [program("load_test"), "--output", self.folder.name, *words]

    def run_it(self, *words, stdout=subprocess.PIPE):
        return subprocess.run(self.command(*words), env=self.lab.environment(), stdin=subprocess.DEVNULL, stdout=stdout,
                              stderr=subprocess.PIPE, text=True, timeout=120)

    def start(self, *words):
        return subprocess.Popen(self.command(*words), env=self.lab.environment(), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def metric(self, report, name):
        match = re.search(rf"^{re.escape(name)} \S+ (\S+)$", report, flags=re.M)
        self.assertIsNotNone(match, f"{name} is not in\n{report}")
        return float("nan") if match[1] == "?" else float(match[1])

    def tables(self):
        return self.lab.psql("p", "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('load_test') "
                                  "AND relkind = 'r'")

    def test_a_run_measures_and_counts_and_leaves_nothing(self):
        run = self.run_it("--duration", "3s", "--warmup", "0.5s", "--rate", "200", "--json", str(self.path / "r.json"),
                          "--csv", str(self.path / "r.csv"), "--hgrm", str(self.path / "r.hgrm"),
                          "--log", str(self.path / "r.log"))
        self.assertEqual((run.returncode, run.stderr), (0, ""), run.stdout)
        self.assertTrue(all(len(line) <= 80 for line in run.stdout.split("DATA load_test")[0].splitlines()))
        self.assertRegex(run.stdout, r"(?m)^PASS ")
        self.assertRegex(run.stdout, r"acknowledged writes, counted on p, r1 and r2: 0 lost, 0 twice")
        writes = self.metric(run.stdout, "writes.done")
        self.assertAlmostEqual(writes, 600, delta=120)  # 3 s of Poisson arrivals at 200/s
        self.assertTrue(0 < self.metric(run.stdout, "clock.error") < 1000)  # ms; the clocks were compared
        for replica in ("r1", "r2"):
            self.assertGreater(self.metric(run.stdout, f"reads.{replica}.done"), 100)
            self.assertEqual(self.metric(run.stdout, f"visible.{replica}.count"), writes)
            p50, top = (self.metric(run.stdout, f"visible.{replica}.{s}") for s in ("p50", "max"))
            self.assertTrue(0 <= p50 <= top < 5000)
            self.assertEqual(self.metric(run.stdout, f"applied.{replica}.count"), writes)
        document = json.loads((self.path / "r.json").read_text())
        known = json.loads((ROOT / "docs/load_test.schema.json").read_text())
        self.assertEqual(schema.check(document, known), [])
        self.assertNotEqual(schema.check({**document, "exit_code": 9}, known), [])
        self.assertEqual((document["exit_code"], document["interrupted"]), (0, False))
        named = {m["name"]: m["values"][0] for m in document["metrics"]}
        self.assertEqual(named["writes.done"], writes)
        rows = list(csv.DictReader((self.path / "r.csv").read_text().splitlines()))
        self.assertEqual(sum(int(r["writes"]) for r in rows),
                         sum(int(s["writes"]) for s in document["seconds"]))
        log = list(csv.DictReader((self.path / "r.log").read_text().splitlines()))
        self.assertEqual(sum(r["measured"] == "1" and r["state"] == "acked" for r in log), writes)
        self.assertTrue(all(int(r["due_us"]) <= int(r["sent_us"]) <= int(r["ack_us"]) for r in log))
        self.assertIn("#[Max", (self.path / "r.hgrm").read_text())
        self.assertEqual(self.tables(), [])

    def test_spanish_says_the_same(self):
        run = self.run_it("--duration", "1s", "--warmup", "0.2s", "--rate", "100", "--lang", "es")
        self.assertEqual((run.returncode, run.stderr), (0, ""), run.stdout)
        self.assertRegex(run.stdout, r"0 perdidas")
        self.assertNotRegex(run.stdout.split("DATA load_test")[0], r"\b(writes|reads|THROUGHPUT|lost)\b")
        self.assertEqual(self.metric(run.stdout, "check.lost"), 0)

    def test_the_method_proves_itself(self):
        """With remote_apply on both replicas nothing is stale after the commit; without waiting, something is."""
        stale = {}
        for mode, names in (("local", ""), ("remote_apply", "ANY 2 (r1, r2)")):
            self.lab.psql("p", f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
            self.lab.psql("p", "SELECT pg_reload_conf()")
            wait_until(lambda: self.lab.psql("p", "SHOW synchronous_standby_names") == [(names,)], "the setting")
            if names:
                wait_until(lambda: self.lab.psql("p", "SELECT count(*) FROM pg_stat_replication "
                                                      "WHERE sync_state = 'quorum'") == [("2",)], "quorum")
            run = self.run_it("--duration", "2s", "--warmup", "0.5s", "--rate", "150", "--synchronous-commit", mode)
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
            stale[mode] = [self.metric(run.stdout, f"{m}.{r}") for m in ("stale", "missed") for r in ("r1", "r2")]
        self.lab.psql("p", "ALTER SYSTEM RESET synchronous_standby_names")
        self.lab.psql("p", "SELECT pg_reload_conf()")
        self.assertEqual(stale["remote_apply"], [0, 0, 0, 0])
        self.assertGreater(sum(stale["local"]), 0)

    def test_a_killed_primary_loses_nothing_and_never_passes(self):
        run = self.start("--duration", "4s", "--warmup", "0.5s", "--rate", "200", "--wait-node", "20s")
        time.sleep(2)
        self.lab.run("kill", "p")
        time.sleep(0.5)
        self.lab.run("start", "p")
        out, err = run.communicate(timeout=90)
        self.assertIn(run.returncode, (1, 3), out + err)
        self.assertRegex(out, r"unknown outcome|writes failed|never left")
        self.assertEqual(self.metric(out, "check.lost"), 0)
        self.assertEqual(self.metric(out, "check.primary"), 1)
        self.assertGreater(self.metric(out, "writes.done"), 100)

    def test_a_primary_that_stays_dead_is_not_called_right(self):
        run = self.start("--duration", "2s", "--warmup", "0.2s", "--rate", "100")
        time.sleep(1.2)
        self.lab.run("kill", "p")
        try:
            out, err = run.communicate(timeout=90)
        finally:
            self.lab.run("start", "p")
        self.assertIn(run.returncode, (1, 3), out + err)
        self.assertRegex(out, r"p was not checked")
        acks = list(self.path.glob("load_test-acks-*.csv"))
        self.assertEqual(len(acks), 1, out)
        later = subprocess.run([program("load_test"), "verify", str(acks[0])], env=self.lab.environment(),
                               capture_output=True, text=True, timeout=60)
        self.assertEqual(later.returncode, 0, later.stdout + later.stderr)
        self.lab.psql("p", "DROP SCHEMA load_test CASCADE")

    def test_a_killed_replica_is_told_and_reads_go_on(self):
        run = self.start("--duration", "3s", "--warmup", "0.2s", "--rate", "150", "--verify-timeout", "2s")
        time.sleep(1.5)
        self.lab.run("kill", "r2")
        try:
            out, err = run.communicate(timeout=90)
        finally:
            self.lab.run("start", "r2")
        self.assertEqual(run.returncode, 1, out + err)
        self.assertRegex(out, r"r2 was not checked")
        self.assertEqual(self.metric(out, "checked.r1"), 1)
        self.assertEqual(self.metric(out, "lost.r1"), 0)
        self.assertGreater(self.metric(out, "reads.r1.done"), self.metric(out, "reads.r2.done"))
        wait_until(lambda: self.lab.psql("p", "SELECT count(*) FROM pg_stat_replication") == [("2",)], "r2 streams")
        self.lab.psql("p", "DROP SCHEMA IF EXISTS load_test CASCADE")

    def test_a_frozen_primary_does_not_hang_it(self):
        run = self.start("--duration", "2s", "--warmup", "0.2s", "--rate", "100", "--timeout", "1s",
                         "--verify-timeout", "2s")
        time.sleep(1.2)
        self.lab.run("freeze", "p")
        began = time.monotonic()
        try:
            out, err = run.communicate(timeout=60)
        finally:
            self.lab.run("thaw", "p")
        self.assertLess(time.monotonic() - began, 30)
        self.assertEqual(run.returncode, 1, out + err)
        self.lab.psql("p", "DROP SCHEMA IF EXISTS load_test CASCADE")

    def test_ctrl_c_reports_what_there_is(self):
        for wait in (0.3, 1.5):
            run = self.start("--duration", "30s", "--warmup", "0.3s", "--rate", "100")
            time.sleep(wait)
            run.send_signal(2)
            out, err = run.communicate(timeout=30)
            self.assertEqual(run.returncode, 1, out + err)
            self.assertTrue("INTERRUPTED" in out or "interrupted" in err, out + err)
        self.assertEqual(self.tables(), [])

    def test_ctrl_c_while_it_sets_up_leaves_nothing(self):
        """Its table could be made by the server after it was dropped: the signal comes at every moment of that."""
        for step in range(12):
            run = self.start("--duration", "30s", "--warmup", "0.3s", "--rate", "100", "--quiet")
            time.sleep(0.01 + 0.015 * step)
            run.send_signal(2)
            out, err = run.communicate(timeout=30)
            self.assertIn(run.returncode, (1, -2, 130), out + err)  # -2: it had not begun to listen yet
        time.sleep(0.3)
        self.assertEqual(self.tables(), [])

    def test_a_full_disk_is_an_error(self):
        words = ("--duration", "0.5s", "--warmup", "0", "--rate", "50")
        with open("/dev/full", "w") as full:
            run = self.run_it(*words, stdout=full)
        self.assertEqual(run.returncode, 1)
        self.assertIn("cannot write the report to stdout: No space left on device", run.stderr)
        for option in ("--json", "--csv", "--log", "--hgrm"):
            run = self.run_it(*words, option, "/dev/full")
            self.assertEqual(run.returncode, 1, option)
            self.assertIn("No space left on device", run.stderr)

    def test_expectations_are_judged_and_checked_before_the_run(self):
        words = ("--duration", "0.5s", "--warmup", "0", "--rate", "100", "--no-data")
        run = self.run_it(*words, "--expect", "visible.p99<60s", "--expect", "writes.rate>1", "--expect", "check.lost=0")
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        run = self.run_it(*words, "--expect", "visible.p99<0.001us")
        self.assertEqual(run.returncode, 3, run.stdout + run.stderr)
        self.assertRegex(run.stdout, r"(?m)^FAIL  visible\.p99 .* ms, expected < ")
        run = self.run_it(*words, "--expect", "visibel.p99<5ms")
        self.assertEqual((run.returncode, run.stdout), (2, ""))
        self.assertIn("did you mean visible.p99?", run.stderr)
        self.assertEqual(self.tables(), [])

    def test_repetitions_are_compared(self):
        for name, writers in (("a", "1"), ("b", "4")):
            run = self.run_it("--duration", "0.3s", "--warmup", "0", "--closed", "--writers", writers, "--repeat", "2")
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
            self.assertRegex(run.stdout, r"(?m)^END \d+ settings, \d+ metrics, 2 repetitions$")
            (self.path / name).write_text(run.stdout)
        command = [program("load_test"), "compare", str(self.path / "a"), str(self.path / "b")]
        compared = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual((compared.returncode, compared.stderr), (0, ""))
        self.assertRegex(compared.stdout, r"(?m)^writes/s +[\d,.]+ ± +\d+ % .* p=[\d.]+$")
        self.assertIn("writers '1' -> '4'", compared.stdout)
        self.assertTrue(all(len(line) <= 80 for line in compared.stdout.splitlines()), compared.stdout)
        (self.path / "b").write_text((self.path / "b").read_text()[:-30])
        compared = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual((compared.returncode, compared.stdout), (1, ""))
        self.assertRegex(compared.stderr, r"/b: line \d+: ")

    def test_usage(self):
        for words, status in (((("--rat", "5"), 2)), (("--rate", "x"), 2), (("--closed", "--rate", "5"), 2),
                              (("nonsense",), 2), (("--lang", "fr"), 2), (("--help",), 0), (("--version",), 0)):
            run = self.run_it(*words) if words[0].startswith("-") else subprocess.run(
                [program("load_test"), *words], capture_output=True, text=True)
            self.assertEqual(run.returncode, status, (words, run.stderr))


if __name__ == "__main__":
    unittest.main()
