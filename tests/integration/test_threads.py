"""load_test's threads under load: in a build with the thread sanitizer (./check makes one) no race is reported."""
import pathlib, subprocess, sys, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lab import Lab, program


class ThreadsTest(unittest.TestCase):
    def test_a_run_and_an_interrupted_run_have_no_race(self):
        with Lab(shards=1, replicas=2) as lab:
            environment = dict(lab.environment(), TSAN_OPTIONS="exitcode=66 halt_on_error=0")
            whole = subprocess.run([program("load_test"), "--duration", "2s", "--warmup", "0.5s", "--rate", "200"],
                                   env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90)
            self.assertNotIn("ThreadSanitizer", whole.stderr)
            self.assertEqual(whole.returncode, 0, whole.stdout + whole.stderr)
            cut = subprocess.Popen([program("load_test"), "--duration", "30s", "--warmup", "0.5s", "--closed"],
                                   env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
            try:
                cut.wait(2)
            except subprocess.TimeoutExpired:
                cut.send_signal(2)
            out, err = cut.communicate(timeout=60)
            self.assertNotIn("ThreadSanitizer", err)
            self.assertEqual(cut.returncode, 1, out + err)
            self.assertIn("INTERRUPTED", out)
            self.assertIn("0 lost, 0 twice", out)


if __name__ == "__main__":
    unittest.main()
