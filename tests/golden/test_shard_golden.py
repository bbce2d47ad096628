#!/usr/bin/env python3
"""shard_router against another implementation (hashlib) and against the committed placement.

usage: test_shard_golden.py SHARD_ROUTER
"""
import datetime, hashlib, itertools, json, pathlib, random, subprocess, sys, unittest, uuid

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import shard_reference as reference

PROGRAM = sys.argv.pop(1)
KEYS = 10_000


def run(arguments, keys=None, status=0):
    text = None if keys is None else "".join(key + "\n" for key in keys)
    done = subprocess.run([PROGRAM, *arguments], input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, f"{arguments}: exit {done.returncode}: {done.stderr}"
    return done.stdout if status == 0 else done.stderr


def route(arguments, keys):
    return [line.rsplit("\t", 1) for line in run(arguments, keys).split("\n")[:-1]]


class Generated:
    """(how it is written, its key text) of random values of each type."""

    def __init__(self):
        self.chance = random.Random(42)

    def integer(self, bits):
        value = self.chance.getrandbits(bits) - (1 << bits - 1)
        value >>= self.chance.randrange(bits)
        written = self.chance.choice(["{}", " {} ", "\t{}"]).format(value)
        if value >= 0:
            written = self.chance.choice([written, f"+{value}", f"000{value}"])
        return written, str(value)

    def uuid(self):
        value = uuid.UUID(int=self.chance.getrandbits(128))
        return self.chance.choice([str(value), str(value).upper(), value.hex, "{%s}" % value]), str(value)

    def text(self):
        alphabet = "abcdefgXYZ0123456789 :_-ñéß日本語😀\t"
        value = "".join(self.chance.choices(alphabet, k=self.chance.randint(1, 60)))
        return value, value

    def char(self):
        value = self.text()[1].rstrip(" ") or "x"
        return value + " " * self.chance.randrange(4), value

    def date(self):
        value = datetime.date.fromordinal(self.chance.randint(1, datetime.date.max.toordinal()))
        return str(value), str(value)

    def of(self, name):
        makers = {"int2": lambda: self.integer(16), "int4": lambda: self.integer(32),
                  "int8": lambda: self.integer(64), "uuid": self.uuid, "text": self.text,
                  "varchar(80)": self.text, "char(80)": self.char, "date": self.date}
        return [makers[name]() for _ in range(KEYS)]


class Modulo(unittest.TestCase):
    pass


def modulo_test(name):
    def test(self):
        keys = Generated().of(name)
        written = [w for w, _ in keys]
        numbers = [int(hashlib.md5(text.encode()).hexdigest(), 16) for _, text in keys]
        for count in range(1, 65):
            got = run(["--scheme", "md5_modulo", "--shards", str(count), "--type", name], written)
            expected = "".join(f"{text}\ts{number % count}\n" for (_, text), number in zip(keys, numbers))
            self.assertTrue(got == expected, f"{name}, N = {count}: differs from hashlib")
    test.__doc__ = f"{KEYS} random {name} keys, N in 1..64, as hashlib says"
    return test


for _name in ["int2", "int4", "int8", "uuid", "text", "varchar(80)", "char(80)", "date"]:
    setattr(Modulo, "test_" + _name.split("(")[0], modulo_test(_name))


class Placement(unittest.TestCase):
    def test_committed_placement_holds(self):
        """every key is where tests/golden/shard_placement.txt says"""
        lines = (pathlib.Path(__file__).parent / "shard_placement.txt").read_text().split("\n")[:-1]
        rows = [(line.split("\t", 1)[0], *line.split("\t", 1)[1].rsplit("\t", 1)) for line in lines]
        self.assertGreater(len(rows), 900)
        for arguments, group in itertools.groupby(rows, key=lambda row: row[0]):
            group = [[key, shard] for _, key, shard in group]
            self.assertEqual(route(arguments.split(), [key for key, _ in group]), group, arguments)

    def test_reference_says_the_same(self):
        """the committed file is what the Python reference gives"""
        committed = (pathlib.Path(__file__).parent / "shard_placement.txt").read_text()
        self.assertEqual("\n".join(reference.placement()) + "\n", committed)

    def test_random_rings(self):
        """rings and ketama circles with random names and weights, as the reference says"""
        chance = random.Random(7)
        keys = [f"k{chance.getrandbits(60)}" for _ in range(2000)]
        for trial in range(24):
            names = [f"n{chance.getrandbits(30)}" for _ in range(chance.randint(1, 20))]
            is_ketama = trial % 2 == 0
            weights = {name: chance.choice([1, 1, 2, 3]) for name in names}
            vnodes = chance.choice([40, 160, 400])
            scheme = (reference.Ketama if is_ketama else reference.Ring)(weights, vnodes)
            arguments = ["--scheme", "ring", "--vnodes", str(vnodes), "--layout", "ketama" if is_ketama else "plain",
                         "--shards", ",".join(f"{name}={weight}" for name, weight in weights.items())]
            self.assertEqual(route(arguments, keys), [[key, scheme.shard(key)] for key in keys], arguments)


class Program(unittest.TestCase):
    def test_bad_input_names_its_line(self):
        for keys, arguments, message in [
                (["1", "x"], ["--type", "int8"], "line 2: the key is not a valid int8"),
                (["a", "", "b"], [], "line 2: an empty line is no key"),
                (["a\r"], [], "line 1: ends in CR LF"),
                (["x" * 5000], [], "line 1: longer than 4096 bytes"),
                (["a", "x" * 3000], [], "line 2: the key is longer than 2048 bytes"),
                (["70000"], ["--type", "int2"], "line 1: the key is out of range"),
                (["abc"], ["--type", "char(2)"], "line 1: the key is too long for type char(2)")]:
            said = run(["--shards", "4", *arguments], keys, status=1)
            self.assertIn(message, said)
            self.assertEqual(said.count("\n"), 1 + said.count("  hint:"), said)

    def test_bad_usage_exits_2(self):
        for arguments, message in [
                ([], "no shards given"), (["--shards", "a,a"], "shard a is named twice"),
                (["--shards", "a,,b"], "no name for a shard"), (["--shards", "0"], "1..1024"),
                (["--shards", "1025"], "1..1024"), (["--shards", "2", "--scheme", "rings"], "there is no scheme"),
                (["--shards", "2", "--vnodes", "5"], "for --scheme ring"),
                (["--shards", "2", "--weights", "1"], "one for each shard"),
                (["--shards", "2", "--type", "numeric"], "cannot be a shard key"),
                (["--shards", "a,b", "--add", "a"], "named twice"),
                (["--shards", "a", "--scheme", "ring", "--sql", "k"], "no partition expression"),
                (["--map", "/nonexistent/map"], "No such file"), (["--scheem", "ring"], "unknown option")]:
            self.assertIn(message, run(arguments, [], status=2))

    def test_invalid_utf8_and_missing_last_newline(self):
        bad = subprocess.run([PROGRAM, "--shards", "2"], input=b"ok\na\xff\n", capture_output=True)
        self.assertEqual((bad.returncode, bad.stdout), (1, b"ok\ts1\n" if b"ok\ts1" in bad.stdout else b"ok\ts0\n"))
        self.assertIn(b"line 2: the key is not valid UTF-8", bad.stderr)
        good = subprocess.run([PROGRAM, "--shards", "1"], input=b"a", capture_output=True)
        self.assertEqual((good.returncode, good.stdout), (0, b"a\ts0\n"))

    def test_lines_across_the_buffer(self):
        """long input is cut into lines at the right places"""
        chance = random.Random(3)
        keys = ["x" * chance.randint(1, 2048) for _ in range(2000)]
        self.assertEqual([key for key, _ in route(["--shards", "3"], keys)], keys)

    def test_full_disk_and_broken_pipe(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([PROGRAM, "--shards", "4", "--keys", "10"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left", done.stderr)
        process = subprocess.Popen([PROGRAM, "--shards", "4", "--keys", "1000000"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
        process.stderr.close()
        self.assertEqual(process.wait(timeout=30), 1)
        self.assertIn("Broken pipe", said)

    def test_statistics_and_growth(self):
        for arguments, most in [(["--scheme", "ring"], 0.3), (["--scheme", "slots"], 0.21)]:
            report = json.loads(run([*arguments, "--shards", "4", "--keys", "20000", "--stats", "--add", "x", "--json"]))
            self.assertEqual(sum(shard["keys"] for shard in report["shards"]), 20000)
            self.assertEqual(report["growth"]["moved_between_old_keys"], 0)
            self.assertEqual({move["to"] for move in report["growth"]["moves"]}, {"x"})
            self.assertLess(report["growth"]["moved_share"], most)
        report = json.loads(run(["--scheme", "md5_modulo", "--shards", "4", "--keys", "20000", "--add", "x", "--json"]))
        self.assertAlmostEqual(report["growth"]["moved_share"], 0.8, 9)
        self.assertAlmostEqual(report["growth"]["moved_keys"] / 20000, 0.8, 1)
        self.assertGreater(report["evenness"]["p"], 1e-6)

    def test_map_is_read_back(self):
        import tempfile
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "map"
            path.write_text(run(["--shards", "a,b,c", "--add", "d=2", "--print-map"]))
            self.assertEqual(run(["--map", str(path), "--print-map"]), path.read_text())
            path.write_text(path.read_text()[:-10])
            self.assertIn(f"{path}: shard map, line", run(["--map", str(path)], [], status=2))


if __name__ == "__main__":
    unittest.main(verbosity=2)
