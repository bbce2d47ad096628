"""psycopg 3: prepared statements by the protocol, binary, pipeline, COPY."""
import datetime, threading, time
import psycopg

c = psycopg.connect("", prepare_threshold=0)
for round in range(5):
    row = c.execute("SELECT %s::int + 1, %s::text, %s::date, %s::int[]", (41, "\u00e9", datetime.date(2020, 2, 3), [1, None]),
                    binary=bool(round % 2)).fetchone()
    assert row == (42, "\u00e9", datetime.date(2020, 2, 3), [1, None]), row
    c.commit()
print("parameters and types, prepared over transactions")
big = b"\0b\xff" * 1000000
assert c.execute("SELECT %b::bytea", (big,), binary=True).fetchone() == (big,)
print("big values")
c.execute("CREATE TABLE IF NOT EXISTS p3 (a int PRIMARY KEY, b text)")
c.execute("TRUNCATE p3")
c.commit()
try:
    with c.transaction():
        c.execute("INSERT INTO p3 VALUES (1, 'x')")
        with c.transaction():
            c.execute("INSERT INTO p3 VALUES (2, 'y')")
            raise psycopg.Rollback()
except psycopg.Rollback:
    pass
assert c.execute("SELECT count(*) FROM p3").fetchone()[0] == 1
c.execute("TRUNCATE p3")
c.commit()
print("transactions with savepoints")
with c.cursor().copy("COPY p3 FROM STDIN") as copy:
    for n in range(5000):
        copy.write_row((n, f"row {n}"))
c.commit()
with c.cursor().copy("COPY (SELECT * FROM p3 ORDER BY a) TO STDOUT (FORMAT binary)") as copy:
    copy.set_types(["int4", "text"])
    assert sum(r[0] for r in copy.rows()) == 4999 * 2500
c.commit()
print("copy")
try:
    c.execute("INSERT INTO p3 VALUES (1, 'twice')")
    raise AssertionError("no error")
except psycopg.errors.UniqueViolation:
    c.rollback()
seen = []
c.add_notice_handler(lambda d: seen.append(d.message_primary))
c.execute("DO $$ BEGIN RAISE NOTICE 'hello'; END $$")
assert seen == ["hello"], seen
c.commit()
print("errors and notices")
if psycopg.Pipeline.is_supported():
    with c.pipeline() as p:
        u = [c.execute("SELECT %s::int", (n,)) for n in range(100)]
        p.sync()
        assert [x.fetchone()[0] for x in u] == list(range(100))
    c.commit()
    try:
        with c.pipeline():
            c.execute("SELECT 1")
            c.execute("SELECT 1/%s", (0,))
            c.execute("SELECT 3")
    except psycopg.errors.DivisionByZero:
        c.rollback()
    else:
        raise AssertionError("no error")
    assert c.execute("SELECT 7").fetchone() == (7,)
    c.commit()
    print("pipeline")
threading.Timer(0.3, c.cancel).start()
try:
    c.execute("SELECT pg_sleep(20)")
    raise AssertionError("not cancelled")
except psycopg.errors.QueryCanceled:
    c.rollback()
print("cancel")
c.autocommit = True
heard = []
c.add_notify_handler(lambda n: heard.append((n.channel, n.payload)))
c.execute("LISTEN news3")
c.execute("NOTIFY news3, 'p3'")
end = time.monotonic() + 5
while not heard:  # what comes with an answer is given to handlers only
    assert time.monotonic() < end, "no notification"
    c.execute("SELECT 1")
assert heard == [("news3", "p3")], heard
print("notifications")
with psycopg.connect("") as d, d.cursor("big") as u:
    u.itersize = 100
    u.execute("SELECT generate_series(1, 1000)")
    assert sum(r[0] for r in u) == 500500
print("cursors")
c.close()
print("done")
