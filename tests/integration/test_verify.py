"""load_test verify: rows made by hand, against acknowledgements that say what should be there."""
import pathlib, signal, subprocess, sys, tempfile, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lab import Lab, program, wait_until

ROWS = 2000  # per writer
TABLE = "load_test.run_41"


class VerifyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(replicas=2)
        cls.lab.__enter__()
        cls.addClassCleanup(cls.lab.__exit__, None, None, None)
        cls.folder = tempfile.TemporaryDirectory(prefix="reparto-verify-")
        cls.addClassCleanup(cls.folder.cleanup)

    def setUp(self):
        self.lab.psql("p", f"CREATE SCHEMA IF NOT EXISTS load_test; DROP TABLE IF EXISTS {TABLE}; "
                           f"CREATE TABLE {TABLE} (writer integer, sequence bigint, payload text); "
                           f"INSERT INTO {TABLE} SELECT w, s, 'x' FROM generate_series(0, 1) w, "
                           f"generate_series(1, {ROWS}) s")
        for path in pathlib.Path(self.folder.name).iterdir():
            path.unlink()

    def acks(self, changes=None, extra=()):
        """The acknowledgements of all rows; changes: {(writer, sequence): state}; extra: more lines."""
        states = {(w, s): "acked" for w in range(2) for s in range(1, ROWS + 1)}
        states.update(changes or {})
        lines = [f"{w} {s} {state}" for (w, s), state in states.items()] + list(extra)
        path = pathlib.Path(self.folder.name) / "load_test-acks-41.csv"
        total = 0
        for line in [TABLE, *lines]:
            total = siphash13(total, 0, line.encode())
        path.write_text("\n".join(["load_test acknowledgements 1", f"table {TABLE}", *lines,
                                   f"end {len(lines)} {total:016x}", ""]))
        return path

    def verify(self, path, *words, seconds=40):
        return subprocess.run([program("load_test"), "verify", str(path), "--output", self.folder.name, *words],
                              env=self.lab.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds)

    def expect(self, result, status, *texts):
        everything = result.stdout + result.stderr
        self.assertEqual(result.returncode, status, everything)
        for text in texts:
            self.assertIn(text, everything)
        self.assertNotIn(self.lab.state()["password"], everything)

    def test_all_fine(self):
        result = self.verify(self.acks())
        self.expect(result, 0, "PASS  nothing lost, nothing twice")
        for name in ("p", "r1", "r2"):
            self.assertRegex(result.stdout, rf"(?m)^{name} +127\.0\.0\.1:\d+ +{2 * ROWS} acknowledged, 0 lost, 0 twice$")
        self.expect(self.verify(self.acks(), "--lang", "es"), 0, f"{2 * ROWS} confirmadas, 0 perdidas, 0 dobles")

    def test_a_lost_row_is_found_on_every_node_and_its_id_kept(self):
        self.lab.psql("p", f"DELETE FROM {TABLE} WHERE writer = 1 AND sequence IN (7, 1234)")
        lost = pathlib.Path(self.folder.name) / "load_test-lost-41.csv"
        self.expect(self.verify(self.acks()), 4, f"r1: acknowledged writes lost: 2; their ids are in {lost}")
        self.assertEqual(lost.read_text().splitlines(),
                         ["node,writer,sequence", *(f"{node},1,{s}" for node in ("p", "r1", "r2") for s in (7, 1234))])

    def test_a_doubled_row_is_found(self):
        self.lab.psql("p", f"INSERT INTO {TABLE} VALUES (0, 5, 'again')")
        self.expect(self.verify(self.acks()), 4, "p: writes that are there more than once: 1", "0 lost, 1 twice")

    def test_unknown_outcomes_are_neither_lost_nor_wrong(self):
        changes = {(0, 1): "unknown", (0, ROWS + 1): "unknown"}
        self.expect(self.verify(self.acks(changes)), 0, "writes of unknown outcome that are on the primary: 1")

    def test_a_refused_write_that_is_there_is_told(self):
        self.expect(self.verify(self.acks({(1, 3): "failed"})), 4, "r2: refused writes that are there all the same: 1")

    def test_rows_that_nobody_wrote_are_told(self):
        self.lab.psql("p", f"INSERT INTO {TABLE} VALUES (9, 1, 'who?')")
        self.expect(self.verify(self.acks()), 4, "p: rows that this run has not written: 1")

    def test_a_frozen_replica_is_not_checked_and_the_others_are(self):
        self.lab.run("freeze", "r1")
        try:
            began = time.monotonic()
            result = self.verify(self.acks(), "--timeout", "500ms", "--verify-timeout", "2s")
            self.assertLess(time.monotonic() - began, 6)
        finally:
            self.lab.run("thaw", "r1")
        self.expect(result, 1, "r1 was not checked", "load_test verify")
        self.assertRegex(result.stdout, r"(?m)^r2 .* 0 lost, 0 twice$")
        self.assertNotIn("PASS", result.stdout)
        self.expect(self.verify(pathlib.Path(self.folder.name) / "load_test-acks-41.csv"), 0)

    def test_a_replica_that_does_not_receive_is_not_called_right_or_wrong(self):
        self.lab.run("cut", "r2")
        try:
            self.lab.psql("p", f"INSERT INTO {TABLE} VALUES (0, {ROWS + 1}, 'x')")
            result = self.verify(self.acks({(0, ROWS + 1): "acked"}), "--verify-timeout", "1s")
        finally:
            self.lab.run("heal", "r2")
        self.expect(result, 1, "r2 was not checked: it has not replayed what the primary wrote")
        self.assertNotIn("r2: ", result.stdout)

    def test_a_node_that_is_down_is_waited_for(self):
        self.lab.run("kill", "r1")
        path = self.acks()
        running = subprocess.Popen([program("load_test"), "verify", str(path), "--output", self.folder.name,
                                    "--wait-node", "60s"], env=self.lab.environment(), text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lab.run("start", "r1")
        output, _ = running.communicate(timeout=60)
        self.assertEqual(running.returncode, 0, output)

    def test_without_a_primary_nothing_is_called_right(self):
        self.lab.run("freeze", "p")
        try:
            result = self.verify(self.acks(), "--timeout", "500ms")
        finally:
            self.lab.run("thaw", "p")
        self.expect(result, 1, "p was not checked", "without the primary nobody knows how far it must be")

    def test_ctrl_c_ends_the_wait(self):
        self.lab.run("freeze", "r1")
        try:
            path = self.acks()
            running = subprocess.Popen([program("load_test"), "verify", str(path), "--output", self.folder.name,
                                        "--timeout", "60s"], env=self.lab.environment(), text=True,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            # Once the signal is blocked it is read from a descriptor, never lost.
            wait_until(lambda: int(next(line for line in pathlib.Path(f"/proc/{running.pid}/status").read_text()
                                        .splitlines() if line.startswith("SigBlk")).split()[1], 16) & 2,
                       "load_test listens for SIGINT")
            running.send_signal(signal.SIGINT)
            output, _ = running.communicate(timeout=10)
        finally:
            self.lab.run("thaw", "r1")
        self.assertEqual(running.returncode, 1, output)
        self.assertIn("not checked", output)

    def test_bad_input_is_one_clear_line(self):
        altered = self.acks()
        altered.write_text(altered.read_text().replace("\n0 9 acked\n", "\n0 9 faked\n"))
        self.expect(self.verify(altered), 1, f"{altered}: line 11: the state is none of acked, failed, unknown")
        self.expect(self.verify("/nonexistent"), 1, "cannot read /nonexistent: No such file or directory")
        self.expect(self.verify(self.acks(), "--writers", "3"), 2, "--writers")
        self.expect(self.verify(self.acks(), "more"), 2, "more than one FILE")
        self.lab.psql("p", f"DROP TABLE {TABLE}")
        result = self.verify(self.acks())
        self.expect(result, 1, f'relation "{TABLE}" does not exist', "r1 was not checked")


def siphash13(key0, key1, message):
    """SipHash-1-3, as the file's checksum is: written from its paper, so the tool is not its own witness."""
    mask = (1 << 64) - 1
    v = [key0 ^ 0x736f6d6570736575, key1 ^ 0x646f72616e646f6d, key0 ^ 0x6c7967656e657261, key1 ^ 0x7465646279746573]

    def rotate(x, bits):
        return ((x << bits) | (x >> (64 - bits))) & mask

    def round_():
        v[0] = (v[0] + v[1]) & mask; v[1] = rotate(v[1], 13) ^ v[0]; v[0] = rotate(v[0], 32)
        v[2] = (v[2] + v[3]) & mask; v[3] = rotate(v[3], 16) ^ v[2]
        v[0] = (v[0] + v[3]) & mask; v[3] = rotate(v[3], 21) ^ v[0]
        v[2] = (v[2] + v[1]) & mask; v[1] = rotate(v[1], 17) ^ v[2]; v[2] = rotate(v[2], 32)

    padded = message + b"\0" * (7 - len(message) % 8) + bytes([len(message) & 255])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at:at + 8], "little")
        v[3] ^= word
        round_()
        v[0] ^= word
    v[2] ^= 0xff
    for _ in range(3):
        round_()
    return v[0] ^ v[1] ^ v[2] ^ v[3]


if __name__ == "__main__":
    unittest.main()
