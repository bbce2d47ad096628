"""Measurements that are no pgbench round of tps and CPU: system calls, memory, leaks, fairness. Each takes a context
(world, server, options) and a proxy that has just started, and returns one sample."""
import time

from proxybench import pgbench, proc
from proxybench.contenders import DATABASE, USER, Setup
from proxybench.crowd import Crowd, query
from proxybench.world import Refused, wait_until

WAVE, PEAK, QUERIES = 250, 1000, 10_000


def system_calls(context, proxy, load):
    """Calls for each query of one client. The pool's login comes before; the client's is some 20 calls of 60,000."""
    pgbench.run(context.world, context.server, proxy, load, 100)
    with proc.SystemCalls(proxy.process.pid, context.world.scratch) as calls:
        transactions = pgbench.run(context.world, context.server, proxy, load, QUERIES)
    if not calls.counts:
        raise Refused(f"not measured: {calls.why}")
    return per_query(calls.counts, len(transactions))


def per_query(counts, queries):
    """{calls, sends, receives, waits, epoll_ctls}, each for one query."""
    def of(*names):
        return sum(counts.get(name, 0) for name in names) / queries
    return {"calls": sum(counts.values()) / queries,
            "sends": of("sendto", "sendmsg", "sendmmsg", "write", "writev"),
            "receives": of("recvfrom", "recvmsg", "recvmmsg", "read", "readv"),
            "waits": of("epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect6"),
            "epoll_ctls": of("epoll_ctl")}


def crowd_of(proxy):
    return Crowd(proxy.port, USER, DATABASE)


def idle_memory(context, proxy, _load):
    """Memory for each client that has asked once and then idles, and the CPU that all of them cost in idling."""
    pid, count = proxy.process.pid, context.idle_clients
    with crowd_of(proxy) as crowd:
        crowd.join(1)
        crowd.ask("SELECT 1")
        before = proc.memory(pid)
        crowd.join(count - 1)
        crowd.ask("SELECT 1")
        time.sleep(1)  # what is freed late is freed
        grown = proc.memory(pid) - before
        cpu, began = proc.cpu_now(pid)[0], time.monotonic()
        time.sleep(context.idle_seconds)
        cpu, seconds = proc.cpu_now(pid)[0] - cpu, time.monotonic() - began
    return {"bytes_per_client": grown / (count - 1), "cpu_percent": cpu / 1e7 / seconds}


def leave_waves(proxy, count):
    """`count` connections, opened, used, dropped: in turn politely, rudely, by reset, within a transaction, within a
    query whose answer nobody reads, and before their login was answered."""
    ways = (("polite", None), ("rude", None), ("reset", None), ("rude", "BEGIN"), ("reset", "query"), ("rude", "login"))
    for number, first in enumerate(range(0, count, WAVE)):
        how, doing = ways[number % len(ways)]
        with crowd_of(proxy) as crowd:
            size = min(WAVE, count - first)
            if doing == "login":
                for _ in range(size):
                    crowd.connect().sendall(crowd.hello)
                crowd.drop(how)
                continue
            crowd.join(size)
            leave(crowd, how, doing)


def leave(crowd, how, doing):
    if doing == "query":
        crowd.send(query("SELECT repeat('x', 20000)"))
    elif doing == "BEGIN":
        for fd in list(crowd.clients):  # one after the other: all at once would be more than the pool
            crowd.send(query("BEGIN"), [fd])
            crowd.await_ready({fd})
            crowd.drop_one(fd)
        return
    else:
        crowd.ask("SELECT 1")
    crowd.drop(how)


def settled(context, proxy):
    """(descriptors, server connections, memory) once the proxy has answered another client and its numbers stand."""
    pid, seen = proxy.process.pid, []
    with crowd_of(proxy) as crowd:
        crowd.join(1)
        crowd.ask("SELECT 1")

    def is_steady():
        time.sleep(0.25)
        seen.append((proc.descriptors(pid), context.server.connections()))
        return len(seen) >= 4 and len(set(seen[-4:])) == 1
    wait_until(is_steady, "descriptors and server connections come to rest", 30)
    return (*seen[-1], proc.memory(pid))


def leaks(context, proxy, _load):
    """A peak of clients and 10,000 connections take what the proxy will keep; the same again must add nothing."""
    with crowd_of(proxy) as crowd:
        crowd.join(PEAK)
        crowd.ask("SELECT 1")
    leave_waves(proxy, context.leak_connections)
    before = settled(context, proxy)
    leave_waves(proxy, context.leak_connections)
    after = settled(context, proxy)
    descriptors, servers, memory = (b - a for a, b in zip(before, after))
    # A pool may stand at another size the second time; a server connection and its descriptor go together.
    return {"descriptors": descriptors - servers, "servers": after[1],
            "bytes_per_connection": memory / context.leak_connections}


def waits(transactions, clients, begin, end):
    """How long, in µs, for each query that was answered in (begin, end], and the whole time for each client that had
    no answer in it: who starves leaves no line in a log. Sorted; without the time that the query itself takes."""
    answered = [(us, client) for when, us, client in transactions if begin < when <= end]
    starved = clients - len({client for _, client in answered})
    return sorted([max(us - pgbench.SLEEP_US, 1) for us, _ in answered] + [(end - begin) * 1e6] * starved)


def fairness(context, proxy, load):
    """p99/p50 of waiting: the pool is 16, each query holds a server for 5 ms, so a client waits for its turn."""
    seconds = max(3, context.seconds / 2)
    transactions, begin, end = pgbench.observe(context.world, context.server, proxy, load, seconds, Setup())
    waited = waits(transactions, load.clients, begin.time, end.time)
    p50, p99 = (pgbench.percentile(waited, share) for share in (0.50, 0.99))
    return {**pgbench.sample_of(transactions, begin, end), "wait_p50_us": p50, "wait_p99_us": p99,
            "unfairness": p99 / p50}
