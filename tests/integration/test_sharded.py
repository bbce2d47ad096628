"""load_test sharded-writes on a real lab of two shards: counts, a shard that is down, and nothing left behind."""
import hashlib, json, pathlib, signal, subprocess, sys, tempfile, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lab import Lab, program, wait_until

TABLES = "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('load_test') AND relkind = 'r'"


class ShardedTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(shards=2, replicas=0)
        cls.lab.__enter__()
        cls.addClassCleanup(cls.lab.__exit__, None, None, None)

    def command(self, *words):
        return [program("load_test"), "sharded-writes", *words]

    def run_it(self, *words):
        return subprocess.run(self.command(*words), env=self.lab.environment(), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120)

    def assert_nothing_left(self, *nodes):
        for node in nodes:
            self.assertEqual(self.lab.psql(node, TABLES), [])

    def test_every_row_is_counted_where_it_was_routed(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "sharded.json"
            run = self.run_it("--keys", "20000", "--json", str(path))
            self.assertEqual((run.returncode, run.stderr), (0, ""), run.stdout)
            document = json.loads(path.read_text())
        self.assertIn("routed 60,000 = counted on the shards 60,000; every key on its own shard only", run.stdout)
        schemes = {s["scheme"]: s for s in document["schemes"]}
        self.assertEqual(set(schemes), {"md5_modulo", "ring", "slots"})
        for scheme in schemes.values():
            self.assertEqual(sum(s["counted"] for s in scheme["shards"]), 20000)
            for shard in scheme["shards"]:
                self.assertEqual(shard["counted"], shard["routed"])
        # What MD5 says by another way than ours.
        even = sum(int(hashlib.md5(f"user:{i}".encode()).hexdigest(), 16) % 2 == 0 for i in range(20000))
        self.assertEqual(schemes["md5_modulo"]["shards"][0]["counted"], even)
        self.assertTrue(schemes["md5_modulo"]["checked_by_sql"])
        self.assertAlmostEqual(schemes["md5_modulo"]["moved"] / 20000, 2 / 3, delta=0.02)
        self.assertAlmostEqual(schemes["slots"]["moved"] / 20000, 1 / 3, delta=0.02)
        self.assert_nothing_left("s0p", "s1p")

    def test_ctrl_c_drops_the_tables(self):
        process = subprocess.Popen(self.command("--keys", "3000000", "--scheme", "md5_modulo"),
                                   env=self.lab.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        wait_until(lambda: self.lab.psql("s0p", TABLES), "the writing has begun", timeout=60)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out), (1, ""))
        self.assertIn("interrupted", errors)
        self.assert_nothing_left("s0p", "s1p")

    def test_a_shard_that_goes_down_is_named_and_the_other_counted(self):
        process = subprocess.Popen(self.command("--keys", "1000000", "--scheme", "md5_modulo", "--timeout", "60s"),
                                   env=self.lab.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        wait_until(lambda: self.lab.psql("s1p", "SELECT 1 FROM pg_stat_user_tables WHERE schemaname = 'load_test' "
                                                "AND pg_relation_size(relid) > 0"), "rows are on s1p", timeout=60)
        self.lab.run("kill", "s1p")
        self.addCleanup(self.lab.psql, "s1p", "DROP SCHEMA load_test CASCADE")  # as the note says, by hand
        self.addCleanup(self.lab.run, "start", "s1p")
        out, errors = process.communicate(timeout=110)
        self.assertEqual(process.returncode, 1, out + errors)
        self.assertRegex(out, r"FAIL  s1: [1-9]\d* of its \d+ rows acknowledged")
        self.assertRegex(out, r"note  s1 still has the table")
        self.assertRegex(out, r"routed 1,000,000 ≠ counted on the shards that answer [45]\d\d,\d\d\d")
        self.assert_nothing_left("s0p")

    def test_dry_needs_no_server_and_spanish_is_spanish(self):
        dsns = [w for port in (1, 2) for w in ("--shard-dsn", f"host=127.0.0.1 port={port} dbname=shop")]
        run = self.run_it("--dry", "--lang", "es", "--scheme", "ring", "--vnodes", "1", *dsns)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertIn("no se escribió nada", run.stdout)
        self.assertIn("desigual", run.stdout)

    def test_wrong_usage(self):
        for words, hint in ((("--scheme", "rink"), "did you mean ring"), (("--lang", "fr"), "--lang"),
                            (("--keys", "0"), "keys")):
            run = self.run_it(*words)
            self.assertEqual(run.returncode, 2, words)
            self.assertIn(hint, run.stderr)


if __name__ == "__main__":
    unittest.main()
