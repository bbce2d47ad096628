"""The launcher: what it starts, what its faults do as seen through SQL, and that nothing is left behind."""
import json, os, pathlib, pwd, shutil, signal, socket, subprocess, sys, time, unittest

sys.path.insert(0, os.path.dirname(__file__))
from lab import Lab, open_files, process_state, processes_in, program, wait_until

ROW = "SELECT count(*) FROM t"


def streaming(lab, primary):
    return {row[0] for row in lab.psql(
        primary, "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'")}


class Healthy(unittest.TestCase):
    """Looks, and faults that are undone, on one lab of 2 shards."""

    @classmethod
    def setUpClass(cls):
        cls.begun = time.monotonic()
        cls.lab = Lab(shards=2, replicas=2)
        cls.lab.__enter__()
        cls.took = time.monotonic() - cls.begun
        for shard in "s0p", "s1p":
            cls.lab.psql(shard, "CREATE TABLE t (n int)")

    @classmethod
    def tearDownClass(cls):
        cls.lab.__exit__()
        assert not processes_in(cls.lab.parent), "the lab left processes"
        assert not cls.lab.parent.exists()

    def test_up_gives_all_nodes_streaming(self):
        nodes = self.lab.nodes()
        self.assertEqual(list(nodes), ["s0p", "s0r1", "s0r2", "s1p", "s1r1", "s1r2"])
        self.assertEqual({n["state"] for n in nodes.values()}, {"running"})
        for shard in "s0", "s1":
            self.assertEqual(nodes[shard + "p"]["role"], "primary")
            self.assertEqual(streaming(self.lab, shard + "p"), {shard + "r1", shard + "r2"})
        self.assertLess(self.took, 30)

    def test_lab_json_is_private_and_right(self):
        state = self.lab.state()
        self.assertEqual((self.lab.directory / "lab.json").stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.lab.directory.stat().st_mode & 0o777, 0o700)
        self.assertEqual((self.lab.directory / "control").stat().st_mode & 0o777, 0o600)
        self.assertEqual((state["format"], state["database"], state["user"]), (1, "shop", "postgres"))
        self.assertEqual([s["name"] for s in state["shards"]], ["s0", "s1"])
        self.assertTrue(process_state(state["supervisor_pid"]))
        for shard in state["shards"]:
            for node in shard["nodes"]:
                self.assertTrue(list(pathlib.Path(node["log"]).glob("postgresql-*.log")), node["name"])

    def test_settings_are_the_specified_ones(self):
        wanted = {"data_checksums": "on", "wal_level": "replica", "track_commit_timestamp": "on", "fsync": "on",
                  "max_connections": "100", "log_min_duration_statement": "0", "log_statement": "none",
                  "deadlock_timeout": "200ms", "log_replication_commands": "on", "listen_addresses": "127.0.0.1",
                  "log_line_prefix": "%t [%p]: user=%u,db=%d,app=%a,client=%h ", "synchronous_commit": "on"}
        for node in "s0p", "s1r2":
            for name, value in wanted.items():
                self.assertEqual(self.lab.value(node, f"SHOW {name}"), value, f"{node} {name}")

    def test_shards_are_clusters_of_their_own(self):
        ids = [self.lab.value(n, "SELECT system_identifier FROM pg_control_system()")
               for n in ("s0p", "s0r1", "s1p", "s1r1")]
        self.assertEqual(ids[0], ids[1])
        self.assertEqual(ids[2], ids[3])
        self.assertNotEqual(ids[0], ids[2])

    def test_replicas_use_slots_of_their_names(self):
        self.assertEqual(self.lab.psql("s0p", "SELECT slot_name, active FROM pg_replication_slots ORDER BY 1"),
                         [("s0r1", "t"), ("s0r2", "t")])

    def test_wrong_password_and_no_password_are_refused(self):
        node = self.lab.nodes()["s0p"]
        psql = os.path.join(self.lab.state()["bin"], "psql")
        for password in "wrong", "":
            for user in "postgres", "replicator":
                result = subprocess.run([psql, "-w", "-h", "127.0.0.1", "-p", str(node["port"]), "-U", user, "shop",
                                         "-c", "SELECT 1"], env=dict(os.environ, PGPASSWORD=password, PGPASSFILE="/dev/null"),
                                        capture_output=True, text=True, timeout=20)
                self.assertEqual(result.returncode, 2, result.stdout)
        self.assertEqual(self.lab.value("s0p", "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method NOT IN "
                                               "('scram-sha-256', 'reject')"), "0")
        self.assertEqual(self.lab.value("s0p", "SELECT count(*) FROM pg_authid WHERE rolpassword IS NOT NULL AND "
                                               "rolpassword NOT LIKE 'SCRAM-SHA-256$%'"), "0")

    def test_replicator_may_only_replicate(self):
        secret = (self.lab.directory / "replication.pass").read_text().strip().rsplit(":", 1)[1]
        psql = os.path.join(self.lab.state()["bin"], "psql")
        result = subprocess.run([psql, "-w", "-h", "127.0.0.1", "-p", str(self.lab.nodes()["s0p"]["port"]), "-U",
                                 "replicator", "shop", "-c", "SELECT 1"], env=dict(os.environ, PGPASSWORD=secret),
                                capture_output=True, text=True, timeout=20)
        self.assertEqual(result.returncode, 2)
        self.assertIn("pg_hba.conf rejects", result.stderr)

    def test_no_password_in_titles_or_logs(self):
        secrets = [self.lab.state()["password"],
                   (self.lab.directory / "replication.pass").read_text().strip().rsplit(":", 1)[1]]
        titles = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                titles.append((entry / "cmdline").read_bytes().decode(errors="replace"))
            except OSError:
                pass
        logs = [p.read_text(errors="replace") for p in self.lab.directory.rglob("*.log")]
        self.assertGreaterEqual(len(logs), 7)
        for secret in secrets:
            self.assertEqual([t for t in titles + logs if secret in t], [])

    def test_nothing_runs_as_root_and_descriptors_are_closed(self):
        pids = processes_in(self.lab.directory)
        self.assertGreater(len(pids), 20)
        for pid in pids:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            self.assertNotIn("\nUid:\t0\t", status)
        for node in self.lab.nodes().values():
            foreign = [l for l in open_files(node["pid"]) if l.startswith("/") and not l.startswith((str(self.lab.directory), "/dev/null"))]
            self.assertEqual(foreign, [], node["name"])

    def test_freeze_stops_all_and_thaw_lets_it_catch_up(self):
        self.lab.run("freeze", "s1r1")
        node = self.lab.nodes()["s1r1"]
        self.assertEqual(node["state"], "frozen")
        pids = processes_in(node["data"])
        self.assertGreaterEqual(len(pids), 5)
        self.assertEqual({process_state(p) for p in pids}, {"T"})
        with self.assertRaises(subprocess.TimeoutExpired):
            self.lab.psql("s1r1", "SELECT 1", timeout=1)
        self.lab.psql("s1p", "INSERT INTO t VALUES (1)")
        self.assertEqual(self.lab.call("freeze", "s1r1").returncode, 1)
        self.lab.run("thaw", "s1r1")
        rows = self.lab.value("s1p", ROW)
        wait_until(lambda: self.lab.value("s1r1", ROW) == rows, "s1r1 catches up after the thaw")

    def test_frozen_walreceiver_still_reads_but_gets_nothing(self):
        self.lab.run("freeze", "s1r2", "--walreceiver")
        self.assertTrue(self.lab.nodes()["s1r2"]["walreceiver_frozen"])
        before = self.lab.value("s1r2", ROW)
        self.lab.psql("s1p", "INSERT INTO t VALUES (2)")
        rows = self.lab.value("s1p", ROW)
        wait_until(lambda: self.lab.value("s1r1", ROW) == rows, "s1r1 gets the row")
        self.assertEqual(self.lab.value("s1r2", ROW), before)
        self.lab.run("thaw", "s1r2")
        wait_until(lambda: self.lab.value("s1r2", ROW) == rows, "s1r2 catches up")
        self.assertEqual(self.lab.call("freeze", "s1p", "--walreceiver").returncode, 1)

    def test_cut_is_a_black_hole_and_heal_mends_it(self):
        self.lab.run("cut", "s0r1")
        self.lab.psql("s0p", "INSERT INTO t VALUES (3)")
        rows = self.lab.value("s0p", ROW)
        wait_until(lambda: self.lab.value("s0r2", ROW) == rows, "s0r2 gets the row")
        self.assertNotEqual(self.lab.value("s0r1", ROW), rows)
        self.assertIn("s0r1", streaming(self.lab, "s0p"))  # the connection stays
        self.assertTrue(self.lab.nodes()["s0r1"]["cut"])
        self.lab.run("heal", "s0r1")
        wait_until(lambda: self.lab.value("s0r1", ROW) == rows, "s0r1 catches up")

    def test_cut_of_a_primary_cuts_all_its_replicas(self):
        self.lab.run("cut", "s0p")
        nodes = self.lab.nodes()
        self.assertEqual([n for n in nodes if nodes[n]["cut"]], ["s0r1", "s0r2"])
        self.lab.run("heal", "s0p")
        self.assertEqual([n for n, node in self.lab.nodes().items() if node["cut"]], [])

    def test_lag_delays_commits_that_wait_for_the_replica(self):
        def commit_ms():
            begun = time.monotonic()
            self.lab.psql("s0p", "INSERT INTO t VALUES (4)")
            return (time.monotonic() - begun) * 1000
        self.lab.psql("s0p", "ALTER SYSTEM SET synchronous_standby_names = 's0r2'")
        self.lab.psql("s0p", "SELECT pg_reload_conf()")
        try:
            wait_until(lambda: self.lab.value("s0p", "SELECT sync_state FROM pg_stat_replication WHERE "
                                                     "application_name = 's0r2'") == "sync", "s0r2 is sync")
            self.lab.run("lag", "s0r2", "700")
            self.assertEqual(self.lab.nodes()["s0r2"]["delay_ms"], 700)
            self.assertGreaterEqual(commit_ms(), 700)
            self.lab.run("lag", "s0r2", "0")
            wait_until(lambda: commit_ms() < 600, "commits are fast again")
        finally:
            self.lab.run("lag", "s0r2", "0")
            self.lab.psql("s0p", "ALTER SYSTEM RESET synchronous_standby_names")
            self.lab.psql("s0p", "SELECT pg_reload_conf()")

    def test_the_callers_postgres_variables_do_not_lead_elsewhere(self):
        environment = dict(self.lab.environment(), PGSSLMODE="verify-full", PGHOSTADDR="192.0.2.1", PGPORT="1",
                           PGUSER="x", PGDATABASE="x", PGPASSWORD="x")
        status = subprocess.run(self.lab.words("status", "--json"), env=environment, capture_output=True, text=True,
                                timeout=30)
        nodes = [n for shard in json.loads(status.stdout)["shards"] for n in shard["nodes"]]
        self.assertEqual([n["name"] for n in nodes if not n["lsn"]], [])
        result = subprocess.run(self.lab.words("psql", "s0p", "--", "-XAtc", "SELECT 1"), env=environment,
                                capture_output=True, text=True, timeout=30)
        self.assertEqual(result.stdout, "1\n", result.stderr)

    def test_a_second_up_in_the_directory_is_refused(self):
        result = self.lab.call("up")
        self.assertEqual(result.returncode, 1)
        self.assertIn("running at", result.stderr)
        self.assertIn("hint:", result.stderr)
        self.assertTrue(self.lab.is_running())

    def test_a_second_lab_runs_beside_it_and_as_non_root(self):
        user = str(pwd.getpwnam("nobody").pw_uid) if os.geteuid() == 0 else None
        with Lab(replicas=1, user=user) as other:
            self.assertEqual(set(other.nodes()), {"p", "r1"})
            ports = [n["port"] for lab in (self.lab, other) for n in lab.nodes().values()]
            self.assertEqual(len(ports), len(set(ports)))
            if user:
                self.assertEqual(os.stat(other.directory).st_uid, int(user))
        self.assertFalse(processes_in(other.parent))
        self.assertTrue(self.lab.is_running())

    def test_bad_commands_say_what_to_do(self):
        cases = [
            (["freeze", "s0r3"], 1, "did you mean"), (["freze", "s0r1"], 2, "did you mean freeze"),
            (["freeze"], 2, "usage:"), (["lag", "s0r1", "--", "-5"], 2, "delay"), (["lag", "s0r1", "1h"], 2, "delay"),
            (["freeze", "s0r1", "--frce"], 2, "unknown option"), (["thaw", "s0r1", "x"], 2, "usage:"),
            (["start", "s0r1"], 1, "running"), (["promote", "s0p"], 1, "primary already"),
            (["promote", "s0r1"], 1, "kill s0p"), (["start", "s0p", "--rebuild"], 1, "rebuild it from"),
            (["up", "--shards", "0"], 2, "1..16"), (["up", "--settings", "port=1"], 1, "launcher's own"),
            (["up", "--settings", "x"], 1, "name=value"),
        ]
        for words, status, part in cases:
            result = self.lab.call(*words)
            self.assertEqual(result.returncode, status, f"{words}: {result.stderr}")
            self.assertIn(part, result.stderr, words)
            self.assertNotIn("Traceback", result.stderr)
        self.assertEqual({n["state"] for n in self.lab.nodes().values()}, {"running"})

    def test_control_socket_bears_bad_clients(self):
        path = str(self.lab.directory / "control")
        for request in b"nonsense\n", b"[]\n", b'{"command": "fly"}\n', b'{"command": "freeze", "node": 7}\n', b"x" * 20000:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(10)
                client.connect(path)
                try:
                    client.sendall(request)
                    answer = client.recv(65536)
                except (BrokenPipeError, ConnectionResetError):
                    answer = b""  # too long: hung up on
                if request.endswith(b"\n"):
                    self.assertFalse(json.loads(answer)["ok"])
                else:
                    self.assertEqual(answer, b"")
        silent = [socket.socket(socket.AF_UNIX) for _ in range(8)]
        try:
            for client in silent:
                client.connect(path)
            self.assertTrue(self.lab.is_running())  # nobody waits for the silent ones
            silent[0].settimeout(10)
            self.assertEqual(silent[0].recv(1), b"")  # and they are hung up on
        finally:
            for client in silent:
                client.close()


class Failover(unittest.TestCase):
    def test_kill_promote_and_rebuild(self):
        with Lab(replicas=2) as lab:
            lab.psql("p", "CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
            pids = processes_in(lab.nodes()["p"]["data"])
            lab.run("kill", "p")
            self.assertEqual([p for p in pids if process_state(p)], [])
            self.assertEqual(lab.nodes()["p"]["state"], "stopped")
            self.assertEqual(lab.call("freeze", "p").returncode, 1)

            lab.run("start", "p")  # back as it was
            self.assertEqual(lab.value("p", ROW), "1")
            wait_until(lambda: streaming(lab, "p") == {"r1", "r2"}, "both replicas come back")

            lab.run("kill", "p")
            told = lab.run("promote", "r1")["told"]
            self.assertIn("r1 is the primary of s0 now, timeline 2", told)
            self.assertIn("r2 streams from r1", told)
            roles = {n["name"]: n["role"] for n in lab.state()["shards"][0]["nodes"]}
            self.assertEqual(roles, {"p": "former primary", "r1": "primary", "r2": "replica"})
            lab.psql("r1", "INSERT INTO t VALUES (2)")
            wait_until(lambda: lab.value("r2", ROW) == "2", "r2 follows r1")

            told = lab.run("start", "p")["told"]
            self.assertIn("rebuilt as a replica of r1", told)
            self.assertEqual(streaming(lab, "r1"), {"p", "r2"})
            self.assertEqual(lab.psql("p", "SELECT pg_is_in_recovery(), (" + ROW + ")"), [("t", "2")])
            self.assertEqual(lab.psql("r1", "SELECT slot_name FROM pg_replication_slots ORDER BY 1"), [("p",), ("r2",)])

            lab.run("kill", "r2")
            lab.run("start", "r2", "--rebuild")
            wait_until(lambda: streaming(lab, "r1") == {"p", "r2"}, "r2 was rebuilt")

            lab.run("freeze", "r1")  # a frozen primary is a split brain to be
            self.assertIn("frozen", lab.call("promote", "p").stderr)
            self.assertIn("split brain", lab.run("promote", "p", "--force")["told"])
            lab.run("thaw", "r1")
            self.assertEqual([lab.value(n, "SELECT pg_is_in_recovery()") for n in ("p", "r1")], ["f", "f"])
            lab.run("freeze", "r2")
        self.assertFalse(processes_in(lab.parent))
        self.assertFalse(lab.parent.exists())

    def test_a_kill_returns_when_all_is_dead_though_the_machine_is_busy(self):
        """A process that is ending has no working directory for a while before it is a zombie."""
        with Lab(replicas=0) as lab:
            busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(6)]
            try:
                for _ in range(3):
                    pids = processes_in(lab.nodes()["p"]["data"])
                    self.assertGreaterEqual(len(pids), 5)
                    lab.run("kill", "p")
                    self.assertEqual([p for p in pids if process_state(p)], [])
                    lab.run("start", "p")
            finally:
                for process in busy:
                    process.kill()
                    process.wait()

    def test_a_replica_that_is_behind_is_not_promoted(self):
        with Lab(replicas=2) as lab:
            lab.psql("p", "CREATE TABLE t (n int)")
            wait_until(lambda: lab.psql("p", "SELECT bool_and(replay_lsn = pg_current_wal_lsn()) FROM "
                                             "pg_stat_replication") == [("t",)], "both are level")
            lab.run("cut", "r1")
            lab.psql("p", "INSERT INTO t SELECT generate_series(1, 1000)")
            wait_until(lambda: lab.value("r2", ROW) == "1000", "r2 has the rows")
            lab.run("kill", "p")
            result = lab.call("promote", "r1")
            self.assertEqual(result.returncode, 1)
            self.assertIn("promote r2", result.stderr)
            lab.run("promote", "r2")
            self.assertEqual(lab.value("r2", ROW), "1000")


def shared_memory(lab):
    """(key, id) of the System V segment of each server, as its postmaster.pid tells."""
    return {tuple(pathlib.Path(node["data"], "postmaster.pid").read_text().splitlines()[6].split())
            for node in lab.nodes().values()}


def all_shared_memory():
    return {tuple(line.split()[:2]) for line in pathlib.Path("/proc/sysvipc/shm").read_text().splitlines()[1:]}


class Endings(unittest.TestCase):
    """However it ends: no process, no directory, no shared memory."""

    def assert_nothing_left(self, lab, timeout=20):
        wait_until(lambda: not processes_in(lab.parent), f"processes end: {processes_in(lab.parent)}", timeout)
        wait_until(lambda: not lab.directory.exists(), "the directory goes", timeout)

    def pids(self, lab):
        status = lab.run("status")
        return status["supervisor_pid"], status["guardian_pid"]

    def test_supervisor_killed_with_a_frozen_node(self):
        with Lab(replicas=1) as lab:
            segments = shared_memory(lab)
            self.assertLessEqual(segments, all_shared_memory())
            lab.run("freeze", "r1")
            os.kill(self.pids(lab)[0], signal.SIGKILL)
            self.assert_nothing_left(lab)
            self.assertFalse(segments & all_shared_memory())
            result = lab.call("status")
            self.assertEqual(result.returncode, 1)
            self.assertIn("reparto lab up", result.stderr)
            result = lab.call("psql", "p")
            self.assertIn("no lab at", result.stderr)

    def test_guardian_killed(self):
        with Lab(replicas=1) as lab:
            lab.run("freeze", "r1")
            os.kill(self.pids(lab)[1], signal.SIGKILL)
            self.assert_nothing_left(lab)

    def kill_both(self, lab):
        """With a frozen node, which outlives them; returns the processes that are left."""
        lab.run("freeze", "r1")
        supervisor, guardian = self.pids(lab)
        os.kill(guardian, signal.SIGSTOP)  # so that it can't clean up before it dies
        os.kill(supervisor, signal.SIGKILL)
        os.kill(guardian, signal.SIGKILL)
        wait_until(lambda: not process_state(guardian), "the guardian is dead")
        self.assertTrue(lab.directory.exists())
        left = processes_in(lab.parent)
        self.assertTrue(left)
        return left

    def test_both_killed_and_the_next_up_cleans(self):
        with Lab(replicas=1) as lab:
            left = self.kill_both(lab)
            lab.run(*lab.up_words)
            self.assertEqual([p for p in left if process_state(p)], [])
            self.assertEqual(lab.value("p", "SELECT 1"), "1")
        self.assertFalse(processes_in(lab.parent))

    def test_both_killed_and_down_cleans(self):
        for options in [], ["--keep"]:
            with Lab(replicas=1, options=options) as lab:
                segments = shared_memory(lab)
                left = self.kill_both(lab)
                shell = subprocess.Popen(["sleep", "60"], cwd=lab.directory, user=lab.directory.owner())
                self.addCleanup(shell.wait)
                self.addCleanup(shell.kill)
                result = lab.call("down")
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual([p for p in left if process_state(p)], [])
                self.assertEqual(processes_in(lab.parent), [shell.pid])  # a user's shell that stands there lives
                self.assertEqual(lab.directory.exists(), bool(options))
                if not options:
                    self.assertFalse(segments & all_shared_memory())
                self.assertEqual(lab.call("down").returncode, 1)  # nothing is left to do

    def test_a_supervisor_that_hangs_is_brought_down(self):
        with Lab(replicas=0) as lab:
            os.kill(self.pids(lab)[0], signal.SIGSTOP)
            self.assertEqual(lab.call("down").returncode, 0)
            self.assert_nothing_left(lab)

    def test_keep_leaves_the_files_and_nothing_else(self):
        with Lab(replicas=1, options=["--keep"]) as lab:
            tool = os.path.join(lab.state()["bin"], "pg_controldata")
            self.assertEqual(lab.call("down").returncode, 0)
            self.assertFalse(processes_in(lab.parent))
            self.assertTrue((lab.directory / "p/data/PG_VERSION").exists())
            control = subprocess.run([tool, lab.directory / "p/data"], capture_output=True, text=True)
            self.assertIn("shut down", control.stdout)
            result = lab.call("up")
            self.assertEqual(result.returncode, 1)
            self.assertIn("kept", result.stderr)

    def interrupt(self, lab, words, when, number=signal.SIGINT):
        up = subprocess.Popen(lab.words(*words), env=lab.environment(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            wait_until(when, "it has come that far", 30)
            os.killpg(up.pid, number)
            out, err = up.communicate(timeout=40)
        finally:
            if up.poll() is None:
                up.kill()
                up.communicate()
        return up.returncode, out, err

    def test_interrupted_up_stops_everything(self):
        for file in "reparto-lab.lock", "p/data/base", "p/data/postmaster.pid", "r1/data/base":
            lab = Lab(replicas=1)
            try:
                status, _, err = self.interrupt(lab, lab.up_words, (lab.directory / file).exists)
                self.assertEqual(status, 1, err)
                self.assertIn("interrupted", err)
                self.assertFalse(processes_in(lab.parent))
                self.assertFalse(lab.directory.exists())
            finally:
                lab.remove()

    def test_killed_up_stops_everything(self):
        lab = Lab(replicas=1)
        try:
            self.interrupt(lab, lab.up_words, (lab.directory / "p/data/postmaster.pid").exists, signal.SIGKILL)
            self.assert_nothing_left(lab)
        finally:
            lab.remove()

    def test_foreground_ends_with_ctrl_c_and_with_its_own_death(self):
        for number in signal.SIGINT, signal.SIGKILL:
            lab = Lab(replicas=0)
            try:
                status, out, err = self.interrupt(lab, [*lab.up_words, "--foreground"],
                                                  (lab.directory / "lab.json").exists, number)
                if number == signal.SIGINT:
                    self.assertEqual((status, err), (0, ""))
                    self.assertIn("primary", out)
                    self.assertFalse(processes_in(lab.parent))
                    self.assertFalse(lab.directory.exists())
                self.assert_nothing_left(lab)
            finally:
                lab.remove()

    def test_a_pipe_does_not_hang(self):
        lab = Lab(replicas=0)
        try:
            command = " ".join(lab.words(*lab.up_words)) + " | tee /dev/null"
            result = subprocess.run(["sh", "-c", command], env=lab.environment(), capture_output=True, text=True, timeout=30)
            self.assertEqual(result.returncode, 0)
            self.assertRegex(result.stdout, r"(?m)^ *\d+\.\d s  p +primary +127\.0\.0\.1:\d+$")
            self.assertEqual(result.stderr, "")  # no progress line without a terminal
            self.assertEqual(lab.call("down").returncode, 0)
            self.assert_nothing_left(lab)
        finally:
            lab.remove()


class Refusals(unittest.TestCase):
    def refused(self, lab, words, part):
        result = lab.call(*words)
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertIn(part, result.stderr)
        self.assertIn("hint:", result.stderr)
        self.assertFalse(processes_in(lab.parent))

    def test_what_cannot_work_is_said_in_one_line(self):
        lab = Lab(replicas=0)
        try:
            self.refused(lab, ["down"], "no lab runs at")
            self.refused(lab, ["up", "--bin", "/usr/bin"], "no postgres")
            self.assertFalse(lab.directory.exists())
            self.refused(lab, ["up", "--settings", "wrok_mem=1"], "wrok_mem")
            self.assertFalse(lab.directory.exists())
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                taken.listen()
                self.refused(lab, ["up", "--port", str(taken.getsockname()[1])], "in use")
            self.assertFalse(lab.directory.exists())
            lab.directory.mkdir()
            (lab.directory / "precious").write_text("x")
            self.refused(lab, ["up"], "left alone" if os.geteuid() != 0 else "another user")
            self.assertTrue((lab.directory / "precious").exists())
            shutil.rmtree(lab.directory)
            lab.directory.symlink_to("/tmp")
            self.refused(lab, ["up"], "not a directory")
        finally:
            lab.remove()

    @unittest.skipUnless(os.geteuid() == 0, "needs root: mounts a small file system")
    def test_full_disk(self):
        lab = Lab(replicas=0)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m,mode=1777", "none", lab.parent],
                          capture_output=True).returncode != 0:
            lab.remove()
            self.skipTest("mount is not allowed here")
        try:
            self.refused(lab, ["up"], "No space left")
            self.assertFalse(lab.directory.exists())
        finally:
            subprocess.run(["umount", lab.parent], check=True)
            lab.remove()

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_root_is_dropped_or_refused(self):
        lab = Lab(replicas=0)
        try:
            self.refused(lab, ["up", "--user", "root"], "does not run as root")
            lab.parent.chmod(0o700)
            self.refused(lab, ["up"], "cannot work in")
            self.assertFalse(lab.directory.exists())
        finally:
            lab.remove()


if __name__ == "__main__":
    unittest.main(verbosity=2)
