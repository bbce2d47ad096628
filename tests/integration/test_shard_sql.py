#!/usr/bin/env python3
"""PostgreSQL agrees with shard_router: on the key text of every type, on the SQL of md5 % N and slots, and, by
satisfies_hash_partition() itself, on pg_hash."""
import datetime, pathlib, random, subprocess, sys, unittest, uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))
from lab import Lab, program

KEYS = 2000
MODULI = [1, 4, 7, 64, 1000]


class Keys:
    """How keys of each type may be written: one per line of shard_router and of COPY."""

    def __init__(self):
        self.chance = random.Random(15)

    def integers(self, bits):
        edges = [str(-(1 << bits - 1)), str((1 << bits - 1) - 1), "0", "-0", "+7", "007", " 12 ", "-1"]
        return edges + [str(self.chance.getrandbits(bits) - (1 << bits - 1) >> self.chance.randrange(bits))
                        for _ in range(KEYS)]

    def uuids(self):
        return [self.chance.choice([str(value), str(value).upper(), value.hex, "{%s}" % value])
                for value in (uuid.UUID(int=self.chance.getrandbits(128)) for _ in range(KEYS))]

    def texts(self, length=60):
        alphabet = "abcXYZ019 :_-'\"\\%ñéß日本語😀\t"
        return [" ", "  x  ", "042"] + ["".join(self.chance.choices(alphabet, k=self.chance.randint(1, length)))
                                        for _ in range(KEYS)]

    def dates(self):
        edges = ["4714-11-24 BC", "5874897-12-31", "0001-01-01", "0001-12-31 BC", "0004-02-29", "0005-02-28 BC",
                 "infinity", "-infinity", "2000-02-29", "1999-12-31", "10000-01-01", " 2026-1-2 ", "0044-03-15 bc"]
        last = datetime.date.max.toordinal()
        return edges + [str(datetime.date.fromordinal(self.chance.randint(1, last))) for _ in range(KEYS)]

    def of(self, name):
        return {"int2": lambda: self.integers(16), "int4": lambda: self.integers(32),
                "int8": lambda: self.integers(64), "uuid": self.uuids, "text": self.texts,
                "varchar(60)": self.texts, "varchar(3)": lambda: ["abc   ", "ab ", "日本語 ", "x"],
                "char(60)": lambda: [key + " " * self.chance.randrange(3) for key in self.texts()],
                "date": self.dates}[name]()


def router(*words, keys=None):
    done = subprocess.run([program("shard_router"), *words], input=keys, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def partitions(name, lines, *words):
    """[(key text, partition)] in the order of `lines`."""
    out = router("--type", name, "--show-partition", *words, keys="".join(line + "\n" for line in lines))
    rows = [line.rsplit("\t", 2) for line in out.split("\n")[:-1]]
    return [(key, int(partition)) for key, _, partition in rows]


def escape(text):
    return text.replace("\\", "\\\\").replace("\t", "\\t")


class ShardSqlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(shards=1, replicas=0)
        cls.lab.__enter__()
        cls.addClassCleanup(cls.lab.__exit__, None, None, None)

    def script(self, sql):
        """Runs a script through psql's standard input; the last words of its output."""
        done = subprocess.run(self.lab.words("psql", "p", "--", "-XAtq", "-v", "ON_ERROR_STOP=1"), input=sql,
                              env=self.lab.environment(), capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.split()

    def load(self, name, lines, columns):
        """Table keys(k, key_text, p0, p1, …): what PostgreSQL reads, and what the router makes of it."""
        count = len(columns)
        declared = "".join(f", p{i} bigint" for i in range(count))
        rows = "".join("\t".join([escape(line), escape(columns[0][n][0]), *(str(column[n][1]) for column in columns)])
                       + "\n" for n, line in enumerate(lines))
        self.script("SET client_min_messages = warning; DROP TABLE IF EXISTS keys, parent;\n"
                    f"CREATE TABLE keys (k {name}, key_text text{declared});\n"
                    f"CREATE TABLE parent (k {name}) PARTITION BY HASH (k);\nCOPY keys FROM STDIN;\n{rows}\\.\n")

    def expect_none(self, what, condition):
        """No row in which `condition` is not true, in any DateStyle, and there are rows."""
        for style in ["ISO, MDY", "SQL, DMY", "German", "Postgres, MDY"]:
            rows, wrong = map(int, self.script(
                f"SET datestyle = '{style}'; SELECT count(*) FROM keys;\n"
                f"SELECT count(*) FROM keys WHERE ({condition}) IS NOT TRUE;\n"))
            self.assertGreater(rows, 0)
            self.assertEqual(wrong, 0, f"{what}, DateStyle {style}: {wrong} of {rows} rows differ")

    def check(self, name):
        lines = Keys().of(name)
        cases = [("--scheme", "slots", "--shards", "3")]
        cases += [("--scheme", scheme, "--shards", str(n)) for scheme in ("md5_modulo", "pg_hash") for n in MODULI]
        columns = [partitions(name, lines, *words) for words in cases]
        self.load(name, lines, columns)
        text = "(to_json(k)#>>'{}')" if name == "date" else "k::text"
        self.expect_none(f"{name}: key text", f"{text} = key_text")
        for number, words in enumerate(cases):
            sql = router(*words, "--type", name, "--sql", "keys.k").strip()
            self.expect_none(f"{name} {words}: SQL", f"{sql} = p{number}")
            if words[1] == "pg_hash":
                self.expect_none(f"{name} {words}: satisfies_hash_partition",
                                 f"satisfies_hash_partition('parent'::regclass, {words[3]}, p{number}::int, k)")
        owned = [router(*cases[0], "--type", name, "--sql", "k", "--owned-by", f"s{i}").strip() for i in range(3)]
        total = " + ".join(f"({condition})::int" for condition in owned)
        self.expect_none(f"{name}: every row has one owner", f"{total} = 1")


def test_of(name):
    def test(self):
        self.check(name)
    test.__doc__ = f"{name} keys"
    return test


for _name in ["int2", "int4", "int8", "uuid", "text", "varchar(60)", "varchar(3)", "char(60)", "date"]:
    setattr(ShardSqlTest, "test_" + _name.replace("(", "_").rstrip(")"), test_of(_name))

if __name__ == "__main__":
    unittest.main(verbosity=2)
