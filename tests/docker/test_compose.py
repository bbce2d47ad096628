"""The compose file on a real Docker engine: does it replicate, and what happens when things break.

    python3 tests/docker/test_compose.py              both classes
    python3 tests/docker/test_compose.py FileTest     what needs no engine
    REPARTO_LOAD_TEST=build/load_test python3 tests/docker/test_compose.py ClusterTest

Where no engine answers and none can be started it says why and leaves with 77; with --tap it
prints TAP, in which a skip leaves with 0.  The project has a
name, ports and passwords of its own, so it does not meet a cluster that somebody uses.  The tests
of ClusterTest run in the order of their numbers on one cluster; each leaves it healthy.
"""
import json
import os
import pathlib
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = HERE.parent.parent / 'docker' / 'postgres'
FILE = FOLDER / 'docker-compose.repl.yml'
SKIPPED = 77
# Characters that break careless quoting in SQL, a passfile, a shell or a connection string.
AWKWARD = " '\\:\"%;"


def skip(reason):
    print(f'1..0 # SKIP skipped: {reason}', flush=True)
    sys.exit(0 if '--tap' in sys.argv else SKIPPED)


def run(*words, timeout=180, **more):
    """Runs a command; its result holds stdout and stderr as one text."""
    return subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=timeout, check=False, **more)


def free_ports(count):
    """Ports that nobody listens on, all held until the last is found."""
    held = [socket.create_server(('127.0.0.1', 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


def compose_command(docker):
    """docker-compose 1.29, or Compose v2 as the client's plugin; None where neither is."""
    if shutil.which('docker-compose'):
        return ['docker-compose']
    if docker and run(docker, 'compose', 'version').returncode == 0:
        return [docker, 'compose']
    return None


class FileTest(unittest.TestCase):
    """What the files promise, without an engine."""

    def test_compose_accepts_the_file(self):
        command = compose_command(shutil.which('docker'))
        if not command:
            self.skipTest('neither docker-compose nor docker compose is installed')
        got = run(*command, '-f', FILE, 'config', '-q')
        self.assertEqual(got.returncode, 0, got.stdout)

    def test_ports_are_published_on_loopback_only(self):
        ports = re.findall(r'^ *- "([^"]*:5432)"', FILE.read_text(), re.M)
        self.assertEqual(len(ports), 3)
        for port in ports:
            self.assertTrue(port.startswith('127.0.0.1:'), port)

    def test_nobody_is_trusted(self):
        rules = [line.split() for line in (FOLDER / 'pg_hba.conf').read_text().splitlines()
                 if line and not line.startswith('#')]
        self.assertTrue(rules)
        for rule in rules:
            allowed = {'peer', 'scram-sha-256'} if rule[0] == 'local' else {
                'scram-sha-256', 'reject'}
            self.assertIn(rule[-1], allowed, rule)

    def test_every_password_is_marked_as_a_demo_default(self):
        text = FILE.read_text() + (FOLDER / '.env.example').read_text()
        defaults = re.findall(r'_PASSWORD(?::-|=)([^}\n]*)', text)
        self.assertEqual(len(defaults), 8)
        for default in defaults:
            self.assertTrue(default.startswith('demo-only-'), default)


class ClusterTest(unittest.TestCase):
    """One cluster, started once, broken in many ways."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.engine_started = False
        cls.enter_engine()
        cls.addClassCleanup(cls.leave_engine)
        cls.project = f'reparto-test-{os.getpid()}'
        cls.passwords = {name: secrets.token_hex(8) + AWKWARD + secrets.token_hex(4) for name in (
            'POSTGRES_PASSWORD', 'REPLICATION_PASSWORD', 'SHOP_PASSWORD')}
        cls.ports = dict(zip(('p', 'r1', 'r2'), free_ports(3)))
        cls.environment.update(cls.passwords, COMPOSE_PROJECT_NAME=cls.project,
                               **{f'{node.upper()}_PORT': str(port)
                                  for node, port in cls.ports.items()})
        cls.psql = shutil.which('psql')
        if not cls.psql:
            skip('no psql (apt install postgresql-client)')
        cls.addClassCleanup(cls.compose, 'down', '-v', '-t', '10')
        cls.must('up', '-d')
        cls.wait_healthy()

    @classmethod
    def enter_engine(cls):
        """Finds or starts the engine and the base image, or skips all with the reason."""
        got = subprocess.run(['sh', HERE / 'engine.sh', 'start'], capture_output=True, text=True,
                             timeout=200, check=False)
        if got.returncode != 0:
            skip(got.stderr.strip().removeprefix('skipped: '))
        cls.environment = dict(os.environ)
        for line in got.stdout.splitlines():
            if '=' in line:
                name, value = line.split('=', 1)
                cls.environment[name] = value
        cls.docker = cls.environment['DOCKER']
        cls.engine_started = cls.environment['ENGINE_STARTED'] == 'true'
        cls.command = compose_command(cls.docker)
        base = run('sh', HERE / 'engine.sh', 'base', timeout=400, env=cls.environment)
        reason = '' if base.returncode == 0 else base.stdout.strip().removeprefix('skipped: ')
        if not cls.command:
            reason = 'neither docker-compose nor docker compose is installed'
        if reason:
            cls.leave_engine()
            skip(reason)

    @classmethod
    def leave_engine(cls):
        if cls.engine_started:
            run('sh', HERE / 'engine.sh', 'stop', env=cls.environment)

    # --- the cluster -----------------------------------------------------------------------

    @classmethod
    def compose(cls, *words, timeout=300):
        return run(*cls.command, '-f', FILE, *words, timeout=timeout, env=cls.environment)

    @classmethod
    def must(cls, *words):
        got = cls.compose(*words)
        if got.returncode != 0:
            raise AssertionError(f'compose {" ".join(words)}: {got.stdout}\n{cls.logs()}')
        return got.stdout

    @classmethod
    def logs(cls, *nodes):
        return cls.compose('logs', '--no-color', *nodes).stdout

    @classmethod
    def container(cls, node):
        got = run(cls.docker, 'ps', '-a', '-q', '--filter',
                  f'label=com.docker.compose.project={cls.project}', '--filter',
                  f'label=com.docker.compose.service={node}', env=cls.environment)
        return got.stdout.strip()

    @classmethod
    def state(cls, node):
        got = run(cls.docker, 'inspect', '--format', '{{json .State}}', cls.container(node),
                  env=cls.environment)
        return json.loads(got.stdout)

    @classmethod
    def health(cls, node):
        state = cls.state(node)
        return state['Health']['Status'] if state['Running'] else 'stopped'

    @classmethod
    def wait(cls, what, condition, seconds=90):
        """Polls until `condition` gives something true, which is returned."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            got = condition()
            if got:
                return got
            time.sleep(0.2)
        raise AssertionError(f'waited {seconds} s in vain for: {what}\n{cls.logs()}')

    @classmethod
    def wait_healthy(cls, *nodes):
        for node in nodes or cls.ports:
            cls.wait(f'{node} healthy', lambda node=node: cls.health(node) == 'healthy')

    def remove_volume(self, node):
        self.must('rm', '-s', '-f', node)
        got = run(self.docker, 'volume', 'rm', f'{self.project}_{node}', env=self.environment)
        self.assertEqual(got.returncode, 0, got.stdout)

    # --- SQL through the published ports ---------------------------------------------------

    def try_sql(self, node, sql, user='shop', password=None, database='shop'):
        password = self.passwords['SHOP_PASSWORD'] if password is None else password
        return run(self.psql, '-X', '-A', '-t', '-q', '-w', '-v', 'VERBOSITY=sqlstate', '-c', sql,
                   env={**self.environment, 'PGHOST': '127.0.0.1', 'PGUSER': user,
                        'PGPORT': str(self.ports[node]), 'PGDATABASE': database,
                        'PGPASSWORD': password, 'PGCONNECT_TIMEOUT': '5'})

    def sql(self, node, sql, **more):
        got = self.try_sql(node, sql, **more)
        self.assertEqual(got.returncode, 0, f'{node}: {sql}: {got.stdout}')
        return got.stdout.strip()

    def admin(self, node, sql):
        return self.sql(node, sql, user='postgres', password=self.passwords['POSTGRES_PASSWORD'])

    def write(self, count):
        """Adds rows on the primary; gives how many there are."""
        self.sql('p', 'CREATE TABLE IF NOT EXISTS kept (id bigserial PRIMARY KEY, at timestamptz);')
        self.sql('p', f'INSERT INTO kept (at) SELECT now() FROM generate_series(1, {count})')
        return self.sql('p', 'SELECT count(*) FROM kept')

    def assert_everywhere(self, count):
        for node in self.ports:
            self.wait(f'{count} rows on {node}', lambda node=node: self.try_sql(
                node, 'SELECT count(*) FROM kept').stdout.strip() == count, seconds=30)

    # --- the tests -------------------------------------------------------------------------

    def test_1_writes_of_the_primary_are_seen_on_both_replicas(self):
        self.assert_everywhere(self.write(1000))
        self.assertEqual(self.sql('p', "SELECT string_agg(application_name || ' ' || state, ', ' "
                                       'ORDER BY application_name) FROM pg_stat_replication'),
                         'r1 streaming, r2 streaming')
        self.assertEqual(self.sql('p', 'SELECT string_agg(slot_name, \' \' ORDER BY slot_name) '
                                       'FROM pg_replication_slots WHERE active'), 'r1 r2')

    def test_2_settings_are_those_that_the_tools_count_on(self):
        for name, value in {'wal_level': 'replica', 'data_checksums': 'on',
                            'track_commit_timestamp': 'on', 'password_encryption': 'scram-sha-256',
                            'log_min_duration_statement': '0', 'lc_messages': 'C',
                            'max_connections': '100'}.items():
            for node in self.ports:
                self.assertEqual(self.admin(node, f'SHOW {name}'), value, f'{node} {name}')

    def test_3_replicas_refuse_writes(self):
        for node in ('r1', 'r2'):
            got = self.try_sql(node, 'INSERT INTO kept (at) VALUES (now())')
            self.assertNotEqual(got.returncode, 0)
            self.assertIn('25006', got.stdout)

    def test_4_a_login_needs_the_right_password_and_database(self):
        replication = self.passwords['REPLICATION_PASSWORD']
        for user, password, database in (('shop', 'wrong', 'shop'), ('shop', '', 'shop'),
                                         ('postgres', 'wrong', 'shop'),
                                         ('shop', self.passwords['SHOP_PASSWORD'], 'postgres'),
                                         ('replicator', replication, 'shop')):
            for node in self.ports:
                got = self.try_sql(node, 'SELECT 1', user=user, password=password,
                                   database=database)
                self.assertEqual(got.returncode, 2, f'{node} {user} {database}: {got.stdout}')

    def test_5_passwords_are_in_no_log_and_no_process_title(self):
        for node in self.ports:
            look = self.must('exec', '-T', node, 'sh', '-c',
                             'cat /proc/[0-9]*/cmdline "$PGDATA"/log/* "$PGDATA"/*.conf; '
                             'cat /proc/1/environ') + self.logs(node)
            self.assertIn('postgres', look)
            # Its plain beginning: whatever quoting did to the rest does not hide it.
            for name, password in self.passwords.items():
                self.assertNotIn(password.split(AWKWARD)[0], look, f'{name} on {node}')

    def test_6_down_and_up_keep_the_data(self):
        count = self.write(10)
        cluster = self.admin('p', 'SELECT system_identifier FROM pg_control_system()')
        self.must('down')
        self.must('up', '-d')
        self.wait_healthy()
        self.assertEqual(self.admin('p', 'SELECT system_identifier FROM pg_control_system()'),
                         cluster)
        self.assert_everywhere(count)
        self.assertIn('r1: starting with the data of the volume', self.logs('r1'))

    def test_7_a_replica_whose_volume_is_lost_is_rebuilt(self):
        self.remove_volume('r1')
        count = self.write(10)
        self.must('up', '-d')
        self.wait_healthy()
        self.assertIn('r1: copied; streaming from p by slot r1', self.logs('r1'))
        self.assert_everywhere(count)

    def test_8_a_half_made_data_directory_is_made_again(self):
        self.must('rm', '-s', '-f', 'r2')
        self.must('run', '--rm', '--no-deps', 'r2', 'sh', '-c', 'mv "$PGDATA" "$VOLUME_DIR/new"')
        count = self.write(10)
        self.must('up', '-d')
        self.wait_healthy()
        self.assertIn('r2: removing a data directory that was left half made', self.logs('r2'))
        self.assertIn('r2: copied; streaming from p by slot r2', self.logs('r2'))
        self.assert_everywhere(count)

    def test_9_a_killed_primary_comes_back_with_what_it_acknowledged(self):
        count = self.write(10)
        got = run(self.docker, 'kill', self.container('p'), env=self.environment)
        self.assertEqual(got.returncode, 0, got.stdout)
        for node in ('r1', 'r2'):
            self.assertGreater(int(self.sql(node, 'SELECT count(*) FROM kept')), 0)
            self.wait(f'{node} unhealthy', lambda node=node: self.health(node) == 'unhealthy')
        self.must('up', '-d')
        self.wait_healthy()
        self.assert_everywhere(count)

    def test_A_load_test_runs_against_it_unchanged(self):
        load_test = os.environ.get('REPARTO_LOAD_TEST')
        if not load_test or not os.access(load_test, os.X_OK):
            self.skipTest(f'no program at REPARTO_LOAD_TEST={load_test}')
        options = []
        for node, port in self.ports.items():
            options += ['--primary' if node == 'p' else '--replica',
                        f'host=127.0.0.1 port={port} user=shop dbname=shop']
        # Beside the report it may save files; those do not belong into the checkout.
        with tempfile.TemporaryDirectory() as folder:
            got = run(pathlib.Path(load_test).resolve(), *options, '--duration', '3s', '--rate',
                      '200', cwd=folder, env={**self.environment,
                                              'PGPASSWORD': self.passwords['SHOP_PASSWORD']})
        print(re.sub('^', '# ', got.stdout, flags=re.M), flush=True)
        self.assertEqual(got.returncode, 0, got.stdout)
        self.assertIn('0 lost', got.stdout)

    def test_B_the_data_of_another_cluster_is_refused_and_kept(self):
        self.must('stop')
        self.remove_volume('p')
        self.must('up', '-d', 'p')
        self.wait_healthy('p')
        self.compose('up', '-d', 'r1')
        self.wait('r1 gives up', lambda: 'FAILED: its data is of cluster' in self.logs('r1'))
        got = self.must('run', '--rm', '--no-deps', 'r1', 'cat',
                        '/var/lib/postgresql/volume/pgdata/PG_VERSION')
        self.assertIn('15', got)

    def test_C_down_v_leaves_nothing(self):
        self.must('down', '-v')
        for kind in (['ps', '-a', '-q'], ['volume', 'ls', '-q'], ['network', 'ls', '-q']):
            got = run(self.docker, *kind, '--filter',
                      f'label=com.docker.compose.project={self.project}', env=self.environment)
            self.assertEqual((got.returncode, got.stdout), (0, ''), kind)


class TapResult(unittest.TestResult):
    """Prints each case as a line of TAP, a failure's text as comments before it."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def tell(self, verdict, test, text=''):
        self.count += 1
        for line in text.splitlines():
            print(f'# {line}')
        print(f'{verdict} {self.count} - {test}', flush=True)

    def addSuccess(self, test):
        self.tell('ok', test.id())

    def addSkip(self, test, reason):
        self.tell('ok', f'{test.id()} # SKIP skipped: {reason}')

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.tell('not ok', test.id(), self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.tell('not ok', test.id(), self.errors[-1][1])


def main_tap(names):
    loader = unittest.defaultTestLoader
    module = sys.modules[__name__]
    suite = loader.loadTestsFromNames(names, module) if names else (
        loader.loadTestsFromModule(module))
    result = TapResult()
    suite.run(result)
    print(f'1..{result.count}', flush=True)
    return 0 if result.wasSuccessful() and result.count else 1


if __name__ == '__main__':
    if '--tap' in sys.argv:
        sys.exit(main_tap([word for word in sys.argv[1:] if word != '--tap']))
    unittest.main(verbosity=2)
