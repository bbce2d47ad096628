"""PostgreSQL, and the proxies that are compared in front of it. Each measurement starts its own proxy, so that none
inherits another's memory, pool or cache.

A start function takes (world, server, setup) and returns a Proxy. All get the same pool, the same users and the same
files; what else is at its default is at its default for all."""
import dataclasses, os, pathlib, re, secrets, shutil, signal, subprocess

from proxybench.world import Refused, find_program, free_port, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]
USER = DATABASE = "bench"


@dataclasses.dataclass(frozen=True)
class Setup:
    auth: str = "trust"  # or "scram-sha-256": what clients must do; servers always ask for SCRAM
    tls: bool = False
    pool_mode: str = "transaction"
    pool_size: int = 16
    workers: int = 1
    clients_max: int = 6000


@dataclasses.dataclass(frozen=True)
class Proxy:
    name: str
    port: int
    process: object = None  # None: no proxy, the server itself


class Server:
    """One PostgreSQL of our own, on loopback: durability is off, as the disk is not what is measured."""

    SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "4GB",
                "shared_buffers": "256MB", "max_connections": "400", "autovacuum": "off", "jit": "off",
                "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "checkpoint_timeout": "1h",
                "max_prepared_transactions": "0"}

    def __init__(self, world, scale):
        self.world, self.password, self.port = world, secrets.token_hex(16), free_port()
        data = world.directory / "data"
        password_file = world.write("password", self.password + "\n")
        run(world.as_account([find_program("initdb"), "-D", data, "-U", USER, "-A", "scram-sha-256", "-E", "UTF8",
                              "--locale", "C", "--no-sync", "--pwfile", password_file]), world.directory)
        words = [find_program("postgres"), "-D", data, "-p", self.port]
        for name, value in self.SETTINGS.items():
            words += ["-c", f"{name}={value}"]
        world.ready(world.start(words, "postgres", signal.SIGINT), self.port)
        wait_until(lambda: self.psql("SELECT 1", "postgres", check=False) == "1", "PostgreSQL answers")
        self.psql(f"CREATE DATABASE {DATABASE}", "postgres")
        run([find_program("pgbench"), "-i", "-q", "-s", str(scale), DATABASE], world.directory, self.environment())
        self.auth_file = world.write("userlist.txt", f'"{USER}" "{self.password}"\n')
        self.key, self.certificate = certificate(world)

    def environment(self, port=None, tls=False):
        """Where libpq's clients connect to; a password in the environment is seen by its own user only."""
        return {**os.environ, "PGHOST": "127.0.0.1", "PGPORT": str(port or self.port), "PGUSER": USER,
                "PGPASSWORD": self.password, "PGSSLMODE": "require" if tls else "disable", "PGGSSENCMODE": "disable",
                "PGCONNECT_TIMEOUT": "20"}

    def psql(self, sql, database=DATABASE, check=True, port=None):
        result = subprocess.run([find_program("psql"), "-XAtqc", sql, database], env=self.environment(port),
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if check and result.returncode != 0:
            raise Refused(f"psql: {result.stderr.strip()}")
        return result.stdout.strip()

    def connections(self):
        """How many server connections others than this question hold."""
        return int(self.psql(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{USER}' "
                             "AND backend_type = 'client backend' AND pid <> pg_backend_pid()", "postgres"))


def run(words, directory, environment=None):
    result = subprocess.run(list(map(str, words)), cwd=directory, env=environment, stdin=subprocess.DEVNULL,
                            capture_output=True, text=True)
    if result.returncode != 0:
        raise Refused(f"{pathlib.Path(str(words[0])).name} failed: {(result.stderr or result.stdout).strip()[-400:]}")


def certificate(world):
    key, cert = world.directory / "server.key", world.directory / "server.crt"
    run([find_program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", cert], world.directory)
    for path in (key, cert):
        path.chmod(0o600)
        world.give(path)
    return key, cert


def pgbouncer_ini(server, setup, port, version):
    lines = ["[databases]", f"{DATABASE} = host=127.0.0.1 port={server.port} dbname={DATABASE}", "[pgbouncer]",
             "listen_addr = 127.0.0.1", f"listen_port = {port}", "unix_socket_dir =",
             f"auth_type = {setup.auth}", f"auth_file = {server.auth_file}", f"pool_mode = {setup.pool_mode}",
             f"default_pool_size = {setup.pool_size}", f"max_client_conn = {setup.clients_max}",
             "log_connections = 0", "log_disconnections = 0"]
    if setup.tls:
        lines += ["client_tls_sslmode = require", f"client_tls_key_file = {server.key}",
                  f"client_tls_cert_file = {server.certificate}"]
    if setup.pool_mode == "transaction" and keeps_prepared(version):
        lines += ["max_prepared_statements = 200"]
    return "\n".join(lines) + "\n"


def pgbouncer_version():
    text = subprocess.run([find_program("pgbouncer"), "--version"], capture_output=True, text=True).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", text)
    if not found:
        raise Refused(f"pgbouncer --version says {text!r}")
    return int(found[1]), int(found[2])


def keeps_prepared(version):
    """1.21 learned to keep protocol-level prepared statements in transaction mode."""
    return version >= (1, 21)


def start_pgbouncer(world, server, setup):
    port = free_port()
    ini = world.write(f"pgbouncer-{port}.ini", pgbouncer_ini(server, setup, port, pgbouncer_version()))
    process = world.start([find_program("pgbouncer"), "-q", ini], f"pgbouncer-{port}", signal.SIGTERM)
    world.ready(process, port)
    return Proxy("pgbouncer", port, process)


def reparto_yaml(server, setup, port):
    lines = ["listen_addr: 127.0.0.1", f"listen_port: {port}", 'unix_socket_dir: ""', f"workers: {setup.workers}",
             f"auth_type: {setup.auth}", f"auth_file: {server.auth_file}", f"pool_mode: {setup.pool_mode}",
             f"default_pool_size: {setup.pool_size}", f"max_client_conn: {setup.clients_max}",
             "log_connections: false", "log_disconnections: false"]
    if setup.tls:
        lines += ["client_tls_sslmode: require", f"client_tls_key_file: {server.key}",
                  f"client_tls_cert_file: {server.certificate}"]
    lines += ["databases:", f"  {DATABASE}: {{host: 127.0.0.1, port: {server.port}, dbname: {DATABASE}}}"]
    return "\n".join(lines) + "\n"


def reparto_program():
    path = ROOT / "build/gcc/tools/reparto/reparto"
    if not path.is_file():
        raise Refused("build/gcc/tools/reparto/reparto is not there: run ./dev build")
    return path


def start_reparto(world, server, setup):
    # A copy: the account may not enter the checkout, and a build in between must not change what is measured.
    program = world.directory / "reparto"
    if not program.exists():
        shutil.copy2(reparto_program(), program)
        world.give(program)
    port = free_port()
    yaml = world.write(f"reparto-{port}.yaml", reparto_yaml(server, setup, port))
    process = world.start([program, "serve", "--config", yaml], f"reparto-{port}", signal.SIGQUIT)
    world.ready(process, port)
    return Proxy("reparto", port, process)


def start_direct(_world, server, _setup):
    return Proxy("direct", server.port)


def start_pgpool2(world, server, setup):
    """One process for each client, which is its design: pool_size bounds nothing here, clients_max does."""
    port, directory = free_port(), world.directory
    children = min(setup.clients_max, 300)
    conf = world.write(f"pgpool-{port}.conf", "\n".join([
        "listen_addresses = '127.0.0.1'", f"port = {port}", f"socket_dir = '{directory}'",
        f"pcp_port = {free_port()}", f"pcp_socket_dir = '{directory}'", f"wd_ipc_socket_dir = '{directory}'",
        f"pid_file_name = '{directory}/pgpool-{port}.pid'", f"logdir = '{directory}'",
        f"num_init_children = {children}", "max_pool = 1", "backend_clustering_mode = 'raw'",
        "backend_hostname0 = '127.0.0.1'", f"backend_port0 = {server.port}", "backend_weight0 = 1",
        "enable_pool_hba = off", f"pool_passwd = '{server_passwords(world, server)}'",
        "allow_clear_text_frontend_auth = off", "connection_cache = on"]) + "\n")
    process = world.start([find_program("pgpool"), "-n", "-f", conf], f"pgpool-{port}", signal.SIGINT)
    world.ready(process, port)
    return Proxy("pgpool2", port, process)


def server_passwords(world, server):
    return world.write("pool_passwd", f"{USER}:TEXT{server.password}\n")


START = {"pgbouncer": start_pgbouncer, "reparto": start_reparto, "direct": start_direct, "pgpool2": start_pgpool2}
EXTRA = ("pgpool2",)


def version_of(name):
    program = reparto_program() if name == "reparto" else find_program({"pgpool2": "pgpool"}.get(name, name))
    result = subprocess.run([program, "--version"], capture_output=True, text=True)
    return (result.stdout or result.stderr).strip().splitlines()[0]
