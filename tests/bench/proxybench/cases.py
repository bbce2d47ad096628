"""What is measured and what must hold: the cases (rows of the table) and the bars, both as data.

A case has cells that are run one after the other in each round, so that what a cell is compared with was measured
within seconds of it. `subject` is what stands for Reparto: itself, or PgBouncer in an A/A run."""
import dataclasses

from proxybench import trials
from proxybench.contenders import Setup
from proxybench.pgbench import Load

BASE, OURS, OURS_2 = "pgbouncer", "reparto", "reparto, 2 workers"


@dataclasses.dataclass(frozen=True)
class Cell:
    name: str
    contender: str
    load: Load
    setup: Setup = Setup()


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    cells: tuple
    trial: object = None  # None: a round of pgbench
    rounds_max: int = 100


@dataclasses.dataclass(frozen=True)
class Bar:
    """`of` divided by `to` in the same round; the figure itself when there is no `to`."""
    case: str
    measure: str
    most: float = None
    least: float = None
    of: str = OURS
    to: str = None
    unit: str = "x"


def rows(script, protocol, clients, options):
    load = Load(script, protocol, clients)
    cells = [Cell(BASE, "pgbouncer", load), Cell(OURS, options.subject, load)]
    if script == "select" and protocol == "simple":
        if clients > 1:
            cells.append(Cell(OURS_2, options.subject, load, Setup(workers=2)))
        if not options.no_direct:
            cells.append(Cell("direct", "direct", load))
    cells += [Cell(name, name, load) for name in options.extra]
    return Case(f"{script}-{protocol}-{clients}", tuple(cells))


def prepared(clients, options, pgbouncer_keeps):
    """Until 1.21 PgBouncer fails `-M prepared` in transaction mode: our bar is against its simple protocol, and its
    session mode, where each client has a server of its own, is there to be seen."""
    load = Load("select", "prepared", clients)
    theirs = Setup() if pgbouncer_keeps else Setup(pool_mode="session", pool_size=clients)
    name = "pgbouncer, prepared" if pgbouncer_keeps else "pgbouncer, session"
    # In an A/A run PgBouncer stands for us too, with what it can do.
    ours = theirs if options.subject == "pgbouncer" else Setup()
    return Case(f"select-prepared-{clients}", (
        Cell(BASE, "pgbouncer", Load("select", "simple", clients)), Cell(OURS, options.subject, load, ours),
        Cell(name, "pgbouncer", load, theirs)))


def logins(auth, name, options):
    load, setup = Load(clients=16, reconnects=True), Setup(auth=auth)
    return Case(f"connect-{name}-16", (Cell(BASE, "pgbouncer", load, setup), Cell(OURS, options.subject, load, setup)))


def tls(options):
    load = Load()
    return Case("tls-simple-16", (
        Cell(BASE, "pgbouncer", load, Setup(tls=True)), Cell(OURS, options.subject, load, Setup(tls=True)),
        Cell("reparto, plain", options.subject, load)))


def tried(name, trial, load, options, rounds_max=1):
    return Case(name, (Cell(BASE, "pgbouncer", load), Cell(OURS, options.subject, load)), trial, rounds_max)


def all_cases(options, pgbouncer_keeps):
    found = [rows("select", protocol, clients, options)
             for protocol in ("simple", "extended") for clients in (1, 16, 64, 256)]
    found += [prepared(clients, options, pgbouncer_keeps) for clients in (16, 64, 256)]
    found += [rows("tpcb", "simple", clients, options) for clients in (16, 64, 256)]
    found += [rows("tpcb", "extended", 16, options)]
    found += [logins("trust", "trust", options), logins("scram-sha-256", "scram", options), tls(options)]
    found += [tried(f"syscalls-{protocol}", trials.system_calls, Load("select", protocol, 1), options, 3)
              for protocol in ("simple", "extended")]
    found += [tried("idle", trials.idle_memory, None, options), tried("leak", trials.leaks, None, options),
              tried("fairness", trials.fairness, Load("sleep", "simple", 1000), options, 3)]
    return found


QUICK = ("select-simple-1", "select-simple-16", "select-extended-16", "select-prepared-16", "tpcb-simple-16",
         "connect-trust-16", "connect-scram-16", "tls-simple-16", "syscalls-simple", "syscalls-extended", "idle",
         "leak", "fairness")


def matches(word, names):
    """The case of that name, else all that begin so; none is an error (ValueError)."""
    found = {word} & set(names) or {name for name in names if name.startswith(word)}
    if not found:
        raise ValueError(f"--only {word}: there are {' '.join(names)}")
    return found


def chosen(cases, options):
    if options.only:
        wanted = set().union(*(matches(word, [case.name for case in cases]) for word in options.only))
        return [case for case in cases if case.name in wanted]
    return [case for case in cases if case.name in QUICK] if options.quick else cases


def pgbench_bars():
    for clients in (16, 64, 256):
        for protocol in ("simple", "extended"):
            yield Bar(f"select-{protocol}-{clients}", "cpu_us", most=1.00, to=BASE)
            yield Bar(f"select-{protocol}-{clients}", "tps", least=0.9, to=BASE)
        yield Bar(f"select-prepared-{clients}", "cpu_us", most=1.15, to=BASE)
        yield Bar(f"select-simple-{clients}", "cpu_us", most=1.15, of=OURS_2, to=OURS)
    for name in ("tpcb-simple-16", "tpcb-simple-64", "tpcb-simple-256", "tpcb-extended-16"):
        yield Bar(name, "cpu_us", most=1.05, to=BASE)
        yield Bar(name, "tps", least=0.9, to=BASE)
    for protocol in ("simple", "extended"):
        yield Bar(f"select-{protocol}-1", "p50_us", most=1.1, to=BASE)
    yield Bar("connect-trust-16", "cpu_us", most=1.1, to=BASE)
    yield Bar("connect-scram-16", "cpu_us", most=250, unit="us")
    yield Bar("tls-simple-16", "cpu_us", most=1.45, to="reparto, plain")


def trial_bars():
    for protocol in ("simple", "extended"):
        # The proxy's timers and one login are spread over the queries; half a percent is theirs.
        yield Bar(f"syscalls-{protocol}", "calls", most=6.03, unit="a query")
        yield Bar(f"syscalls-{protocol}", "sends", most=2.01, unit="a query")
        yield Bar(f"syscalls-{protocol}", "epoll_ctls", most=0.01, unit="a query")
    yield Bar("idle", "bytes_per_client", most=4096, unit="B a client")
    yield Bar("idle", "cpu_percent", most=0.1, unit="%")
    yield Bar("leak", "descriptors", most=0, unit="descriptors")
    yield Bar("leak", "servers", most=16, unit="connections")
    # A leak of the smallest piece that malloc gives out would be 32 bytes a connection; a few pages that are touched
    # for the first time are none.
    yield Bar("leak", "bytes_per_connection", most=4, unit="B a connection")
    yield Bar("fairness", "unfairness", most=3, unit="p99/p50")


def all_bars():
    return [*pgbench_bars(), *trial_bars()]
