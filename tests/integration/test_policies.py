"""load_test policies on a real lab: what the policies promise, and that the primary's settings are put back."""
import json, pathlib, signal, subprocess, sys, tempfile, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lab import Lab, program, wait_until

# Not the default, so that "put back" differs from "reset".
BEFORE = "ANY 1 (r1, r2)"
FILE_VALUE = ("SELECT coalesce((SELECT setting FROM pg_file_settings WHERE name = 'synchronous_standby_names' "
              "AND applied), '(none)')")


class PoliciesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(shards=1, replicas=2)
        cls.lab.__enter__()
        cls.addClassCleanup(cls.lab.__exit__, None, None, None)

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.json = pathlib.Path(self.folder.name) / "policies.json"

    def command(self, *words):
        return [program("load_test"), "policies", "--output", self.folder.name, *words]

    def run_it(self, *words):
        return subprocess.run(self.command(*words), env=self.lab.environment(), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=150)

    def start(self, *words):
        process = subprocess.Popen(self.command(*words), env=self.lab.environment(), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def set_before(self):
        self.lab.psql("p", f"ALTER SYSTEM SET synchronous_standby_names = '{BEFORE}'")
        self.lab.psql("p", "SELECT pg_reload_conf()")
        wait_until(lambda: self.value() == BEFORE, "the value before")
        self.addCleanup(self.lab.psql, "p", "SELECT pg_reload_conf()")
        self.addCleanup(self.lab.psql, "p", "ALTER SYSTEM RESET synchronous_standby_names")

    def value(self):
        return self.lab.psql("p", "SELECT current_setting('synchronous_standby_names') || '|'")[0][0][:-1]

    def marker(self):
        return self.lab.value("p", "SELECT coalesce(to_regclass('load_test.policy_marker')::text, '(none)')")

    def assert_put_back(self, value):
        self.assertEqual(self.lab.value("p", FILE_VALUE), value)
        self.assertEqual(self.value(), "" if value == "(none)" else value)
        self.assertEqual(self.marker(), "(none)")

    def wait_changed(self):
        wait_until(lambda: self.value() == "", "the first policy is set")
        # A table of a run: the load is on its way.
        wait_until(lambda: self.lab.psql("p", "SELECT 1 FROM pg_class WHERE relname ~ '^run_'"), "a run has begun")

    def test_only_remote_apply_of_all_replicas_is_never_stale(self):
        run = self.run_it("--quick", "--json", str(self.json))
        self.assertEqual((run.returncode, run.stderr), (0, ""), run.stdout)
        self.assertRegex(run.stdout, r"counted on every node: 0 lost, 0 twice")
        policies = {p["name"]: p for p in json.loads(self.json.read_text())["policies"]}
        self.assertEqual(len(policies), 8)
        for replica in policies["remote_apply, ANY 2"]["replicas"]:
            self.assertGreater(replica["probes"], 50)
            self.assertEqual((replica["missed"], replica["stale"]), (0.0, 0.0), replica)
        for name in ("commit off", "async (local)"):
            for replica in policies[name]["replicas"]:
                self.assertGreater(replica["missed"], 0, name)
        for policy in policies.values():
            self.assertGreater(policy["writes_per_second_max"][0], 0)
            self.assertGreater(policy["write_p999"][0], 0)
        self.assert_put_back("(none)")

    def test_ctrl_c_puts_the_settings_back(self):
        self.set_before()
        process = self.start("--quick")
        self.wait_changed()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1)
        self.assertIn("interrupted", errors)
        self.assert_put_back(BEFORE)

    def test_after_kill_9_the_next_start_puts_the_settings_back(self):
        self.set_before()
        process = self.start("--quick")
        self.wait_changed()
        process.kill()
        process.communicate()
        self.addCleanup(self.lab.psql, "p", "DROP SCHEMA load_test CASCADE")  # the killed run's table
        self.assertEqual(self.value(), "")  # the change is still there, and its marker
        self.assertEqual(self.marker(), "load_test.policy_marker")
        again = self.start("--quick")
        # The old value was put back first, so this run marks it, and puts it back once more.
        wait_until(lambda: self.lab.psql("p", "SELECT 1 WHERE to_regclass('load_test.policy_marker') IS NOT NULL"),
                   "the next start has begun")
        self.assertIn("an earlier run was killed", again.stderr.readline())
        again.send_signal(signal.SIGTERM)
        again.communicate(timeout=60)
        self.assertEqual(again.returncode, 1)
        self.assert_put_back(BEFORE)

    def test_it_needs_a_superuser(self):
        self.lab.psql("p", "CREATE ROLE plain LOGIN PASSWORD 'plain-secret'")
        self.addCleanup(self.lab.psql, "p", "DROP ROLE plain")
        state = json.loads((self.lab.directory / "lab.json").read_text())
        nodes = state["shards"][0]["nodes"]

        def dsn(node):
            return (f"host={node['host']} port={node['port']} dbname={state['database']} user=plain "
                    f"password=plain-secret application_name={node['name']}")
        wait_until(lambda: all(self.lab.psql(n["name"], "SELECT 1 FROM pg_roles WHERE rolname = 'plain'")
                               for n in nodes), "the role is on every node")
        run = self.run_it("--quick", "--primary", dsn(nodes[0]), *[w for n in nodes[1:] for w in ("--replica", dsn(n))])
        self.assertEqual(run.returncode, 1)
        self.assertIn("superuser", run.stderr)
        self.assertNotIn("plain-secret", run.stderr)
        self.assertEqual(self.marker(), "(none)")


if __name__ == "__main__":
    unittest.main()
