"""The engine of the differential test: runs steps (differential_steps.py) on pairs of connections, one direct and one
through the pool, to databases that are twins, and compares after each step every message that came, byte by byte.

What is not compared, and why:
- BackendKeyData, and the pid in a notification: the pool's clients have keys of their own.
- The number of a table in RowDescription: the twins are two databases; only whether there is one.
- When a notification comes: the server too sends it when it likes. Order and content are compared, at the latest at
  the next check, which waits for a notification sent behind all others.
- The order of ParameterStatus messages that follow each other, and in that of the startup.
"""
import contextlib, json, random, struct, sys, time

import pg_protocol as pg
from differential_steps import FAMILIES, PROFILES, Steps, pins
from lab import wait_until

ENCODERS = {"Q": pg.query, "P": pg.parse, "B": pg.bind, "D": pg.describe, "E": pg.execute, "C": pg.close, "S": pg.sync,
            "H": pg.flush, "d": pg.copy_data, "c": pg.copy_done, "f": pg.copy_fail,
            "F": lambda function, values: pg.function_call(function, values)}

SETUP = """
CREATE TABLE t (k int PRIMARY KEY, v text) WITH (autovacuum_enabled = off);
INSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, 8) g;
CREATE SCHEMA alt; CREATE TABLE alt.t (k int PRIMARY KEY, v text) WITH (autovacuum_enabled = off);
INSERT INTO alt.t VALUES (1, 'alt');
CREATE VIEW v AS SELECT k FROM t; CREATE SEQUENCE sq;
GRANT SELECT, INSERT ON t TO clerk; GRANT USAGE ON SCHEMA alt TO clerk;
"""
ANSWER_SECONDS = 6


class Difference(Exception):
    """At `step`, what came directly and what came through the pool."""

    def __init__(self, step, what, direct, pooled):
        super().__init__(f"{what}\n  step    {json.dumps(step, ensure_ascii=False)}\n  direct  {direct}\n  pooled  {pooled}")
        self.step = step


class Unfit(Exception):
    """PostgreSQL itself owes no answer here: the steps make no sense in this order."""


def comparable(message):
    if message.kind == "T":
        return "T", [(name, bool(table), *more) for name, table, *more in pg.columns(message.body)]
    if message.kind in "EN":
        return message.kind, pg.error_fields(message.body)
    return message.kind, message.body if len(message.body) < 300 else (message.body[:100], len(message.body),
                                                                         hash(message.body))


def comparable_list(messages):
    found, statuses = [], []
    for message in [comparable(m) for m in messages] + [("end", b"")]:
        if message[0] == "S":
            statuses.append(message)
            continue
        found += sorted(statuses)
        statuses.clear()
        found.append(message)
    return found[:-1]


class Twin:
    """One client: its direct connection and that through the pool."""

    def __init__(self, world, profile, step):
        self.world, self.pinned, self.has_notified, self.in_transaction = world, False, False, False
        self.is_closed = False  # PostgreSQL itself ended it
        parameters = PROFILES[profile]
        self.direct = world.backend.connect(world.direct_database, parameters=parameters)
        try:
            self.pooled = world.router.connect(world.pooled_database, parameters=parameters, timeout=ANSWER_SECONDS)
        except (pg.Refused, pg.Closed, TimeoutError) as error:
            self.direct.end()
            raise Difference(step, f"login with {parameters}", "let in", repr(error)) from error

    def state(self):
        if self.is_closed:
            return "closed"
        if self.direct.copy in ("in", "both"):
            return "copy"
        return self.direct.status or "open"

    def holds(self):
        """Whether it may be keeping a server connection."""
        return not self.is_closed and (self.pinned or self.state() != "I")

    def run(self, step):
        messages = [ENCODERS[kind](*arguments) for kind, *arguments in step[2]]
        seen = []
        for connection in (self.direct, self.pooled):
            try:
                connection.send(*messages)
                seen.append(comparable_list(connection.answers(ANSWER_SECONDS)))
            except (pg.Closed, TimeoutError) as error:
                if isinstance(error, TimeoutError) and connection is self.direct:
                    raise Unfit(f"no answer at {json.dumps(step)}, due: {connection.due}") from error
                seen.append([*comparable_list(getattr(error, "messages", [])), type(error).__name__])
        if seen[0] != seen[1]:
            raise Difference(step, "answers", *seen)
        self.is_closed = seen[0][-1:] == ["Closed"]
        ours = [(c.status, c.copy, c.parameters) for c in (self.direct, self.pooled)]
        if ours[0] != ours[1]:
            raise Difference(step, "state", *ours)

    def leave(self, how):
        """Both at once; `flying`: with a statement before Terminate, whose answer it doesn't wait for."""
        for connection in (self.direct, self.pooled):
            with contextlib.suppress(pg.Closed, OSError):
                if how == "flying":
                    connection.write(pg.query("INSERT INTO public.t VALUES (100, 'flying') ON CONFLICT DO NOTHING"))
                if how != "abrupt":
                    connection.write(pg.terminate())
                    while connection.read_some():
                        pass
            connection.end()


class World:
    """A pair of fresh databases, `count` clients, a pool of `size` connections."""

    def __init__(self, backend, router, count, size, name):
        self.backend, self.router, self.size = backend, router, size
        self.direct_database, self.pooled_database = f"twin_d{name}", f"twin_p{name}"
        self.sentinel, self.owner = 0, backend.connect("postgres")
        for database in (self.direct_database, self.pooled_database):
            self.owner.sql(f"CREATE DATABASE {database} TEMPLATE twin_template")
            # A statement that waits for another client's lock fails alike on both sides, soon.
            self.owner.sql(f"ALTER DATABASE {database} SET lock_timeout = '60ms'")
            self.owner.sql(f"ALTER DATABASE {database} SET app.tenant = 'base'")
        self.observers = [backend.connect(d) for d in (self.direct_database, self.pooled_database)]
        self.clients = []
        try:
            for _ in range(count):
                self.clients.append(Twin(self, 0, [-1, "start"]))
                self.compare_start([-1, "start"], self.clients[-1])
        except BaseException:
            self.end()
            raise

    def end(self):
        for client in self.clients:
            client.leave("abrupt")
        for connection in self.observers:
            connection.end()
        for database in (self.direct_database, self.pooled_database):
            self.owner.sql(f"DROP DATABASE {database} WITH (FORCE)")
        self.owner.end()

    def compare_start(self, step, client):
        seen = [(c.status, c.parameters) for c in (client.direct, client.pooled)]
        if seen[0] != seen[1]:
            raise Difference(step, "startup", *seen)

    def may_step(self, number):
        """Only as many clients as there are server connections can be in a transaction or pinned at once."""
        return self.clients[number].holds() or sum(c.holds() for c in self.clients) < self.size

    def run(self, step):
        """False when it could not be run: its client would have to wait for a server connection."""
        if step[1] == "check":
            self.check(step)
            return True
        client = self.clients[step[0]]
        if not self.may_step(step[0]) or (client.is_closed and step[1] != "reconnect"):
            return False
        if step[1] == "reconnect":
            self.reconnect(step, client)
            return True
        client.pinned = client.pinned or pins(step)
        client.run(step)
        client.has_notified |= "notify" in json.dumps(step).lower()
        ended = client.in_transaction and client.state() == "I"
        client.in_transaction = client.state() != "I"
        if client.state() == "I" and (client.has_notified or ended):
            self.compare_notifications(step)
            client.has_notified = False
        return True

    def reconnect(self, step, client):
        client.leave(step[3])
        self.wait_gone(client.direct)
        self.compare_leftovers(step)
        self.clients[step[0]] = Twin(self, step[2], step)
        self.compare_start(step, self.clients[step[0]])

    def wait_gone(self, connection):
        (pid,) = struct.unpack_from("!I", connection.key)
        wait_until(lambda: not self.owner.sql(f"SELECT FROM pg_stat_activity WHERE pid = {pid}"), "the backend ended")

    # ---- notifications ----

    def channels(self, connection):
        """What it listens to; asked in a way that leaves no trace in the session."""
        messages = connection.run(pg.parse("probe!", "SELECT pg_catalog.pg_listening_channels()"),
                                  pg.bind("probe!", "probe!"), pg.execute("probe!"), pg.close("S", "probe!"), pg.sync())
        assert not pg.errors(messages), messages
        return [bytes(r[0]).decode() for r in pg.rows(messages)]

    def compare_notifications(self, step):
        listening = {n: self.channels(c.direct) for n, c in enumerate(self.clients) if c.state() == "I"}
        self.sentinel += 1
        mark = f"#{self.sentinel}"
        for channel in {channel for found in listening.values() for channel in found}:
            for observer in self.observers:
                observer.sql(f"NOTIFY \"{channel}\", '{mark}'")
        for number, channels in listening.items():
            client, seen = self.clients[number], []
            for connection in (client.direct, client.pooled):
                with contextlib.suppress(TimeoutError):
                    for channel in channels:
                        connection.wait_notification(lambda n, channel=channel: n[:2] == (channel, mark), ANSWER_SECONDS)
                unasked = [comparable(m) for m in connection.quiet(0.001)]
                # The marks of several channels come in no order: each channel is a stream of its own.
                seen.append((unasked, sorted(((n[0], n[1]) for n in connection.notifications), key=lambda n: n[0])))
                connection.notifications.clear()
            if seen[0] != seen[1]:
                raise Difference(step, f"notifications of client {number}", *seen)

    # ---- what both databases hold ----

    LEFTOVERS = [
        "SELECT classid, objid, objsubid, mode, count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
        "SELECT relname FROM pg_class WHERE relpersistence = 't' AND relkind IN ('r', 'v', 'S') ORDER BY 1",
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
        "SELECT k, v FROM public.t ORDER BY k", "SELECT k, v FROM alt.t ORDER BY k",
    ]

    def compare_leftovers(self, step):
        """What clients that went left behind must go too, soon."""
        for sql in self.LEFTOVERS:
            end = time.monotonic() + ANSWER_SECONDS
            while True:
                seen = [observer.sql(sql) for observer in self.observers]
                if seen[0] == seen[1]:
                    break
                if time.monotonic() > end:
                    raise Difference(step, sql, *seen)
                time.sleep(0.01)

    def check(self, step):
        self.compare_notifications(step)
        self.compare_leftovers(step)


def prepare(backend):
    """The template that all twins are copied from."""
    owner = backend.connect("postgres")
    owner.sql("CREATE DATABASE twin_template")
    template = backend.connect("twin_template")
    template.sql(SETUP)
    template.finish()
    owner.finish()


class Run:
    """Worlds, one after the other, on one backend and one router whose pool has `size` connections."""

    def __init__(self, backend, router, clients, size):
        self.backend, self.router, self.clients, self.size, self.count = backend, router, clients, size, 0

    @contextlib.contextmanager
    def world(self):
        self.count += 1
        world = World(self.backend, self.router, self.clients, self.size, f"{self.size}_{self.count}")
        try:
            yield world
        finally:
            world.end()

    def random_steps(self, seed, count, families=FAMILIES):
        """The steps that ran, and the Difference or None."""
        chooser, done = random.Random(seed), []
        steps = Steps(chooser, families)
        try:
            with self.world() as world:
                while len(done) < count:
                    number = chooser.randrange(self.clients)
                    client = world.clients[number]
                    if len(done) % 50 == 49:
                        step = [-1, "check"]
                    elif world.may_step(number):
                        step = steps.next(number, client.state(), client.pinned)
                    else:
                        continue
                    done.append(step)
                    world.run(step)
                done.append([-1, "check"])
                world.run(done[-1])
        except Difference as difference:
            return done, difference
        return done, None

    def replay(self, steps):
        """The first Difference, or None, and how many steps it took."""
        used = 0
        try:
            with self.world() as world:
                for step in steps:
                    used += 1
                    world.run(step)
        except Difference as difference:
            return difference, used
        except Unfit:
            pass
        return None, used

    def shrink(self, steps, difference, seconds):
        """Fewer steps that still end in a difference."""
        end, size = time.monotonic() + seconds, max(len(steps) // 2, 1)
        while time.monotonic() < end:
            at = 0
            while at < len(steps) - 1 and time.monotonic() < end:
                fewer = steps[:at] + steps[min(at + size, len(steps) - 1):]
                found, used = self.replay(fewer)
                if found:
                    steps, difference = fewer[:used], found
                else:
                    at += size
            if size == 1:
                break
            size = max(size // 2, 1)
        return steps, difference


def show(steps, difference, seed, run):
    """What a person needs to see it again."""
    print(f"== a difference with seed {seed}, {run.clients} clients, a pool of {run.size}; replayable script:",
          *(json.dumps(s) for s in steps), f"== {difference}", sep="\n", file=sys.stderr, flush=True)
