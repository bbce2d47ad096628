"""What src/sql says of a statement, held against a real server: settings and their replay, string constants."""
import json, os, pathlib, subprocess, sys, unittest

sys.path.insert(0, os.path.dirname(__file__))
from lab import Lab

# Settings that pg_settings does not list.
HIDDEN = ["role", "session_authorization", "custom.x", "app.select", "a.b.c", "session.user", "session.user_id",
          "local.x", "time.zone"]
# Those of the transaction follow their defaults, is_superuser the role.
SNAPSHOT = ("SELECT name, setting FROM pg_settings WHERE name !~ '^transaction_|^is_superuser$' UNION ALL "
            "SELECT n, current_setting(n, true) FROM unnest(ARRAY['" + "','".join(HIDDEN) + "']) n")

# Each changes something that is not as in a new session.
SETTING = """
SET work_mem = '7MB'
SET SESSION Work_Mem TO 8192
SET "work_mem" = 9999
SET sort_mem = 4321
SET vacuum_mem = 4321
SET search_path TO public, "A b", 'c, d'
SET search_path = 'public, app'
SET SCHEMA 'public, app'
SET search_path TO ''
SET DateStyle = SQL, DMY
SET extra_float_digits = -2
SET random_page_cost = +1.5
SET enable_seqscan = off
SET enable_seqscan TO FALSE
SET application_name = 'it''s' /* a name */ -- of it
SET application_name = E'tab\\there'
SET application_name = $x$dollar$x$
SET application_name TO U&'d!0061t' UESCAPE '!'
SET application_name = 'over'\n  'lines'
SET application_name = lower
SET application_name = "Upper"
SET custom.X = -1.5
SET app."select" = on
SET a.b.c TO two
SELECT set_config('session.user', 'x', false)
SET session.user_id = '42'
SET local.x TO 5
SET time.zone = 'x'
SET SESSION session.user_id = 'x'
SET TIME ZONE 'Asia/Tokyo'
SET TIME ZONE -3
SET TIME ZONE +5.5
SET TIME ZONE PST8PDT
SET TIME ZONE "Asia/Tokyo"
SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE
SET TIME ZONE INTERVAL(0) '05:30'
SET timezone TO 'Europe/Madrid'
SET NAMES 'latin1'
SET NAMES 'LATIN9'
SET client_encoding = sql_ascii
SET ROLE someone
SET ROLE 'someone'
SET role = someone
SET role TO "Some One"
SET SESSION AUTHORIZATION someone
SET SESSION SESSION AUTHORIZATION 'someone'
SET session_authorization = "Some One"
SET XML OPTION DOCUMENT
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE   READ
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ UNCOMMITTED, READ ONLY, DEFERRABLE
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE DEFERRABLE READ ONLY
SET work_mem = '7MB'; SET TIME ZONE 'UTC-3'; SET a.b.c = 2; RESET work_mem
SELECT set_config('work_mem', '7MB', false)
SELECT set_config('search_path', 'public, "A b"', false), pg_catalog.set_config('Custom.X', E'a\\'b', 'f') AS x
SELECT set_config('search_path', '', false)
SELECT set_config('app.select', $$x$$, FALSE);
""".strip().split("\nS")
SETTING = [text if i == 0 else "S" + text for i, text in enumerate(SETTING)]
SETTING = [text.replace("\\n", "\n") if "'over'" in text else text for text in SETTING]

# Each takes one of those back: run after SET, by its own words or by its replay, it leaves the same.
RESETTING = [
    ("SET work_mem = '7MB'", "RESET work_mem"), ("SET work_mem = '7MB'", "SET work_mem TO DEFAULT"),
    ("SET work_mem = '7MB'", "SELECT set_config('work_mem', NULL, false)"),
    ("SET timezone = 'Asia/Tokyo'", "SET TIME ZONE LOCAL"), ("SET timezone = 'Asia/Tokyo'", "SET TIME ZONE DEFAULT"),
    ("SET timezone = 'Asia/Tokyo'", "RESET TIME ZONE"), ("SET NAMES 'latin1'", "SET NAMES"),
    ("SET NAMES 'latin1'", "SET NAMES DEFAULT"), ("SET ROLE someone", "RESET ROLE"),
    ("SET SESSION AUTHORIZATION someone", "SET SESSION AUTHORIZATION DEFAULT"),
    ("SET SESSION AUTHORIZATION someone", "RESET SESSION AUTHORIZATION"), ("SET a.b.c = 1", "RESET a.b.c"),
]

# These leave the session as it is, whatever they look like.
HARMLESS = [
    "SET LOCAL work_mem = '7MB'", "SET TRANSACTION READ ONLY", "SET transaction_isolation = 'serializable'",
    "RESET TRANSACTION ISOLATION LEVEL", "SELECT set_config('work_mem', '7MB', true)", "SET CONSTRAINTS ALL DEFERRED",
    "ALTER ROLE someone SET work_mem = '7MB'", "SELECT 'SET work_mem = 1' AS \"set work_mem = 1\" -- SET work_mem = 1",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET work_mem = '7MB' AS 'SELECT 1'; DROP FUNCTION f",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END; DROP FUNCTION f",
    "CREATE TABLE t (x int); UPDATE t SET x = 1; CREATE RULE r AS ON UPDATE TO t DO ALSO (SELECT 1; SELECT 2); "
    "DROP TABLE t",
]

STRINGS = [
    "'b' -- it's\n\t'e'", "'b'\n-- c\n\n  -- d\n'e'", "'a''b'", r"'a\nb'", r"E'\b\f\n\r\t\v\q\'\\'", r"E'\101\x4a\x4Zz\18'",
    r"E'ñ\U0001F600\ud83d\ude00'", "$a$ $$ \\n' $a$", "E'a'\n'\\x62'", r"'a\\b'", "$$it's$$",
]


class Sql(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(shards=1, replicas=0)
        cls.lab.__enter__()
        cls.addClassCleanup(cls.lab.__exit__)
        cls.lab.psql("p", 'CREATE ROLE someone; CREATE ROLE "Some One"')
        cls.fresh = cls.settings_after()

    @classmethod
    def run_session(cls, *commands):
        """The output of the commands in one session, each sent as it is written."""
        words = [word for command in commands for word in ("-c", command)]
        result = subprocess.run(cls.lab.words("psql", "p", "--", "-XAtq", "-v", "ON_ERROR_STOP=1", *words),
                                env=cls.lab.environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        assert result.returncode == 0, f"{commands}: {result.stderr}"
        return result.stdout

    @classmethod
    def settings_after(cls, *commands):
        """{name: value} at the end of a session that ran the commands."""
        dump = f"SELECT 'SNAPSHOT' || json_object_agg(name, setting ORDER BY name) FROM ({SNAPSHOT}) s"
        line = cls.run_session(*commands, dump).split(b"SNAPSHOT")[-1]
        return json.loads(line.decode("utf-8", "surrogateescape"))

    def effects(self, sql, standard="on"):
        program = pathlib.Path(os.environ["REPARTO_BUILD"]) / "tests" / "sql_effects"
        result = subprocess.run([program, standard], input=sql.encode(), capture_output=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def replay(self, sql):
        return [effect["replay"] for effect in self.effects(sql)["effects"] if "replay" in effect]

    def test_a_replay_sets_what_the_statement_set(self):
        for sql in SETTING:
            with self.subTest(sql=sql):
                original = self.settings_after(sql)
                self.assertEqual(self.settings_after(*self.replay(sql)), original)
                changed = {name for name in original if original[name] != self.fresh[name]}
                named = {self.pg_name(effect["setting"]) for effect in self.effects(sql)["effects"]}
                self.assertTrue(changed, "changed nothing, so it proves nothing")
                self.assertLessEqual(changed, named)

    def pg_name(self, name):
        """As pg_settings spells it."""
        return next((known for known in self.fresh if known.lower() == name), name)

    def test_a_replayed_reset_takes_back(self):
        for first, sql in RESETTING:
            with self.subTest(sql=sql):
                self.assertNotEqual(self.settings_after(first), self.fresh)
                self.assertEqual(self.settings_after(first, *self.replay(sql)), self.settings_after(first, sql))
                self.assertEqual([e["kind"] for e in self.effects(sql)["effects"]], ["RESET"])

    def test_what_looks_like_a_set_leaves_the_session(self):
        for sql in HARMLESS:
            with self.subTest(sql=sql):
                self.assertEqual(self.settings_after(sql), self.fresh)
                self.assertEqual([e for e in self.effects(sql)["effects"] if e["kind"] != "LOCAL"], [])

    def test_constants_have_the_values_that_the_server_gives_them(self):
        for standard in "on", "off":
            for constant in STRINGS:
                with self.subTest(constant=constant, standard=standard):
                    answer = self.run_session(f"SET standard_conforming_strings = {standard}",
                                              "SET escape_string_warning = off", "SET client_encoding = utf8",
                                              f"SELECT convert_to({constant}, 'UTF8')")
                    value = bytes.fromhex(answer.decode().strip().removeprefix("\\x")).decode()
                    self.assertEqual(self.effects(constant, standard)["strings"], [value])


if __name__ == "__main__":
    unittest.main()
