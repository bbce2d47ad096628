"""What a benchmark stands on: a private directory, an account for servers, free ports, and every process that it
started. All of it ends with the `with` block, on Ctrl-C and on TERM too; if this program is killed, the kernel ends
its servers (PR_SET_PDEATHSIG).

    with World() as world:
        process = world.start(["pgbouncer", path], stop=signal.SIGINT)
"""
import os, pathlib, pwd, shutil, signal, socket, subprocess, tempfile, time


class Refused(Exception):
    """What the user can do something about; printed without a traceback."""


def find_program(*names):
    """The first that exists; Debian keeps some outside of PATH."""
    places = os.environ.get("PATH", "") + ":/usr/sbin:/usr/lib/postgresql/15/bin"
    for name in names:
        if found := shutil.which(name, path=places):
            return found
    raise Refused(f"{names[0]} is not installed: ./dev packages installs what the benchmarks need")


def free_port():
    """Free now; whoever takes it says so when it can't."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(check, what, timeout=20):
    end = time.monotonic() + timeout
    while not (value := check()):
        if time.monotonic() > end:
            raise Refused(f"not within {timeout} s: {what}")
        time.sleep(0.02)
    return value


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class World:
    def __init__(self, keep=False):
        self.keep = keep
        self.running = []  # (process, signal that ends it), in the order of their start

    def __enter__(self):
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, interrupted)  # INT too: a shell's background job begins with it ignored
        self.account = servers_account() if os.geteuid() == 0 else None
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="reparto-bench-", dir="/tmp"))
        self.give(self.directory)
        # Logs of transactions go to memory where there is such a place: no disk in the way.
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="reparto-bench-", dir=scratch_parent()))
        return self

    def __exit__(self, *_):
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, signal.SIG_IGN)  # a second Ctrl-C must not leave servers behind
        for process, _ in reversed(self.running[:]):
            self.stop(process)
        shutil.rmtree(self.scratch, ignore_errors=True)
        if not self.keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def give(self, path):
        """To the servers' account."""
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def write(self, name, text):
        """A file that only the servers' account reads: it may hold a password."""
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text)
        self.give(path)
        return path

    def as_account(self, words, end=None):
        """The words that run `words` as the servers' account, and end them with us."""
        setpriv = ["setpriv"]
        if self.account:
            setpriv += ["--reuid", str(self.account.pw_uid), "--regid", str(self.account.pw_gid), "--clear-groups"]
        if end:
            setpriv += ["--pdeathsig", end.name.removeprefix("SIG")]
        return [*setpriv, "--", *map(str, words)] if len(setpriv) > 1 else list(map(str, words))

    def start(self, words, name, stop=signal.SIGKILL, environment=None):
        """A server in the background; its output is in NAME.log."""
        with open(self.directory / f"{name}.log", "ab") as log:
            process = subprocess.Popen(self.as_account(words, stop), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       cwd=self.directory, start_new_session=True,
                                       env={**os.environ, **(environment or {})})
        self.running.append((process, stop))
        process.log_name = name
        return process

    def stop(self, process, patience=10):
        stop = dict((id(p), s) for p, s in self.running).get(id(process), signal.SIGKILL)
        if process.poll() is None:
            process.send_signal(stop)
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running = [(p, s) for p, s in self.running if p is not process]

    def ready(self, process, port):
        """Waits until the server answers on `port`; its own last words when it ended instead."""
        def check():
            if process.poll() is not None:
                raise Refused(f"{process.log_name} ended with {process.returncode}: {self.last_words(process)}")
            return accepts(port)
        wait_until(check, f"{process.log_name} listens on port {port}")

    def last_words(self, process):
        lines = (self.directory / f"{process.log_name}.log").read_text(errors="replace").strip().splitlines()
        return " | ".join(lines[-4:])


def interrupted(*_):
    raise KeyboardInterrupt


def servers_account():
    """PostgreSQL and PgBouncer refuse to run as root."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Refused("no account `postgres` or `nobody` to run servers as")


def scratch_parent():
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"
