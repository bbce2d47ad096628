/* What each statement does to its session, and near misses that do nothing. */
#include "check.h"

#include <string.h>

#include "effects_text.h"
#include "sql/effects.h"

struct effects_case {
    const char *sql, *effects;
};

static void run_cases(const struct effects_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct effects effects;
        char text[1024];
        size_t size = strlen(cases[i].sql);
        effects_read(cases[i].sql, size, true, &effects);
        effects_text(&effects, cases[i].sql, text, sizeof text);
        if (strcmp(text, cases[i].effects) != 0) {
            print_error("%s\n", cases[i].sql);
        }
        assert_string_equal(text, cases[i].effects);
        if (effects_lone_transaction(cases[i].sql, size) == EFFECT_NONE &&
            (effects.count > 0 || effects.is_ddl)) {
            assert_true(effects_may_be(cases[i].sql, size));
        }
    }
}

#define RUN(cases) run_cases(cases, sizeof cases / sizeof cases[0])

static void transactions_begin_and_end(void **)
{
    static const struct effects_case cases[] = {
        {"BEGIN", "0:BEGIN"},
        {"begin work;", "0:BEGIN"},
        {"BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY", "0:BEGIN"},
        {"START TRANSACTION READ WRITE", "0:BEGIN"},
        {"COMMIT; END; END WORK", "0:COMMIT 1:COMMIT 2:COMMIT"},
        {"COMMIT AND CHAIN", "0:COMMIT+"},
        {"COMMIT TRANSACTION AND NO CHAIN", "0:COMMIT"},
        {"ROLLBACK; ABORT AND CHAIN", "0:ROLLBACK 1:ROLLBACK+"},
        {"BEGIN; INSERT INTO t VALUES (1); COMMIT AND CHAIN", "0:BEGIN 2:COMMIT+"},
        {"PREPARE TRANSACTION 'x'", "0:COMMIT"},
        {"COMMIT PREPARED 'x'; ROLLBACK PREPARED 'x'", ""},
        {"SAVEPOINT a; RELEASE a; RELEASE SAVEPOINT \"B\"",
         "0:SAVEPOINT a 1:RELEASE a 2:RELEASE \"B\""},
        {"RELEASE savepoint; ROLLBACK TO savepoint", "0:RELEASE savepoint 1:ROLLBACK_TO savepoint"},
        {"ROLLBACK WORK TO SAVEPOINT a; ABORT TO a", "0:ROLLBACK_TO a 1:ROLLBACK_TO a"},
        {"SELECT 1; /* BEGIN */ -- COMMIT\nSELECT 'COMMIT' AS \"end\"", ""},
        {";;;", ""},
        {"", ""},
    };
    RUN(cases);
}

static void settings_have_their_own_name(void **)
{
    static const struct effects_case cases[] = {
        {"SET x = 1", "0:SET x=1"},
        {"SET SESSION Work_Mem TO '4MB';", "0:SET work_mem='4MB'"},
        {"SET LOCAL x TO DEFAULT", "0:LOCAL x"},
        {"SET LOCAL x = 1", "0:LOCAL x=1"},
        {"SET x TO DEFAULT; SET y = default; SET z = \"default\"",
         "0:RESET x 1:RESET y 2:SET z=\"default\""},
        {"SET search_path TO a, \"B c\" , 'd' -- e\n", "0:SET search_path=a, \"B c\" , 'd'"},
        {"SET search_path = pg_temp, public", "0:TEMP 0:SET search_path=pg_temp, public"},
        {"SET custom.X = -1.5", "0:SET custom.x=-1.5"},
        {"SET \"custom\".\"Select\" = on", "0:SET custom.select=on"},
        {"SET session.user = 'x'; SET local.x = 1; SET session = 2; SET local TO 3",
         "0:SET session.user='x' 1:SET local.x=1 2:SET session=2 3:SET local=3"},
        {"SET SESSION session.user = 'x'; SET LOCAL local.x = 1",
         "0:SET session.user='x' 1:LOCAL local.x=1"},
        {"SET time.zone = 1; SET names.x = 1; SET transaction.x = 1",
         "0:SET time.zone=1 1:SET names.x=1 2:SET transaction.x=1"},
        {"SET TIME ZONE LOCAL; SET TIME ZONE DEFAULT", "0:RESET timezone 1:RESET timezone"},
        {"SET TIME ZONE 'Asia/Tokyo'; SET TIME ZONE -3; SET TIME ZONE UTC",
         "0:SET timezone='Asia/Tokyo' 1:SET timezone=-3 2:SET timezone=UTC"},
        {"SET LOCAL TIME ZONE 'UTC'", "0:LOCAL timezone='UTC'"},
        {"SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE; SET x = 1",
         "0:SET timezone=zone INTERVAL '-08:00' HOUR TO MINUTE 1:SET x=1"},
        {"SET NAMES 'latin1'; SET NAMES; SET NAMES DEFAULT",
         "0:SET client_encoding='latin1' 1:RESET client_encoding 2:RESET client_encoding"},
        {"SET ROLE NONE; SET ROLE 'a'; SET role = b; SET LOCAL ROLE c",
         "0:SET role=NONE 1:SET role='a' 2:SET role=b 3:LOCAL role=c"},
        {"SET SESSION AUTHORIZATION a; SET SESSION AUTHORIZATION DEFAULT",
         "0:SET session_authorization=a 1:RESET session_authorization"},
        {"SET SESSION SESSION AUTHORIZATION a; SET LOCAL SESSION AUTHORIZATION a",
         "0:SET session_authorization=a 1:LOCAL session_authorization=a"},
        {"SET SCHEMA 'a, b'", "0:SET search_path='a, b'"},
        {"SET XML OPTION DOCUMENT", "0:SET xmloption=DOCUMENT"},
        {"SET sort_mem = 64; SET vacuum_mem = 64",
         "0:SET work_mem=64 1:SET maintenance_work_mem=64"},
        {"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE  READ",
         "0:SET default_transaction_isolation=<'repeatable read'>"},
        {"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE DEFERRABLE, "
         "READ ONLY",
         "0:SET default_transaction_isolation=<'serializable'> 0:SET "
         "default_transaction_deferrable=<on> 0:SET default_transaction_read_only=<on>"},
        {"SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE, NOT DEFERRABLE, ISOLATION LEVEL "
         "READ UNCOMMITTED",
         "0:SET default_transaction_read_only=<off> 0:SET default_transaction_deferrable=<off> "
         "0:SET default_transaction_isolation=<'read uncommitted'>"},
        {"SET characteristics TO 1", "0:SET characteristics=1"},
        {"SET TRANSACTION READ ONLY; SET CONSTRAINTS ALL DEFERRED; SET transaction_isolation = "
         "'serializable'",
         ""},
        {"SET x FROM CURRENT; SET LOCAL x FROM CURRENT", "0:SETTINGS"},
        {"SET seed = 0.5", "0:LOAD"},
        {"SET U&\"x\" = 1", "0:UNKNOWN"},
        {"RESET x; RESET ALL; RESET a.b; RESET TIME ZONE; RESET ROLE",
         "0:RESET x 1:RESET_ALL 2:RESET a.b 3:RESET timezone 4:RESET role"},
        {"RESET SESSION AUTHORIZATION; RESET TRANSACTION ISOLATION LEVEL",
         "0:RESET session_authorization"},
        {"UPDATE t SET x = 1; ALTER ROLE r SET x = 1; ALTER SYSTEM SET x = 1", ""},
        {"SET", ""},
        {"SET x", ""},
        {"SET x =", ""},
    };
    RUN(cases);
}

static void set_config_is_a_set(void **)
{
    static const struct effects_case cases[] = {
        {"SELECT set_config('X.y', 'v', false)", "0:SET x.y=call 'v'"},
        {"SELECT pg_catalog.\"set_config\"('x', E'\\'', 'f') AS y, set_config('y', $$v$$, FALSE);",
         "0:SET x=call E'\\'' 0:SET y=call $$v$$"},
        {"SELECT set_config('x', NULL, false)", "0:RESET x"},
        {"SELECT set_config('x', 'v', true)", "0:LOCAL x=call 'v'"},
        {"SELECT set_config('search_path', '', false)", "0:SET search_path=call ''"},
        {"SELECT set_config('search_path', 'pg_temp', false)",
         "0:TEMP 0:SET search_path=call 'pg_temp'"},
        {"SELECT set_config('x', $1, false)", "0:SETTINGS"},
        {"SELECT set_config('x', $1, true), set_config('y', $2, true)", "0:LOCAL x 0:LOCAL y"},
        {"SELECT set_config($1, $2, true)", "0:LOCAL"},
        {"SELECT set_config('x', 'v', false) FROM t", "0:SETTINGS"},
        {"SELECT 1, set_config('x', 'v', false)", "0:SETTINGS"},
        {"SELECT set_config('x', 'v' || 'w', false)", "0:SETTINGS"},
        {"SELECT set_config('x', 'v', a = b)", "0:SETTINGS"},
        {"EXPLAIN SELECT set_config('x', 'v', false)", "0:SETTINGS"},
        {"(SELECT set_config('x', 'v', false))", "0:SETTINGS"},
        {"UPDATE t SET x = set_config('x', 'v', false)", "0:SETTINGS"},
        {"SELECT 'set_config(''x'', ''v'', false)', \"set_config\" FROM set_config", ""},
        {"SELECT U&\"set_confi\\0067\"('x', 'v', false)", "0:UNKNOWN"},
        {"PREPARE p AS SELECT set_config('x', 'v', false)",
         "0:PREPARE p=AS SELECT set_config('x', 'v', false) 0:UNKNOWN"},
    };
    RUN(cases);
}

static void prepared_statements_have_names(void **)
{
    static const struct effects_case cases[] = {
        {"PREPARE p AS SELECT 1", "0:PREPARE p=AS SELECT 1"},
        {"PREPARE \"P\"(int, text) AS SELECT $1; SELECT 1;",
         "0:PREPARE \"P\"=(int, text) AS SELECT $1"},
        {"PREPARE transaction AS SELECT 1", "0:PREPARE transaction=AS SELECT 1"},
        {"EXECUTE p(1, 2)", "0:EXECUTE p"},
        {"EXPLAIN ANALYZE VERBOSE EXECUTE p", "0:EXECUTE p"},
        {"EXPLAIN (ANALYZE, FORMAT json) EXECUTE p(1)", "0:EXECUTE p"},
        {"EXPLAIN (SELECT pg_advisory_lock(1))", "0:LOCK"},
        {"CREATE TABLE t AS EXECUTE p(1)", "0:EXECUTE p"},
        {"CREATE TEMP TABLE t ON COMMIT DROP AS EXECUTE p", "0:EXECUTE p"},
        {"CREATE TABLE t AS SELECT 1 AS execute", ""},
        {"CREATE TRIGGER t AFTER INSERT ON t EXECUTE FUNCTION f()", ""},
        {"DEALLOCATE p; DEALLOCATE PREPARE p; DEALLOCATE prepare",
         "0:DEALLOCATE p 1:DEALLOCATE p 2:DEALLOCATE prepare"},
        {"DEALLOCATE ALL; DEALLOCATE PREPARE ALL; DEALLOCATE \"all\"",
         "0:DEALLOCATE_ALL 1:DEALLOCATE_ALL 2:DEALLOCATE \"all\""},
        {"SELECT execute FROM prepare", ""},
        {"PREPARE U&\"p\" AS SELECT 1", "0:UNKNOWN"},
    };
    RUN(cases);
}

static void notifications_are_seen(void **)
{
    static const struct effects_case cases[] = {
        {"LISTEN a; UNLISTEN \"A\"; UNLISTEN *", "0:LISTEN a 1:UNLISTEN \"A\" 2:UNLISTEN_ALL"},
        {"NOTIFY a, 'LISTEN b'", ""},
        {"SELECT listen FROM t", ""},
    };
    RUN(cases);
}

static void temporary_objects_are_seen(void **)
{
    static const struct effects_case cases[] = {
        {"CREATE TEMP TABLE t (a int)", "0:TEMP"},
        {"CREATE LOCAL TEMPORARY TABLE t (a int)", "0:TEMP"},
        {"CREATE TEMP TABLE t (a int) ON COMMIT DROP", ""},
        {"CREATE TEMP TABLE t ON COMMIT DELETE ROWS AS SELECT 1", "0:TEMP"},
        {"CREATE TEMP VIEW v AS SELECT pg_advisory_lock(1)", "0:TEMP"},
        {"CREATE OR REPLACE TEMP SEQUENCE s", "0:TEMP"},
        {"CREATE TABLE pg_temp.x (a int)", "0:TEMP"},
        {"CREATE FUNCTION \"pg_temp\".f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "0:TEMP"},
        {"CREATE FUNCTION f() RETURNS int SET search_path = a, pg_temp AS 'SELECT 1'", ""},
        {"SELECT 1 INTO TEMP t; SELECT 1 INTO LOCAL TEMP TABLE t; SELECT 1 INTO pg_temp.t",
         "0:TEMP 1:TEMP 2:TEMP"},
        {"WITH a AS (SELECT 1) SELECT * INTO TEMPORARY t FROM a", "0:TEMP"},
        {"SELECT insert INTO TEMP t FROM a", "0:TEMP"},
        {"EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1", "0:TEMP"},
        {"INSERT INTO temp VALUES (1); WITH a AS (INSERT INTO temp VALUES (1)) SELECT 1", ""},
        {"MERGE INTO temp USING a ON true WHEN MATCHED THEN DELETE", ""},
        {"SELECT 1 INTO t; CREATE TABLE temp (temp int); SELECT temp FROM temporary", ""},
        {"SELECT 'CREATE TEMP TABLE t'", ""},
    };
    RUN(cases);
}

static void cursors_locks_and_the_rest_are_seen(void **)
{
    static const struct effects_case cases[] = {
        {"DECLARE c NO SCROLL CURSOR WITH HOLD FOR SELECT 1", "0:HOLD c"},
        {"DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1; DECLARE d CURSOR FOR SELECT 1", ""},
        {"DECLARE c CURSOR FOR SELECT set_config('x', 'v', false)", "0:UNKNOWN"},
        {"CLOSE c; CLOSE ALL", "0:CLOSE c 1:CLOSE_ALL"},
        {"SELECT pg_catalog.\"pg_advisory_lock\"(1), pg_try_advisory_lock_shared (1)",
         "0:LOCK 0:LOCK"},
        {"SELECT * FROM pg_try_advisory_lock(1); SELECT pg_advisory_lock_shared(2)",
         "0:LOCK 1:LOCK"},
        {"SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock_shared(1), "
         "pg_advisory_unlock(1)",
         ""},
        {"SELECT pg_advisory_lock FROM t; SELECT 'pg_advisory_lock(1)' -- pg_advisory_lock(1)", ""},
        {"SELECT pg_advisory_unlock_all()", "0:UNLOCK_ALL"},
        {"SELECT pg_advisory_unlock_all() WHERE false", ""},
        {"EXPLAIN SELECT pg_advisory_unlock_all()", ""},
        {"COPY (SELECT pg_advisory_lock(1)) TO STDOUT", "0:LOCK"},
        {"LOAD 'x'; SELECT setseed(0.5)", "0:LOAD 1:LOAD"},
        {"SELECT currval('s'), lastval(), nextval('s')", "0:SEQUENCE 0:SEQUENCE"},
        {"DISCARD ALL; DISCARD PLANS; DISCARD SEQUENCES; DISCARD TEMP; DISCARD TEMPORARY",
         "0:DISCARD_ALL 1:DISCARD_PLANS 2:DISCARD_PLANS 3:DISCARD_TEMP 4:DISCARD_TEMP"},
        {"CREATE VIEW v AS SELECT lastval(); CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT "
         "lastval(); SELECT 1)",
         ""},
        {"SELECT 'abc", "0:UNKNOWN"},
        {"SET x = 1; SELECT 1a", "0:SET x=1 1:UNKNOWN"},
    };
    RUN(cases);
}

static void bodies_of_do_are_looked_through(void **)
{
    static const struct effects_case cases[] = {
        {"DO $$BEGIN PERFORM 1; END$$", ""},
        {"DO $a$BEGIN SET x = 1; PERFORM set_config('y', 'z', false); END$a$", "0:SETTINGS"},
        {"DO 'BEGIN CREATE TEMP TABLE t (a int); END'", "0:TEMP"},
        {"DO $$BEGIN LISTEN a; END$$", "0:UNKNOWN"},
        {"DO $$BEGIN EXECUTE 'se' || 't x = 1'; END$$", "0:UNKNOWN"},
        {"DO LANGUAGE plpgsql $$BEGIN PERFORM pg_catalog.pg_advisory_lock(1); END$$", "0:LOCK"},
        {"DO $$x$$ LANGUAGE plperl", "0:UNKNOWN"},
        {"DO E'\\163et x = 1'", "0:UNKNOWN"},
        {"DO 'PERFORM pg_adv'\n'isory_lock(1)'", "0:UNKNOWN"},
        {"DO $$BEGIN PERFORM U&\"\\0073\"(); END$$", "0:UNKNOWN"},
        {"DO $$BEGIN reset_it := settings; END$$", ""},
    };
    RUN(cases);
}

static void semicolons_in_bodies_end_nothing(void **)
{
    static const struct effects_case cases[] = {
        {"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; "
         "END; SET x = 1",
         "1:SET x=1"},
        {"CREATE PROCEDURE f() BEGIN ATOMIC END; SET x = 1", "1:SET x=1"},
        {"CREATE FUNCTION f() RETURNS int RETURN 1; SET x = 1", "1:SET x=1"},
        {"CREATE TABLE t AS SELECT begin atomic FROM a; SET x = 1", "1:SET x=1"},
        {"CREATE FUNCTION f() RETURNS int SET x = 1 AS 'SELECT 1'", ""},
        {"CREATE RULE r AS ON UPDATE TO t DO (SELECT 1; SET x = 1); SET y = 2", "1:SET y=2"},
        {"SELECT ';', $$;$$, \";\" /*;*/; SET x = 1", "1:SET x=1"},
    };
    RUN(cases);
}

static void flags_are_of_the_whole_text(void **)
{
    static const struct {
        const char *sql;
        unsigned count;
        bool is_ddl, is_read_only;
    } cases[] = {
        {"SELECT 1; (VALUES (1)); TABLE t; SHOW x; FETCH c;", 5, false, true},
        {"SELECT 1; DELETE FROM t", 2, false, false},
        {"WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a", 1, false, false},
        {"SELECT * INTO t FROM a", 1, true, false},
        {"INSERT INTO t SELECT 1", 1, false, false},
        {"WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", 1, false, false},
        {"ALTER TABLE t ADD a int", 1, true, false},
        {"DROP TABLE t; TRUNCATE a", 2, true, false},
        {"DO $$BEGIN ALTER TABLE t ADD a int; END$$", 1, true, false},
        {"", 0, false, false},
        {" ; -- x", 0, false, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct effects effects;
        effects_read(cases[i].sql, strlen(cases[i].sql), true, &effects);
        assert_int_equal(effects.statement_count, cases[i].count);
        assert_int_equal(effects.is_ddl, cases[i].is_ddl);
        assert_int_equal(effects.is_read_only_text, cases[i].is_read_only);
    }
}

static void too_many_effects_are_unknown(void **)
{
    char sql[EFFECT_MAX * 8 + 16] = "";
    struct effects effects;
    size_t size = 0;

    for (int i = 0; i < EFFECT_MAX; i++) {
        size += (size_t)snprintf(sql + size, sizeof sql - size, "BEGIN;");
    }
    effects_read(sql, size, true, &effects);
    assert_int_equal(effects.count, EFFECT_MAX);
    assert_int_equal(effects.list[EFFECT_MAX - 1].kind, EFFECT_BEGIN);
    size += (size_t)snprintf(sql + size, sizeof sql - size, "SET x=1");
    effects_read(sql, size, true, &effects);
    assert_int_equal(effects.count, EFFECT_MAX);
    assert_int_equal(effects.list[EFFECT_MAX - 1].kind, EFFECT_UNKNOWN);
}

static void replays_quote_names_and_keep_forms(void **)
{
    static const struct effects_case cases[] = {
        {"SET a.select = 1, 2", "SET \"a\".\"select\" = 1, 2"},
        {"SET NAMES utf8", "SET \"client_encoding\" = utf8"},
        {"RESET x", "RESET \"x\""},
        {"SET TIME ZONE INTERVAL '1' HOUR", "SET TIME ZONE INTERVAL '1' HOUR"},
        {"SELECT set_config('search_path', 'a, b', false)",
         "SELECT pg_catalog.set_config('search_path', 'a, b', false)"},
        {"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
         "SET \"default_transaction_read_only\" = on"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct effects effects;
        char out[128];
        effects_read(cases[i].sql, strlen(cases[i].sql), true, &effects);
        assert_true(effect_replay(&effects.list[0], cases[i].sql, out, sizeof out));
        assert_string_equal(out, cases[i].effects);
        assert_false(effect_replay(&effects.list[0], cases[i].sql, out, strlen(cases[i].effects)));
    }
}

static void lone_transaction_control_is_told(void **)
{
    static const struct {
        const char *sql;
        enum effect_kind kind;
    } cases[] = {
        {"BEGIN;", EFFECT_BEGIN},
        {"begin isolation level read committed, read only -- x", EFFECT_BEGIN},
        {"START TRANSACTION", EFFECT_BEGIN},
        {"END", EFFECT_COMMIT},
        {"COMMIT WORK;;", EFFECT_COMMIT},
        {"abort transaction", EFFECT_ROLLBACK},
        {"COMMIT AND CHAIN", EFFECT_NONE},
        {"BEGIN; SELECT 1", EFFECT_NONE},
        {"ROLLBACK TO a", EFFECT_NONE},
        {"COMMIT PREPARED 'a'", EFFECT_NONE},
        {"START", EFFECT_NONE},
        {"SELECT 1", EFFECT_NONE},
        {"", EFFECT_NONE},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(effects_lone_transaction(cases[i].sql, strlen(cases[i].sql)),
                         cases[i].kind);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transactions_begin_and_end),
        cmocka_unit_test(settings_have_their_own_name),
        cmocka_unit_test(set_config_is_a_set),
        cmocka_unit_test(prepared_statements_have_names),
        cmocka_unit_test(notifications_are_seen),
        cmocka_unit_test(temporary_objects_are_seen),
        cmocka_unit_test(cursors_locks_and_the_rest_are_seen),
        cmocka_unit_test(bodies_of_do_are_looked_through),
        cmocka_unit_test(semicolons_in_bodies_end_nothing),
        cmocka_unit_test(flags_are_of_the_whole_text),
        cmocka_unit_test(too_many_effects_are_unknown),
        cmocka_unit_test(replays_quote_names_and_keep_forms),
        cmocka_unit_test(lone_transaction_control_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
