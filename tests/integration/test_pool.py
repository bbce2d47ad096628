"""The pool leaks nothing from one client to the next, whatever they do: pipelines without an end, errors in the middle,
unnamed statements, settings made in ways that no text shows. Expected answers are PostgreSQL's own: with
REPARTO_TARGET=direct all of these must pass too, but for those that say why not.
"""
import contextlib, pathlib, sys, threading, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from pg_protocol import (Closed, bind, cancel, close, copy_data, copy_done, copy_fail, describe, error_fields, errors,
                         execute, flush, parse, query, rows, sync, tags, terminate, value)
from router import RouterTest, chosen


def kinds(messages):
    return "".join(m.kind for m in messages if m.kind not in "SN")


class OneServer(RouterTest):
    """Everybody's connection is the same one: what is left on it is seen by the next."""

    settings = {"pool_mode": "transaction", "default_pool_size": 1, "max_prepared_statements": 3,
                "query_wait_timeout": "2s"}

    def setUp(self):
        self.open = []

    def tearDown(self):
        for connection in self.open:
            connection.finish()

    def client(self, **more):
        self.open.append(self.router.connect(**more))
        return self.open[-1]

    def admin(self, sql):
        connection = self.backend.connect()
        try:
            return connection.sql(sql)
        finally:
            connection.finish()

    # ---- messages without a Sync ----

    def test_what_has_no_sync_yet_is_in_nobody_elses_transaction(self):
        self.admin("DROP TABLE IF EXISTS unsynced; CREATE TABLE unsynced (a int)")
        a, b = self.client(), self.client()
        self.assertEqual(kinds(a.run(parse("", "INSERT INTO unsynced VALUES (1)"), bind("", ""), execute(), flush())), "12C")
        if chosen() != "direct":
            found = b.run(query("SELECT 1"))  # the only connection is taken
            self.assertIn(errors(found), (["53300"], ["57014"]), found)
        self.assertEqual(self.admin("SELECT count(*) FROM unsynced"), [("0",)])
        self.assertEqual(kinds(a.run(sync())), "Z")
        self.assertEqual(self.admin("SELECT count(*) FROM unsynced"), [("1",)])
        self.assertEqual(b.sql("SELECT 1"), [("1",)])

    def test_who_leaves_without_a_sync_has_done_nothing(self):
        self.admin("DROP TABLE IF EXISTS unsynced; CREATE TABLE unsynced (a int)")
        a = self.client()
        a.run(parse("", "INSERT INTO unsynced VALUES (1)"), bind("", ""), execute(), flush())
        a.finish()
        b = self.client()
        self.assertEqual(kinds(b.run(sync())), "Z")
        self.assertEqual(b.sql("SELECT count(*) FROM unsynced"), [("0",)])

    def test_an_error_without_a_sync_swallows_nothing_of_others(self):
        a = self.client()
        self.assertEqual(errors(a.run(parse("", "SELEC"), flush())), ["42601"])
        if chosen() == "direct":
            self.assertEqual(kinds(a.run(sync())), "Z")
        else:
            a.finish()
        b = self.client()
        self.assertEqual(b.sql("SELECT 2"), [("2",)])

    def test_an_error_skips_all_up_to_the_sync_and_no_further(self):
        a = self.client()
        self.assertEqual(errors(a.run(parse("", "SELEC"), flush())), ["42601"])
        a.write(query("SELECT 3") + parse("", "SELECT 4") + bind("", "") + execute())
        self.assertEqual(a.quiet(0.2), [])
        self.assertEqual(kinds(a.run(sync())), "Z")
        self.assertEqual(a.sql("SELECT 5"), [("5",)])

    def test_a_query_ends_what_had_no_sync(self):
        a = self.client()
        self.assertEqual(kinds(a.run(parse("", "SELECT 1"), bind("", ""), execute(), flush())), "12DC")
        self.assertEqual(a.sql("SELECT 6"), [("6",)])
        self.assertEqual(self.client().sql("SELECT 7"), [("7",)])

    # ---- the unnamed statement ----

    def test_an_unnamed_statement_survives_other_clients(self):
        a, b = self.client(), self.client()
        a.run(parse("", "SELECT 'a'::text"), sync())
        b.run(parse("", "SELECT 'b'::text"), sync())
        self.assertEqual(value(a.run(bind("", ""), execute(), sync())), "a")
        self.assertEqual(value(b.run(bind("", ""), execute(), sync())), "b")

    def test_nobody_binds_anothers_unnamed_statement(self):
        for what, messages in {"parse": [parse("", "SELECT 1/0"), parse("", "SELEC")],
                               "query": [query("SELECT 1")], "close": [close("S", "")]}.items():
            with self.subTest(what):
                a, b = self.client(), self.client()
                a.run(parse("", "SELECT 'secret'::text"), sync())
                a.run(parse("x", "SELEC"), *messages, sync())  # all behind the error is skipped
                self.assertEqual(errors(b.run(bind("", ""), execute(), sync())), ["26000"])

    def test_an_unnamed_statement_is_there_after_an_error_in_front_of_its_bind(self):
        a, b = self.client(), self.client()
        a.run(parse("", "SELECT 'a'::text"), sync())
        b.run(parse("", "SELECT 'b'::text"), sync())
        self.assertEqual(errors(a.run(parse("x", "SELEC"), bind("", ""), execute(), sync())), ["42601"])
        self.assertEqual(value(a.run(bind("", ""), execute(), sync())), "a")

    def test_nobody_binds_anothers_unnamed_statement_in_the_next_batch(self):
        for what, skipped in {"parse": parse("", "SELECT 'mine'::text"), "close": close("S", ""),
                              "query": query("SELECT 1")}.items():
            with self.subTest(what):
                a, b = self.client(), self.client()
                a.run(parse("", "SELECT 'secret'::text"), sync())
                found = b.run(parse("x", "SELEC"), skipped, sync(), bind("", ""), execute(), sync())
                self.assertEqual(errors(found), ["42601", "26000"])

    # ---- names ----

    def test_a_batch_that_fails_takes_nothing_from_the_next(self):
        a, b = self.client(), self.client()
        for connection in (a, b):
            connection.run(parse("s", "SELECT 's'::text"), parse("t", "SELECT 't'::text"), sync())
        b.sql("DEALLOCATE ALL")
        found = a.run(parse("x", "SELEC"), bind("", "s"), execute(), sync(), bind("", "s"), execute(), sync(),
                      bind("", "x"), sync(), bind("", "t"), execute(), sync())
        self.assertEqual((errors(found), rows(found)), (["42601", "26000"], [[b"s"], [b"t"]]))

    def test_batches_without_end(self):
        a = self.client()
        batch = [parse("s", "SELECT 's'::text"), bind("", "s"), execute(), sync()]
        again = [bind("", "s"), execute(), sync(), parse("", "SELECT 1"), bind("", ""), execute(), sync()]
        found = a.run(*batch, *again * 500)
        self.assertEqual((errors(found), len(rows(found))), ([], 1001))

    def test_a_batch_closes_and_parses_the_same_name(self):
        a, b = self.client(), self.client()
        for _ in range(3):
            for connection in (a, b):
                found = connection.run(parse("s", "SELECT 1"), close("S", "s"), parse("s", "SELECT 2"), bind("", "s"),
                                       execute(), close("S", "s"), parse("s", "SELECT 1"), bind("", "s"), execute(),
                                       close("S", "s"), sync())
                self.assertEqual((errors(found), rows(found)), ([], [[b"2"], [b"1"]]))
            found = a.run(parse("s", "SELECT 1"), parse("s", "SELECT 2"), sync(), bind("", "s"), execute(), close("S", "s"),
                          sync())
            self.assertEqual((errors(found), rows(found)), (["42P05"], [[b"1"]]))

    def test_deallocate_and_parse_of_one_name_in_one_go(self):
        a, b = self.client(), self.client()
        a.run(parse("s", "SELECT 'old'::text"), sync())
        b.run(parse("t", "SELECT 'old'::text"), sync())
        found = a.run(query("DEALLOCATE s"), parse("s", "SELECT 'new'::text"), bind("", "s"), execute(), sync())
        self.assertEqual((errors(found), value(found)), ([], "new"))
        a.finish()
        self.assertEqual(value(b.run(bind("", "t"), execute(), sync())), "old")

    def test_what_is_deallocated_in_a_pipeline_is_gone_for_what_follows(self):
        for text in ("DEALLOCATE s", "DEALLOCATE ALL", "DISCARD ALL"):
            with self.subTest(text):
                a = self.client()
                a.run(parse("s", "SELECT 1"), sync())
                found = a.run(parse("", text), bind("", ""), execute(), sync(), bind("", "s"), sync())
                self.assertEqual(errors(found), ["26000"])
                a.finish()

    def test_statements_of_sql_on_a_connection_that_has_none(self):
        a, b = self.client(), self.client()
        for name in "pqrs":
            a.sql(f"PREPARE {name} AS SELECT '{name}'")
        for name in "wxyz":
            b.sql(f"PREPARE {name} AS SELECT '{name}{name}'")
        a.sql("BEGIN")
        for name in "pqrs":
            self.assertEqual(a.sql(f"EXECUTE {name}"), [(name,)])
        a.sql("COMMIT")
        self.assertEqual(b.sql("EXECUTE w"), [("ww",)])

    def test_a_statement_whose_table_is_gone_harms_no_other(self):
        self.admin("DROP TABLE IF EXISTS gone; CREATE TABLE gone (a int)")
        a, b = self.client(), self.client()
        a.sql("PREPARE p AS SELECT * FROM gone")
        for name in "wxyz":
            b.sql(f"PREPARE {name} AS SELECT '{name}{name}'")
        self.admin("DROP TABLE gone")
        self.assertEqual(len(errors(a.run(query("EXECUTE p")))), 1)
        for name in "wxyz":
            self.assertEqual(b.sql(f"EXECUTE {name}"), [(name * 2,)])

    def test_a_text_means_what_its_clients_settings_say(self):
        text = "SELECT '01/02/2020'::date::text"
        a, b = self.client(), self.client()
        a.sql("SET datestyle = 'ISO, MDY'")
        b.sql("SET datestyle = 'ISO, DMY'")
        a.run(parse("s", text), sync())
        b.run(parse("s", text), sync())
        for _ in range(2):
            self.assertEqual(value(a.run(bind("", "s"), execute(), sync())), "2020-01-02")
            self.assertEqual(value(b.run(bind("", "s"), execute(), sync())), "2020-02-01")

    def test_a_type_that_another_search_path_has(self):
        self.admin("DROP SCHEMA IF EXISTS one, two CASCADE; CREATE SCHEMA one; CREATE SCHEMA two;"
                   "CREATE TABLE one.t (a int); CREATE TABLE two.t (a text)")
        a, b = self.client(), self.client()
        a.sql("SET search_path = one")
        b.sql("SET search_path = two")
        for connection in (a, b):
            self.assertEqual(errors(connection.run(parse("s", "SELECT * FROM t"), sync())), [])
        for connection in (a, b, a, b):
            self.assertEqual(errors(connection.run(bind("", "s"), execute(), sync())), [])

    def test_a_text_of_a_transaction_with_its_own_search_path(self):
        self.admin("DROP SCHEMA IF EXISTS one, two CASCADE; CREATE SCHEMA one; CREATE SCHEMA two;"
                   "CREATE TABLE one.t AS SELECT 1 AS a; CREATE TABLE two.t AS SELECT 'x'::text AS a")
        a, b = self.client(), self.client()
        for name, connection, expected in (("one", a, b"1"), ("two", b, b"x")) * 2:
            connection.sql(f"BEGIN; SET LOCAL search_path = {name}")
            found = connection.run(parse("s", "SELECT a FROM t"), bind("", "s"), execute(), close("S", "s"), sync())
            self.assertEqual((errors(found), rows(found)), ([], [[expected]]))
            connection.sql("COMMIT")

    # ---- settings ----

    def test_a_setting_made_inside_of_a_function_is_its_clients_alone(self):
        self.admin("""CREATE OR REPLACE FUNCTION set_zone(zone text) RETURNS text LANGUAGE sql AS
                      $$ SELECT set_config('TimeZone', zone, false) $$""")
        a, b = self.client(), self.client()
        before = b.sql("SHOW TimeZone")
        a.sql("SELECT set_zone('Asia/Tokyo')")
        self.assertEqual(b.sql("SHOW TimeZone"), before)
        self.assertEqual(b.parameters["TimeZone"], before[0][0])
        self.assertEqual(a.sql("SHOW TimeZone"), [("Asia/Tokyo",)])
        a.sql("BEGIN")
        a.sql("SELECT set_zone('America/Lima')")
        a.sql("ROLLBACK")
        b.sql("SELECT 1")
        self.assertEqual(a.sql("SHOW TimeZone"), [("Asia/Tokyo",)])

    def test_a_list_set_by_a_function_stays_a_list(self):
        a, b = self.client(), self.client()
        a.sql("SELECT set_config('search_path', 'pg_catalog, public', false)")
        b.sql("SELECT 1")
        self.assertEqual(a.sql("SELECT array_length(current_schemas(false), 1)"), [("2",)])

    def test_settings_in_every_form(self):
        for text, name in (("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
                            "default_transaction_isolation"),
                           ("SET TIME ZONE INTERVAL '+03:30' HOUR TO MINUTE", "TimeZone"),
                           ("SET TIME ZONE 'Asia/Tokyo'", "TimeZone"),
                           ("SET NAMES 'LATIN1'", "client_encoding"), ("SET search_path = public, pg_catalog", "search_path"),
                           ("SET datestyle TO iso, dmy", "DateStyle"), (r"SET application_name = E'a\\b''c'", "application_name"),
                           ("SET standard_conforming_strings = off; SET application_name = 'a\\\\b'", "application_name")):
            with self.subTest(text):
                a, b = self.client(), self.client()
                untouched = b.sql(f"SHOW {name}")
                a.sql(text)
                here = a.sql(f"SHOW {name}")
                self.assertNotEqual(here, untouched)
                self.assertEqual(b.sql(f"SHOW {name}"), untouched)
                self.assertEqual(a.sql(f"SHOW {name}"), here)
                a.finish()
                self.assertEqual(b.sql(f"SHOW {name}"), untouched)
                b.finish()

    # ---- cancelling ----

    def test_a_late_cancel_hits_nobody_else(self):
        end = time.monotonic() + 3
        b = self.client()
        while time.monotonic() < end:
            a = self.client()
            a.write(query("SELECT 1"))
            cancel(self.router.address, a.key)
            a.socket.close()
            self.open.pop()
            found = b.run(query("SELECT count(*) FROM generate_series(1, 3000)"))
            self.assertEqual(errors(found), [])

    def test_a_cancel_of_who_has_left_hits_nobody_else(self):
        b = self.client()
        for _ in range(40):
            a = self.client()
            a.send(query("SELECT 1"))
            threading.Thread(target=cancel, args=(self.router.address, a.key), daemon=True).start()
            with contextlib.suppress(Closed):
                a.answers()
            a.finish()
            self.open.remove(a)
            self.assertEqual(errors(b.run(query("SELECT count(*) FROM generate_series(1, 20000)"))), [])

    # ---- large things ----

    def test_an_error_of_any_size(self):
        a = self.client()
        found = a.run(query("DO $$ BEGIN RAISE EXCEPTION '%', repeat('x', 200000); END $$"))
        self.assertEqual((errors(found), kinds(found)), (["P0001"], "EZ"))
        self.assertGreaterEqual(len(error_fields(found[0].body)["M"]), 200000)
        self.assertEqual(a.sql("SELECT 1"), [("1",)])

    # ---- COPY ----

    def test_copy_in_the_extended_protocol(self):
        self.admin("DROP TABLE IF EXISTS copied; CREATE TABLE copied (a int)")
        a, b = self.client(), self.client()
        start = [parse("", "COPY copied FROM STDIN"), bind("", ""), execute(), sync()]
        a.send(*start)
        self.assertEqual(kinds(a.answers()), "12G")
        a.send(copy_data("1\n"), copy_done(), sync())
        self.assertEqual(kinds(a.answers()), "CZ")
        a.send(*start)
        a.answers()
        a.send(copy_data("bad\n"), copy_done(), sync())
        self.assertEqual(kinds(a.answers()), "EZ")
        a.send(*start)
        a.answers()
        a.send(copy_fail("no"), sync())
        self.assertEqual(kinds(a.answers()), "EZ")
        self.assertEqual(b.sql("SELECT a FROM copied"), [("1",)])
        self.assertEqual(a.sql("SELECT 1"), [("1",)])

    def test_copy_that_is_not_synced_is_not_over(self):
        self.admin("DROP TABLE IF EXISTS copied; CREATE TABLE copied (a int)")
        a = self.client()
        a.send(parse("", "COPY copied FROM STDIN"), bind("", ""), execute(), sync())
        self.assertEqual(kinds(a.answers()), "12G")
        a.send(copy_data("1\n"), copy_done(), flush())
        self.assertEqual(kinds([a.read_message()]), "C")
        a.finish()
        self.assertEqual(self.client().sql("SELECT a FROM copied"), [])

    def test_a_query_in_the_middle_of_copy(self):
        self.admin("DROP TABLE IF EXISTS copied; CREATE TABLE copied (a int)")
        a, b = self.client(), self.client()
        a.send(query("COPY copied FROM STDIN"))
        self.assertEqual(kinds(a.answers()), "G")
        a.write(copy_data("1\n") + query("SELECT 'eaten'"))
        seen = []  # PostgreSQL gives up: it has lost track of the messages; who is pooled gets another connection
        with contextlib.suppress(Closed):
            while seen.count("Z") < 2:
                seen.append(a.read_message().kind)
        self.assertIn("E", seen)
        self.assertEqual(b.sql("SELECT 1"), [("1",)])


class ByStatement(RouterTest):
    settings = {"pool_mode": "statement", "default_pool_size": 1}

    @unittest.skipIf(chosen() == "direct", "PostgreSQL has no such mode")
    def test_a_transaction_is_refused_and_rolled_back(self):
        a, b = self.router.connect(), self.router.connect()
        a.sql("CREATE TABLE by_statement (a int)")
        a.write(query("BEGIN; INSERT INTO by_statement VALUES (1)"))
        seen = []
        with self.assertRaises(Closed):
            while True:
                seen.append(a.read_message())
        self.assertEqual(errors(seen), ["0A000"])
        self.assertIn("pool_mode", error_fields(seen[-1].body)["H"])
        self.assertEqual(b.sql("SELECT count(*) FROM by_statement"), [("0",)])
        a.end()
        b.finish()


if __name__ == "__main__":
    unittest.main(verbosity=2)
