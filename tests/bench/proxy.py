#!/usr/bin/env python3
"""Compares `reparto serve` with Debian's PgBouncer: CPU for each transaction, latency, memory, leaks, fairness.

Starts a PostgreSQL and the proxies of its own on loopback; everything ends with it. Rounds are interleaved: in each
round each contender of a case runs once, in an order that rotates; ratios are taken within a round, then their median.
The table goes to stdout, progress to stderr. Exit status: 0, 3 when a bar is missed, 1 when something could not run,
130 on Ctrl-C.
"""
import argparse, dataclasses, datetime, json, os, pathlib, platform, resource, sys, time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from proxybench import cases, contenders, pgbench, result
from proxybench.world import Refused, World

EXIT_FAILED, EXIT_MISSED, EXIT_INTERRUPTED = 1, 3, 130


def parse_options(words):
    parser = argparse.ArgumentParser(prog="./dev bench proxy", description=__doc__.split("\n")[0])
    parser.add_argument("--only", metavar="NAMES", type=lambda text: text.split(","), default=[],
                        help="these cases, or those whose names begin so (commas); --list tells them")
    parser.add_argument("--list", action="store_true", help="print the cases and end")
    parser.add_argument("--rounds", type=int, metavar="N", help="default 3 (--quick: 1)")
    parser.add_argument("--seconds", type=float, metavar="S", help="measured time of a run; default 10 (--quick: 2)")
    parser.add_argument("--quick", action="store_true", help="few cases, one short round: shows that it works")
    parser.add_argument("--json", metavar="FILE", help="all samples, medians, ratios and bars")
    parser.add_argument("--subject", choices=("reparto", "pgbouncer"), default="reparto",
                        help="pgbouncer: compares it with itself, which shows the method's noise")
    parser.add_argument("--with", dest="extra", action="append", choices=contenders.EXTRA, default=[],
                        help="another contender in the pgbench cases; may be repeated")
    parser.add_argument("--no-direct", action="store_true", help="leave out the runs without a proxy")
    parser.add_argument("--pin", action="store_true", help="proxies of one worker run on the last processor alone")
    parser.add_argument("--scale", type=int, default=16, help="of pgbench -i; default 16")
    parser.add_argument("--keep", action="store_true", help="leave the directory with the logs")
    options = parser.parse_args(words)
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.seconds = options.seconds or (2 if options.quick else 10)
    if options.rounds < 1 or options.seconds < 1 or options.scale < 1:
        parser.error("--rounds, --seconds and --scale are at least 1")
    return options


@dataclasses.dataclass
class Context:
    """What a trial needs."""
    world: World
    server: contenders.Server
    seconds: float
    idle_clients: int
    idle_seconds: int
    leak_connections: int


def say(text):
    print(text, file=sys.stderr, flush=True)


def pin(proxy, cell, is_wanted):
    if is_wanted and proxy.process and cell.setup.workers == 1:
        os.sched_setaffinity(proxy.process.pid, {max(os.sched_getaffinity(0))})


def run_cell(context, case, cell, is_pinned):
    """Starts the proxy, takes one sample, ends the proxy."""
    proxy = contenders.START[cell.contender](context.world, context.server, cell.setup)
    try:
        pin(proxy, cell, is_pinned)
        if case.trial:
            return case.trial(context, proxy, cell.load)
        return pgbench.measure(context.world, context.server, proxy, cell.load, context.seconds, cell.setup)
    except OSError as error:
        raise Refused(f"{type(error).__name__}: {error}") from error
    finally:
        if proxy.process:
            context.world.stop(proxy.process)


def rotated(cells, by):
    by %= len(cells)
    return cells[by:] + cells[:by]


def told(sample):
    """A sample for the progress line."""
    return "  ".join(f"{name} {result.number(value)}" for name, value in sample.items() if value is not None)


def measure_all(context, chosen, options, results, failures):
    for round_number in range(options.rounds):
        for case_number, case in enumerate(chosen):
            if round_number >= case.rounds_max:
                continue
            for cell in rotated(case.cells, round_number + case_number):
                say(f"round {round_number + 1}/{options.rounds}  {case.name}  {cell.name}")
                sample = None
                try:
                    sample = run_cell(context, case, cell, options.pin)
                    say(f"    {told(sample)}")
                except Refused as refused:
                    say(f"    {refused}")
                    failures.append(f"{case.name}, {cell.name}, round {round_number + 1}: {refused}")
                results[case.name][cell.name].append(sample)


def machine():
    return {"processors": os.cpu_count(), "kernel": platform.release(), "load_average": os.getloadavg(),
            "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")}


def head(about, options):
    """What a reader must know before the figures."""
    lines = [f"{', '.join(about['versions'].values())}; {about['machine']['processors']} processors, Linux "
             f"{about['machine']['kernel']}, load average {about['machine']['load_average'][0]:.1f} at the start",
             f"rounds: {options.rounds}, of {options.seconds:g} s a run, interleaved and rotated; pool of 16; "
             + ("proxies of one worker pinned to one processor" if options.pin else "no process pinned")]
    if options.subject == "pgbouncer":
        lines.append("A/A: PgBouncer stands for Reparto too; the spread is the method's noise")
    if not about["pgbouncer_keeps_prepared"]:
        lines.append("this PgBouncer fails -M prepared in transaction mode: there Reparto is compared with PgBouncer's "
                     "simple protocol, and its session mode stands beside")
    return lines


def summarized(results):
    return {case: {cell: {measure: result.spread(result.known(result.values(results, case, cell, measure)))
                          for measure in dict.fromkeys(m for s in samples if s for m in s)}
                   for cell, samples in cells.items()} for case, cells in results.items()}


def report(about, options, chosen, results, failures):
    """Prints the table, writes the JSON; the exit status."""
    bars = result.judged(results, cases.all_bars())
    load_cases = {case.name for case in chosen if not case.trial}
    print("\n".join([*head(about, options), "", *result.table(results, load_cases, cases.BASE, bars, failures)]))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(
            {**about, "options": vars(options), "samples": results, "summary": summarized(results), "bars": bars,
             "failures": failures}, indent=1) + "\n")
    if result.is_missed(bars):
        return EXIT_MISSED
    return EXIT_FAILED if failures else 0


def describe(options):
    names = ["postgres", "pgbouncer", *([] if options.subject == "pgbouncer" else ["reparto"]), *options.extra]
    return {"machine": machine(), "versions": {name: contenders.version_of(name) for name in names},
            "pgbouncer_keeps_prepared": contenders.keeps_prepared(contenders.pgbouncer_version())}


def bench(options):
    about = describe(options)
    chosen = cases.chosen(cases.all_cases(options, about["pgbouncer_keeps_prepared"]), options)
    if options.list:
        print("\n".join(case.name for case in chosen))
        return 0
    results = {case.name: {cell.name: [] for cell in case.cells} for case in chosen}
    failures, began = [], time.monotonic()
    with World(options.keep) as world:
        say(f"PostgreSQL is being set up in {world.directory}")
        context = Context(world, contenders.Server(world, options.scale), options.seconds,
                          *((1000, 3, 2500) if options.quick else (5000, 10, 10000)))
        measure_all(context, chosen, options, results, failures)
    say(f"{time.monotonic() - began:.0f} s in all")
    return report(about, options, chosen, results, failures)


def main():
    options = parse_options(sys.argv[1:])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        return bench(options)
    except (Refused, ValueError) as refused:
        say(f"./dev bench proxy: {refused}")
        return EXIT_FAILED
    except KeyboardInterrupt:
        say("./dev bench proxy: interrupted; all that it started has ended")
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
