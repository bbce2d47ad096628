"""What the kernel knows about a process: CPU, memory, descriptors, system calls. Pure parts parse; see selftest.py."""
import os, pathlib, re, shutil, signal, subprocess, sys, time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "integration"))
import lab

TICKS = os.sysconf("SC_CLK_TCK")


def parent_of(stat):
    """From the text of /proc/PID/stat. The name may hold spaces and brackets, so count from the last bracket."""
    return int(stat.rsplit(")", 1)[1].split()[1])


def ticks_of(stat):
    """(user, system) clock ticks."""
    words = stat.rsplit(")", 1)[1].split()
    return int(words[11]), int(words[12])


def family(pid):
    """The process and all that descend from it: a pooler may have one process for each client."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents.setdefault(parent_of((entry / "stat").read_text()), []).append(int(entry.name))
            except OSError:
                continue
    found = [pid]
    for member in found:
        found += parents.get(member, [])
    return found


def clock_of(pid):
    """The id of a process's CPU clock, as clock_getcpuclockid(3) makes it: all threads, those that ended too, in ns."""
    return (~pid << 3) | 2


def cpu_now(pid):
    """(ns of CPU, user ticks, system ticks) of the family so far. The ticks are 10 ms and sampled by the kernel:
    good for the split only."""
    total = user = system = 0
    for member in family(pid):
        try:
            ticks = ticks_of(pathlib.Path(f"/proc/{member}/stat").read_text())
            total += int(time.clock_gettime_ns(clock_of(member)))
        except OSError:
            continue
        user, system = user + ticks[0], system + ticks[1]
    return total, user, system


def busy_ticks(stat):
    """All that /proc/stat says the processors did, but idling and waiting for a disk; stolen time too. user and nice
    hold the guests' time already."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, stat.split("\n")[0].split()[1:9])
    return user + nice + system + irq + softirq + steal


def machine_now():
    """(ns that the machine was busy, ns of it that were ours: this process and what descends from it)."""
    busy = busy_ticks(pathlib.Path("/proc/stat").read_text()) * 1_000_000_000 // TICKS
    return busy, cpu_now(os.getpid())[0]


def others_share(before, after, seconds, processors):
    """The part of the machine that was busy for others between two of machine_now()."""
    (busy, ours), (busy_after, ours_after) = before, after
    return max(0.0, busy_after - busy - (ours_after - ours)) / 1e9 / seconds / processors


def parse_rollup(text):
    """{"Rss": bytes, "Pss": …} from /proc/PID/smaps_rollup."""
    return {name: int(kb) * 1024 for name, kb in re.findall(r"^(\w+): +(\d+) kB$", text, flags=re.M)}


def memory(pid):
    """Anonymous memory of the family, what its processes share counted once. Not that of mapped files: how much of a
    library is a process's own changes with what others run."""
    def read(member):
        return pathlib.Path(f"/proc/{member}/smaps_rollup").read_text()
    return sum(parse_rollup(lab.as_user(*lab.owner(m), lambda m=m: read(m)))["Pss_Anon"] for m in family(pid))


def descriptors(pid):
    return sum(len(lab.open_files(member)) for member in family(pid))


def parse_strace(text):
    """{call: count} from the table of `strace -c`: % time, seconds, usecs/call, calls, [errors], name."""
    calls = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) in (5, 6) and re.fullmatch(r"[\d.]+", words[0]) and words[-1] != "total":
            calls[words[-1]] = calls.get(words[-1], 0) + int(words[3])
    return calls


def parse_perf(text):
    """{call: count} from the tables of `perf trace -s`: name, calls, errors, total, min, avg, max, stddev."""
    calls = {}
    for name, count in re.findall(r"^ +([a-z_]\w*) +(\d+) +\d+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+%$", text,
                                  flags=re.M):
        calls[name] = calls.get(name, 0) + int(count)
    return calls


class SystemCalls:
    """Counts the system calls of a process while the `with` block runs; `counts` afterwards is {call: count},
    None when neither perf nor strace may look, and then `why` says so.

    perf trace comes first: it does not stop the process at each call, so it disturbs what it counts least."""

    TOOLS = ((["perf", "trace", "-s", "-o", "OUT", "-p", "PID"], parse_perf),
             (["strace", "-c", "-f", "-o", "OUT", "-p", "PID"], parse_strace))

    def __init__(self, pid, scratch):
        self.pid, self.out, self.counts, self.tracer = pid, scratch / "calls", None, None
        self.why = "neither perf nor strace can look at the process"

    def attach(self, words):
        words = [{"OUT": str(self.out), "PID": str(self.pid)}.get(w, w) for w in words]
        tracer = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.7)  # neither tool tells when it has attached; nothing is measured before the load begins
        return tracer if tracer.poll() is None else None

    def __enter__(self):
        for words, self.parse in self.TOOLS:
            if shutil.which(words[0]) and (tracer := self.attach(words)):
                self.tracer, self.tool = tracer, words[0]
                break
        return self

    def __exit__(self, *_):
        if not self.tracer:
            return
        self.tracer.send_signal(signal.SIGINT)
        try:
            self.tracer.wait(15)
        except subprocess.TimeoutExpired:
            self.tracer.kill()
            self.tracer.wait()
        text = self.out.read_text(errors="replace") if self.out.exists() else ""
        self.counts = self.parse(text) or None
        self.why = f"{self.tool} saw nothing" if not self.counts else ""
