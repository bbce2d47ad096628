"""`reparto demo`: however it ends or is interrupted, nothing is left; and its prompt."""
import fcntl, os, pathlib, pty, re, select, shutil, signal, socket, struct, subprocess, sys, tempfile, termios, time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from lab import Lab, processes_in, program, wait_until

SMALL = ["--shards", "1", "--replicas", "1", "--duration", "1s", "--keys", "500"]


class Demo(unittest.TestCase):
    def setUp(self):
        self.parent = pathlib.Path(tempfile.mkdtemp(prefix="reparto-test-", dir="/tmp"))
        self.parent.chmod(0o1777)
        self.started = []

    def tearDown(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in process.stdout, process.stderr:
                if pipe:
                    pipe.close()
        try:
            self.assert_nothing_left()
        finally:
            for pid in processes_in(self.parent):
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    pass
            shutil.rmtree(self.parent, ignore_errors=True)

    def assert_nothing_left(self):
        wait_until(lambda: not processes_in(self.parent), f"processes end: {processes_in(self.parent)}")
        wait_until(lambda: not list(self.parent.glob("reparto-demo.*")), "the directory goes")

    def words(self, *options):
        return [program("reparto"), "demo", "--output", str(self.parent / "reports"), *options]

    def start(self, *options, **settings):
        """In a session of its own, without a terminal unless it is given one."""
        settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                    "env": dict(os.environ, TMPDIR=str(self.parent)), "start_new_session": True, **settings}
        process = subprocess.Popen(self.words(*options), **settings)
        self.started.append(process)
        return process

    def lab_is_up(self):
        return list(self.parent.glob("*/lab.json"))


class Terminal:
    """The demo on a terminal of its own, as a user sees it."""

    def __init__(self, test, *options):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 60, 120, 0, 0))  # psql's pager stays away
        self.shown, self.begun = "", time.monotonic()
        self.process = test.start(*options, stdin=slave, stdout=slave, stderr=slave, preexec_fn=self.adopt)
        os.close(slave)

    @staticmethod
    def adopt():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # Ctrl-C goes to its foreground processes

    def read(self, until, timeout=60):
        """Reads on until `until`, a pattern, has come; returns what came since the last call."""
        begun, end = len(self.shown), time.monotonic() + timeout
        while not re.search(until, self.shown[begun:]):
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            try:
                part = os.read(self.master, 65536).decode(errors="replace") if ready else ""
            except OSError:
                part = ""
            if not part:
                raise AssertionError(f"{until} did not come: …{self.shown[-2000:]}")
            self.shown += part
        return self.shown[begun:]

    def say(self, line, until="demo> "):
        os.write(self.master, line.encode())
        return self.read(until)

    def end(self, timeout=30):
        """Its exit status; what it said to the last is in `shown`, also what came as it ended."""
        end = time.monotonic() + timeout
        has_ended = False
        while time.monotonic() < end:
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    self.shown += os.read(self.master, 65536).decode(errors="replace")
                    continue
                except OSError:
                    break  # nobody has the terminal any more, and all is read
            if has_ended:
                break
            has_ended = self.process.poll() is not None
        os.close(self.master)
        return self.process.wait(timeout=1)


class Prompt(Demo):
    def test_a_whole_demo_and_its_prompt(self):
        (self.parent / "pgbadger.pid").write_text(str(os.getpid()))  # as another's report would at this moment
        terminal = Terminal(self, *SMALL)
        shown = terminal.read("demo> ")
        for part in "rows of", "rows on a shard that is not theirs: 0", "things to try", "load_test", "status":
            self.assertIn(part, shown)
        cases = [
            ("\n", ""), ("frezee r1\n", "did you mean freeze"), ("xyzzy\n", "help lists them"),
            ("help\n", "its replication link is cut"), ("psql p -- -Atc 'SELECT 40 + 2'\n", "42"),
            ("psql p -- -Atc \"SELECT 'a  b'\"\n", "a  b\r\n"), ("psql 'p\n", "a quote is not closed"),
            ("status " + "x " * 40 + "\n", "more than 16 words"), ("freeze nosuch\n", "nosuch"),
            ("freeze r1\n", "frozen"), ("thaw r1\n", "runs again"), ("a" * 3000 + "\n", "no command"),
        ]
        for line, part in cases:
            self.assertIn(part, terminal.say(line), line[:40])

        terminal.say("status --watch\n", "r1")  # Ctrl-C is the command's, not the demo's
        self.assertNotIn("interrupted", terminal.say("\x03"))
        terminal.say("psql p\n", "shop=#")
        terminal.say("SELECT pg_sleep(60);\n", "pg_sleep")
        time.sleep(0.3)  # till it is in the server
        terminal.say("\x03", "cancel")
        terminal.say("\\q\n")
        self.assertIn("42", terminal.say("psql p -- -Atc 'SELECT 42'\n"))

        os.write(terminal.master, b"\x03")
        self.assertEqual(terminal.end(), 130)
        self.assertEqual(terminal.shown.count("interrupted"), 1, terminal.shown[-600:])

    def test_end_of_file_at_the_prompt_ends_it(self):
        terminal = Terminal(self, *SMALL)
        terminal.read("demo> ")
        os.write(terminal.master, b"\x04")
        self.assertEqual(terminal.end(), 0)
        self.assertIn("stopped and removed", terminal.shown)


class Endings(Demo):
    def test_ctrl_c_at_any_moment_leaves_nothing(self):
        """From the first fork over the start of the servers to the load."""
        moments = [float(m) for m in os.environ.get("REPARTO_TEST_MOMENTS", "0 0.4 1.2 3").split()]
        for moment in moments:
            with self.subTest(seconds=moment):
                terminal = Terminal(self, *SMALL, "--duration", "20s")
                if moment == 0:
                    wait_until(lambda: list(self.parent.glob("reparto-demo.*")), "it has begun")
                else:
                    wait_until(lambda: terminal.process.poll() is None and time.monotonic() - terminal.begun > moment,
                               "the moment")
                os.write(terminal.master, b"\x03")
                self.assertEqual(terminal.end(), 130, terminal.shown)
                self.assertEqual(len(re.findall("reparto demo: ", terminal.shown)), 1, terminal.shown)
                self.assertEqual(processes_in(self.parent), [])
                self.assertEqual(list(self.parent.glob("reparto-demo.*")), [])

    def test_a_kill_takes_the_lab_with_it(self):
        demo = self.start(*SMALL, "--duration", "20s")
        wait_until(self.lab_is_up, "the lab is up", 40)
        demo.kill()
        demo.communicate(timeout=20)
        self.assert_nothing_left()

    def test_sigterm_during_the_load_ends_it_at_once(self):
        demo = self.start(*SMALL, "--duration", "60s")
        for line in iter(demo.stdout.readline, b""):
            if b"load_test --shard" in line:
                break
        demo.terminate()
        demo.communicate(timeout=25)
        self.assertEqual(demo.returncode, 130)
        self.assert_nothing_left()

    def test_a_reader_that_goes_away_ends_it(self):
        demo = self.start(*SMALL)
        demo.stdout.close()
        demo.stderr.read()
        self.assertNotEqual(demo.wait(timeout=60), 0)
        self.assert_nothing_left()


class Refusals(Demo):
    def test_what_cannot_work_is_said_and_nothing_runs(self):
        full = self.parent / "full"
        full.mkdir()
        (full / "precious").write_text("x")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            cases = [
                (["--dir", str(full)], {}, 1, "full"),
                (["--port", port], {}, 1, f"port {port} for p is in use"),
                ([], {"TMPDIR": str(self.parent / "nowhere")}, 1, "its parent must exist"),
                ([], {"TMPDIR": str(self.parent / ("x" * 120))}, 1, "hint: "),
                (["--dir", "x" * 5000], {}, 1, "longer than"),
                (["--shards", "0"], {}, 2, "--shards"),
                (["--shrads", "2"], {}, 2, "--shards"),
                (["now"], {}, 2, "unexpected argument"),
            ]
            for options, environment, status, part in cases:
                demo = self.start(*SMALL, *options, env={**os.environ, "TMPDIR": str(self.parent), **environment})
                _, err = demo.communicate(timeout=30)
                self.assertEqual(demo.returncode, status, err)
                self.assertIn(part, err.decode(), options)
                self.assert_nothing_left()
        self.assertEqual((full / "precious").read_text(), "x")

    def test_the_lab_of_somebody_else_is_not_touched(self):
        with Lab(replicas=0) as lab:
            demo = self.start(*SMALL, "--dir", str(lab.directory))
            _, err = demo.communicate(timeout=30)
            self.assertEqual(demo.returncode, 1)
            self.assertIn("a lab is running at", err.decode())
            self.assertEqual(lab.value("p", "SELECT count(*) FROM pg_namespace WHERE nspname = 'shop'"), "0")

    def test_closed_descriptors_are_no_connections(self):
        """The next socket would have the number of stdout, and the demo's lines would go into it."""
        demo = self.start(*SMALL, stdin=None, stdout=None, stderr=None,
                          preexec_fn=lambda: [os.close(fd) for fd in (0, 1, 2)])
        links = wait_until(lambda: self.lab_is_up() and [os.readlink(f"/proc/{demo.pid}/fd/{fd}") for fd in range(3)],
                           "it runs", 40)
        self.assertEqual(links, ["/dev/null"] * 3)
        demo.terminate()
        self.assertEqual(demo.wait(timeout=25), 130)

    def test_without_its_programs_it_says_so(self):
        alone = self.parent / "reparto"
        shutil.copy(program("reparto"), alone)
        result = subprocess.run([alone, "demo"], env={"TMPDIR": str(self.parent)}, capture_output=True, text=True,
                                timeout=20)
        self.assertEqual(result.returncode, 1)
        self.assertIn("load_test is not there", result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
