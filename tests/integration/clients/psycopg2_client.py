"""psycopg 2 through what $PGHOST and its like name; prints a line for each thing that works."""
import datetime, io, threading, time
import psycopg2, psycopg2.extensions

c = psycopg2.connect("")
c.set_session(autocommit=False)
u = c.cursor()
for round in range(3):
    u.execute("SELECT %s::int + 1, %s::text, %s::date, %s::int[], %s::timestamptz",
              (41, "it's \u00e9", datetime.date(2020, 2, 3), [1, 2, None], datetime.datetime(2020, 2, 3, tzinfo=datetime.timezone.utc)))
    assert u.fetchone() == (42, "it's \u00e9", datetime.date(2020, 2, 3), [1, 2, None],
                            datetime.datetime(2020, 2, 3, tzinfo=datetime.timezone.utc))
    c.commit()
print("parameters and types")
big = "b\u00e4" * 1500000
u.execute("SELECT %s::text, length(%s)", (big, big))
assert u.fetchone() == (big, len(big))
c.commit()
print("big values")
for round in range(3):  # by SQL: psycopg 2 has no other
    if round == 0:
        u.execute("PREPARE add (int) AS SELECT $1 + 1")
        c.commit()
    u.execute("EXECUTE add (%s)", (round,))
    assert u.fetchone() == (round + 1,)
    c.commit()
u.execute("DEALLOCATE add")
c.commit()
print("prepared statements over transactions")
u.execute("CREATE TABLE IF NOT EXISTS p2 (a int PRIMARY KEY, b text)")
u.execute("TRUNCATE p2")
c.commit()
u.execute("INSERT INTO p2 VALUES (1, 'x')")
c.rollback()
u.execute("SELECT count(*) FROM p2")
assert u.fetchone() == (0,)
print("rollback")
u.copy_expert("COPY p2 FROM STDIN", io.StringIO("".join(f"{n}\trow {n}\n" for n in range(5000))))
c.commit()
out = io.StringIO()
u.copy_expert("COPY (SELECT * FROM p2 ORDER BY a) TO STDOUT", out)
assert len(out.getvalue().splitlines()) == 5000
c.commit()
print("copy")
try:
    u.execute("INSERT INTO p2 VALUES (1, 'twice')")
    raise AssertionError("no error")
except psycopg2.errors.UniqueViolation as error:
    assert error.diag.constraint_name == "p2_pkey"
c.rollback()
u.execute("DO $$ BEGIN RAISE NOTICE 'hello'; END $$")
assert "hello" in c.notices[-1]
c.commit()
print("errors and notices")
threading.Timer(0.3, c.cancel).start()
try:
    u.execute("SELECT pg_sleep(20)")
    raise AssertionError("not cancelled")
except psycopg2.extensions.QueryCanceledError:
    c.rollback()
print("cancel")
c.autocommit = True
u.execute("LISTEN news")
u.execute("NOTIFY news, 'p2'")
end = time.monotonic() + 5
while not c.notifies:
    assert time.monotonic() < end, "no notification"
    c.poll()
    time.sleep(0.01)
assert (c.notifies[0].channel, c.notifies[0].payload) == ("news", "p2")
print("notifications")
named = psycopg2.connect("")
d = named.cursor("big")
d.itersize = 100
d.execute("SELECT generate_series(1, 1000)")
assert sum(r[0] for r in d) == 500500
named.commit()
print("cursors")
print("done")
