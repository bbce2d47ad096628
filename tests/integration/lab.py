"""A lab for a test: real PostgreSQL, started by `reparto lab up`, gone afterwards whatever happens.

    with Lab(shards=1, replicas=2) as lab:
        lab.psql("p", "SELECT 1")               # [("1",)]
        lab.run("freeze", "r1")
        subprocess.run([load_test, "--primary", ...], env=lab.environment())

`program("load_test")` finds a built program: under $REPARTO_BUILD, which Meson sets, else in the
newest build directory.
"""
import json, os, pathlib, shutil, subprocess, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def program(name):
    build = os.environ.get("REPARTO_BUILD")
    found = [pathlib.Path(build)] if build else sorted(
        (p.parent for p in ROOT.glob("build*/**/build.ninja")), key=lambda p: p.stat().st_mtime, reverse=True)
    for directory in found:
        path = directory / "tools" / name / name
        if path.is_file():
            return str(path)
    raise FileNotFoundError(f"{name} is not built: run ./dev build, or set REPARTO_BUILD")


def process_state(pid):
    """The letter of /proc/PID/stat; None when the process is gone, a zombie included: nothing of it runs."""
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else state


def as_user(uid, gid, work):
    """What work() returns (JSON) in a child that is this user. In a container root may not look into others'
    processes (no CAP_SYS_PTRACE), and a finder that sees nothing would call everything clean; their owner may."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(gid, gid, gid)
                os.setresuid(uid, uid, uid)
            with os.fdopen(writer, "w") as out:
                json.dump(work(), out)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return json.loads(text)


def owner(pid):
    status = pathlib.Path(f"/proc/{pid}").stat()
    return status.st_uid, status.st_gid


def open_files(pid):
    """Where the descriptors of a process lead."""
    return as_user(*owner(pid), lambda: [os.readlink(p) for p in pathlib.Path(f"/proc/{pid}/fd").iterdir()])


def working_directories(uid, gid):
    """{pid: working directory} of the processes of that user and group."""
    def look():
        seen = {}
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and owner(entry.name) == (uid, gid):
                    seen[entry.name] = os.readlink(entry / "cwd")
            except OSError:
                continue
        return seen
    return {int(pid): cwd for pid, cwd in as_user(uid, gid, look).items()}


def processes_in(directory):
    """The pids of living processes whose working directory or command line lies in `directory`."""
    owners, found = set(), set()
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            owners.add(owner(entry.name))
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(directory) in command:
            found.add(int(entry.name))
    for user in owners if os.geteuid() == 0 else {(os.geteuid(), os.getegid())}:
        found |= {pid for pid, cwd in working_directories(*user).items() if cwd.startswith(str(directory))}
    return sorted(pid for pid in found - {os.getpid()} if process_state(pid))


def wait_until(check, what, timeout=15):
    """Polls until check() is true and returns its value; an AssertionError names `what` after `timeout` s."""
    end = time.monotonic() + timeout
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(0.02)


class Lab:
    """`user`: run the launcher itself as this user (root only); options: further words for `lab up`."""

    def __init__(self, shards=1, replicas=2, options=(), user=None):
        # The account that the lab runs as must be able to enter the parent.
        self.parent = pathlib.Path(tempfile.mkdtemp(prefix="reparto-test-", dir="/tmp"))
        self.parent.chmod(0o1777)
        self.directory = self.parent / "lab"
        self.user = user
        self.up_words = ["up", "--shards", str(shards), "--replicas", str(replicas), *options]

    def environment(self):
        """What a tool needs to find this lab by itself."""
        # A sanitizer's finding in a background process must end it, or nobody would see it.
        return dict(os.environ, REPARTO_LAB=str(self.directory), UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1")

    def words(self, *words):
        as_user = ["setpriv", "--reuid", self.user, "--regid", self.user, "--clear-groups"] if self.user else []
        return [*as_user, program("reparto"), "lab", *words]

    def call(self, *words, timeout=90):
        """Runs `reparto lab WORDS` for this lab: CompletedProcess with text."""
        return subprocess.run(self.words(*words), env=self.environment(), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout)

    def run(self, *words):
        """As call(), with --json, and must succeed: the answer."""
        result = self.call(*words, "--json")
        assert result.returncode == 0, f"reparto lab {' '.join(words)}: {result.stderr}"
        return json.loads(result.stdout)

    def __enter__(self):
        try:
            self.started = self.run(*self.up_words)
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        try:
            if self.is_running():
                result = self.call("down")
                assert result.returncode == 0, result.stderr
        finally:
            self.remove()

    def remove(self):
        for pid in processes_in(self.parent):
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.parent, ignore_errors=True)

    def is_running(self):
        return self.call("status").returncode == 0

    def state(self):
        """lab.json."""
        return json.loads((self.directory / "lab.json").read_text())

    def nodes(self):
        """name: what `lab status --json` tells of it (role, state, port, pid, lsn, …)."""
        return {node["name"]: node for shard in self.run("status")["shards"] for node in shard["nodes"]}

    def dsn(self, name):
        """A connection string with the password: for stdin or an environment, never for argv."""
        state = self.state()
        node = next(n for shard in state["shards"] for n in shard["nodes"] if n["name"] == name)
        return (f"host={node['host']} port={node['port']} dbname={state['database']} user={state['user']} "
                f"password={state['password']}")

    def psql(self, name, sql, timeout=30):
        """The rows as tuples of strings, NULL as ''."""
        result = subprocess.run(self.words("psql", name, "--", "-XAtq", "-F", "\x1f", "-v", "ON_ERROR_STOP=1",
                                           "-c", sql),
                                env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=timeout)
        if result.returncode != 0:
            raise RuntimeError(f"{name}: {result.stderr.strip()}")
        return [tuple(line.split("\x1f")) for line in result.stdout.splitlines()]

    def value(self, name, sql):
        return self.psql(name, sql)[0][0]
