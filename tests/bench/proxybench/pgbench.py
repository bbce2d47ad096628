"""Runs pgbench against a proxy and reads what it logged. Only what happened in the window counts: after the clients
have connected and the pool is warm, before the first of them leaves."""
import dataclasses, math, os, subprocess, time

from proxybench import proc
from proxybench.contenders import DATABASE
from proxybench.world import Refused, find_program

SLEEP_US = 5000


@dataclasses.dataclass(frozen=True)
class Load:
    script: str = "select"  # pgbench -S; "tpcb"; "sleep": SLEEP_US in the server
    protocol: str = "simple"
    clients: int = 16
    reconnects: bool = False  # -C

    def words(self):
        # More than two threads would fight with the proxy for the processors; with -C a thread waits for its
        # one login, so there it takes more of them to keep the proxy busy.
        threads = min(self.clients, 4 if self.reconnects else 2)
        words = ["-n", "-M", self.protocol, "-c", str(self.clients), "-j", str(threads)]
        return words + (["-C"] if self.reconnects else []) + {"select": ["-S"], "tpcb": [], "sleep": None}[self.script]


def parse_log(lines):
    """(when it ended, in s since the epoch; µs it took; client) of each line of `pgbench -l`; not of failed ones.

    client_id transaction_no time script_no time_epoch time_us [schedule_lag] [retries]"""
    found = []
    for line in lines:
        words = line.split()
        if len(words) >= 6 and words[2].isdigit():
            found.append((int(words[4]) + int(words[5]) / 1e6, int(words[2]), int(words[0])))
    return found


def percentile(ordered, share):
    """The smallest value that at least `share` of them do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def summary(transactions, begin, end):
    """tps and latencies of what ended in (begin, end]."""
    took = sorted(us for when, us, _ in transactions if begin < when <= end)
    if not took:
        raise Refused("no transaction ended in the window")
    return {"transactions": len(took), "tps": len(took) / (end - begin), "p50_us": percentile(took, 0.50),
            "p99_us": percentile(took, 0.99)}


def warm_up(load, servers, seconds):
    """How long until all clients are connected and the pool stands: a login by SCRAM takes a server and a client some
    10 ms of a processor together. at_work() tells whether it was enough."""
    return min(1.0, seconds / 2) + load.clients * 0.004 + servers * 0.015


def at_work(transactions, begin):
    """How many clients had done something when measuring began."""
    return len({client for when, _, client in transactions if when <= begin})


def start(world, server, proxy, load, ends, tls=False):
    """`ends`: pgbench's words for when it does: ("-T", seconds) or ("-t", transactions of each client)."""
    prefix = world.scratch / "log"
    for old in world.scratch.glob("log*"):
        old.unlink()
    words = [find_program("pgbench"), *load_words(world, load), *map(str, ends), "-l",
             f"--log-prefix={prefix}", DATABASE]
    with open(world.scratch / "errors", "w") as errors:  # a pipe could fill up and hold pgbench
        return subprocess.Popen(words, env=server.environment(proxy.port, tls), stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=errors, cwd=world.scratch)


def load_words(world, load):
    if load.script != "sleep":
        return load.words()
    script = world.scratch / "sleep.sql"
    script.write_text(f"SELECT pg_sleep({SLEEP_US / 1e6});\n")
    return [*dataclasses.replace(load, script="tpcb").words(), "-f", str(script)]


def run(world, server, proxy, load, transactions, patience=120):
    """So many of each client, and no window: what pgbench logged."""
    process = start(world, server, proxy, load, ("-t", transactions))
    try:
        return finish(world, process, patience)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def finish(world, process, patience):
    """Waits for pgbench to end; what it logged."""
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        raise Refused(f"pgbench hung: it did not end within {patience:.0f} s") from None
    errors = (world.scratch / "errors").read_text(errors="replace")
    if process.returncode != 0 or "aborted" in errors:
        raise Refused("pgbench: " + (errors.strip().splitlines() or ["failed"])[-1])
    transactions = []
    for path in world.scratch.glob("log*"):
        with open(path) as lines:
            transactions += parse_log(lines)
        path.unlink()
    return transactions


@dataclasses.dataclass(frozen=True)
class Snapshot:
    time: float  # s since the epoch, as in pgbench's log
    cpu: tuple  # proc.cpu_now() of the proxy; None without one
    machine: tuple  # proc.machine_now()


def snapshots_of(process, proxy, pauses):
    """One after each pause; fewer when pgbench ends before."""
    found = []
    for pause in pauses:
        try:
            process.wait(pause)
            break
        except subprocess.TimeoutExpired:
            cpu = proc.cpu_now(proxy.process.pid) if proxy.process else None
            found.append(Snapshot(time.time(), cpu, proc.machine_now()))
    return found


def observe(world, server, proxy, load, seconds, setup):
    """Runs pgbench: (what it logged, Snapshot when measuring began, Snapshot when it ended)."""
    warm = warm_up(load, setup.pool_size if proxy.process else load.clients, seconds)
    total = warm + seconds + 0.5
    process = start(world, server, proxy, load, ("-T", math.ceil(total)), setup.tls)
    try:
        snapshots = snapshots_of(process, proxy, (warm, seconds))
        transactions = finish(world, process, math.ceil(total) + 30)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if len(snapshots) < 2:
        raise Refused("pgbench ended before its time")
    return transactions, *snapshots


def sample_of(transactions, begin, end):
    """{tps, p50_us, p99_us, cpu_us, …}; cpu_us is what the proxy spent for each transaction."""
    sample = summary(transactions, begin.time, end.time)
    seconds = end.time - begin.time
    if begin.cpu:
        sample |= cpu_share(begin.cpu, end.cpu, sample["transactions"], seconds)
    return sample | {"others": proc.others_share(begin.machine, end.machine, seconds, os.cpu_count())}


def measure(world, server, proxy, load, seconds, setup):
    transactions, begin, end = observe(world, server, proxy, load, seconds, setup)
    if (busy := at_work(transactions, begin.time)) < load.clients:
        raise Refused(f"only {busy} of {load.clients} clients had an answer when measuring began")
    return sample_of(transactions, begin, end)


def cpu_share(before, after, transactions, seconds):
    """CPU of the proxy between two snapshots of proc.cpu_now()."""
    ns, user, system = (b - a for a, b in zip(before, after))
    return {"cpu_us": ns / 1000 / transactions, "cpu_percent": ns / 1e7 / seconds,
            "user_share": user / (user + system) if user + system else None}
