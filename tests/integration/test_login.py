"""The router's login and cancel (src/backend), driven by login_client, at a real PostgreSQL: every way of
authentication that the server has, with and without TLS, and every refusal in the server's own words."""
import json, os, pathlib, socket, struct, subprocess, sys, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lab import Lab, program, wait_until

# The first line that fits decides; the lab's own rules follow.
RULES = """
local     all  u_clear                password
host      all  u_clear  127.0.0.1/32  password
host      all  u_md5    127.0.0.1/32  md5
host      all  u_scram,u_limited  127.0.0.1/32  scram-sha-256
host      all  u_trust  127.0.0.1/32  trust
hostssl   all  u_tls    127.0.0.1/32  scram-sha-256
hostnossl all  u_bare   127.0.0.1/32  scram-sha-256
hostssl   all  u_cert   127.0.0.1/32  cert
host      all  u_gone,u_tls,u_bare,u_cert  127.0.0.1/32  reject
"""
USERS = """
SET password_encryption = 'scram-sha-256';
CREATE ROLE u_clear LOGIN PASSWORD 'secret'; CREATE ROLE u_scram LOGIN PASSWORD 'secret';
CREATE ROLE u_tls LOGIN PASSWORD 'secret'; CREATE ROLE u_bare LOGIN PASSWORD 'secret';
CREATE ROLE u_limited LOGIN PASSWORD 'secret' CONNECTION LIMIT 0;
CREATE ROLE u_trust LOGIN; CREATE ROLE u_cert LOGIN; CREATE ROLE u_gone LOGIN PASSWORD 'secret';
SET password_encryption = 'md5';
CREATE ROLE u_md5 LOGIN PASSWORD 'secret';
"""
WHO = "SELECT current_user || ' ' || coalesce((SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()), '-')"


def login_client():
    build = os.environ.get("REPARTO_BUILD") or pathlib.Path(program("reparto")).parents[2]
    return str(pathlib.Path(build) / "tests" / "login_client")


def log_in(**words):
    """What login_client tells; no word of it in argv."""
    text = "".join(f"{name}={value}\n" for name, value in words.items() if value is not None)
    result = subprocess.run([login_client()], input=text, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


class Certificates:
    """A CA, a server's certificate for db.test, a client's for u_cert, and another CA that signed neither."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.authority("ca")
        self.authority("other")
        self.signed("server", "db.test", "subjectAltName=DNS:db.test")
        self.signed("client", "u_cert", "extendedKeyUsage=clientAuth")

    def path(self, name):
        return str(self.directory / name)

    def openssl(self, *words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=self.directory)

    def authority(self, name):
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                     "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.crt")

    def signed(self, name, common_name, extension):
        (self.directory / "extension").write_text(extension + "\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-subj", f"/CN={common_name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                     "-days", "2", "-extfile", "extension", "-out", f"{name}.crt")


def write_rules(lab):
    path = lab.directory / "pg_hba.conf"
    path.write_text(RULES + path.read_text())  # keeps its owner


class LoginTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(replicas=0, options=["--settings", "max_connections=20"])
        cls.lab.__enter__()
        cls.addClassCleanup(cls.lab.__exit__, None, None, None)
        keys = cls.lab.parent / "keys"
        keys.mkdir()
        cls.certificates = Certificates(keys)
        state = cls.lab.state()
        cls.node = state["shards"][0]["nodes"][0]
        cls.database = state["database"]
        cls.lab.psql("p", USERS)
        write_rules(cls.lab)
        owner = cls.lab.directory.stat()
        os.chown(keys / "server.key", owner.st_uid, owner.st_gid)
        for name, value in {"ssl_cert_file": "server.crt", "ssl_key_file": "server.key", "ssl_ca_file": "ca.crt"}.items():
            cls.lab.psql("p", f"ALTER SYSTEM SET {name} = '{keys / value}'")
        cls.lab.psql("p", "ALTER SYSTEM SET ssl = on")
        cls.lab.psql("p", "SELECT pg_reload_conf()")
        wait_until(lambda: cls.lab.value("p", "SHOW ssl") == "on", "the server has TLS")

    def log_in(self, user, password="secret", mode="disable", **words):
        words = {"address": "127.0.0.1", "host": "db.test", "database": self.database, "query": WHO, **words}
        return log_in(port=self.node["port"], user=user, password=password, mode=mode, **words)

    def expect_in(self, answer, who):
        self.assertEqual((answer["is_ready"], answer["sqlstate"], answer["message"]), (True, "", ""))
        self.assertEqual(answer["value"], who)

    def expect_refused(self, answer, sqlstate, text):
        self.assertEqual((answer["is_ready"], answer["sqlstate"]), (False, sqlstate), answer)
        self.assertTrue(answer["message"].startswith("login to db.test: "), answer)
        self.assertIn(text, answer["message"])
        self.assertNotIn("secret'", answer["message"] + answer["hint"])

    def secret(self, user):
        return self.lab.value("p", f"SELECT rolpassword FROM pg_authid WHERE rolname = '{user}'")

    # ---- each way in ----

    def test_every_method_in_clear(self):
        self.expect_in(self.log_in("u_trust", None), "u_trust false")
        self.expect_in(self.log_in("u_md5"), "u_md5 false")
        self.expect_in(self.log_in("u_md5", self.secret("u_md5")), "u_md5 false")
        self.expect_in(self.log_in("u_scram"), "u_scram false")
        self.expect_in(self.log_in("u_scram", self.secret("u_scram"), key_password="secret"), "u_scram false")
        self.expect_in(self.log_in("u_clear", address=str(self.lab.directory)), "u_clear false")

    def test_every_method_over_tls(self):
        for mode in "prefer", "require", "verify-ca", "verify-full":
            ca = self.certificates.path("ca.crt") if mode.startswith("verify") else ""
            for user, password in (("u_trust", None), ("u_md5", "secret"), ("u_scram", "secret"), ("u_clear", "secret")):
                answer = self.log_in(user, password, mode, ca=ca)
                self.expect_in(answer, f"{user} true")
                self.assertEqual((answer["tls"], answer["attempts"]), ("TLSv1.3", 1))
        answer = self.log_in("u_scram", self.secret("u_scram"), "require", key_password="secret")
        self.expect_in(answer, "u_scram true")

    def test_a_certificate_is_a_login(self):
        files = {"certificate": self.certificates.path("client.crt"), "key": self.certificates.path("client.key")}
        self.expect_in(self.log_in("u_cert", None, "require", **files), "u_cert true")
        self.expect_refused(self.log_in("u_cert", None, "require"), "28000", "client certificate")
        self.expect_refused(self.log_in("u_cert", "secret", "disable", **files), "28000", "pg_hba.conf")

    def test_what_the_server_tells_is_kept(self):
        answer = self.log_in("u_scram", version="3.2")
        self.assertEqual((answer["version"], answer["key_size"]), (0, 4))  # PostgreSQL 15 negotiates down
        self.assertEqual(answer["parameters"]["session_authorization"], "u_scram")
        self.assertEqual(answer["parameters"]["in_hot_standby"], "off")
        self.assertGreater(answer["pid"], 0)

    def test_a_secret_that_was_made_serves_the_next_login(self):
        self.assertTrue(self.log_in("u_scram")["has_made_secret"])
        answer = self.log_in("u_scram", known=1)
        self.expect_in(answer, "u_scram false")
        self.assertEqual((answer["has_made_secret"], answer["attempts"]), (False, 2))

    # ---- sslmode ----

    def test_a_wrong_name_or_a_wrong_ca_is_refused_where_it_is_verified(self):
        ca, other = self.certificates.path("ca.crt"), self.certificates.path("other.crt")
        for mode, words, is_ready in (("verify-full", {"ca": ca, "host": "db.test"}, True),
                                      ("verify-full", {"ca": ca, "host": "evil.test"}, False),
                                      ("verify-ca", {"ca": ca, "host": "evil.test"}, True),
                                      ("verify-ca", {"ca": other}, False), ("verify-full", {"ca": other}, False),
                                      ("require", {"host": "evil.test"}, True)):
            with self.subTest(mode=mode, **words):
                answer = self.log_in("u_scram", mode=mode, **words)
                self.assertEqual((answer["is_ready"], answer["sqlstate"]), (is_ready, "" if is_ready else "08001"))
                self.assertEqual(answer["attempts"], 1)
                self.assertTrue(is_ready or "the TLS handshake failed: " in answer["message"], answer)

    def test_the_second_attempt_of_allow_and_prefer(self):
        for user, mode, who, attempts in (("u_bare", "prefer", "u_bare false", 2), ("u_tls", "prefer", "u_tls true", 1),
                                          ("u_bare", "allow", "u_bare false", 1), ("u_tls", "allow", "u_tls true", 2)):
            with self.subTest(user=user, mode=mode):
                answer = self.log_in(user, mode=mode)
                self.expect_in(answer, who)
                self.assertEqual(answer["attempts"], attempts)
        self.expect_refused(self.log_in("u_bare", mode="require"), "28000", "pg_hba.conf")
        self.expect_refused(self.log_in("u_tls", mode="disable"), "28000", "pg_hba.conf")
        self.expect_in(self.log_in("u_clear", mode="allow"), "u_clear true")  # a password in clear needs TLS

    # ---- refusals ----

    def test_refusals_keep_the_servers_sqlstate(self):
        self.expect_refused(self.log_in("u_scram", "wrong"), "28P01", "password authentication failed")
        self.expect_refused(self.log_in("u_md5", "wrong"), "28P01", "password authentication failed")
        self.expect_refused(self.log_in("u_clear", "wrong", "require"), "28P01", "password authentication failed")
        self.expect_refused(self.log_in("nobody"), "28P01", "password authentication failed")
        self.expect_refused(self.log_in("u_scram", database="nowhere"), "3D000", "does not exist")
        self.expect_refused(self.log_in("u_gone"), "28000", "rejects connection")
        self.expect_refused(self.log_in("u_limited"), "53300", "too many connections for role")

    def test_a_credential_that_cannot_answer_is_told_with_a_hint(self):
        md5, scram = self.secret("u_md5"), self.secret("u_scram")
        for user, password, text in (("u_scram", None, "no password is known"), ("u_scram", md5, "only an MD5 hash"),
                                     ("u_scram", scram, "no client key"), ("u_md5", scram, "only a SCRAM secret"),
                                     ("u_clear", "secret", "without TLS"), ("u_md5", None, "no password is known")):
            with self.subTest(user=user, text=text):
                answer = self.log_in(user, password)
                self.expect_refused(answer, "28000", text)
                self.assertNotEqual(answer["hint"], "")
        others = self.log_in("u_scram", self.secret("u_tls"), key_password="secret")
        self.expect_refused(others, "28000", "another SCRAM secret")

    def test_a_full_server_says_53300(self):
        held = [self.hold("u_trust") for _ in range(18)]  # 20, of which 3 are for superusers
        try:
            self.assertIsNone(held[-1])
            self.expect_refused(self.log_in("u_trust", None), "53300", "remaining connection slots")
        finally:
            for connection in filter(None, held):
                connection.close()
        wait_until(lambda: self.log_in("u_trust", None)["is_ready"], "there is room again")

    def hold(self, user):
        """A connection that stays, of a user who needs no password; None when the server is full."""
        connection = socket.create_connection(("127.0.0.1", self.node["port"]), timeout=10)
        body = struct.pack("!I", 3 << 16) + f"user\0{user}\0database\0{self.database}\0\0".encode()
        connection.sendall(struct.pack("!I", len(body) + 4) + body)
        answer = b""
        while not answer.endswith(b"Z\0\0\0\5I"):
            more = connection.recv(4096)
            if more == b"":
                connection.close()
                self.assertIn(b"C53300", answer)
                return None
            answer += more
        return connection

    # ---- cancel ----

    def test_a_query_is_cancelled_with_and_without_tls(self):
        slow = "DO $$ BEGIN RAISE NOTICE 'here'; PERFORM pg_sleep(60); END $$"
        for mode, words in (("disable", {}), ("require", {}), ("disable", {"address": str(self.lab.directory)})):
            with self.subTest(mode=mode, **words):
                answer = self.log_in("u_clear" if words else "u_scram", mode=mode, query=slow, cancel=1, **words)
                self.assertEqual((answer["query_sqlstate"], answer["is_cancelled"]), ("57014", True))


class StartingTest(unittest.TestCase):
    def test_a_server_that_starts_up_says_57P03(self):
        with Lab(replicas=0) as lab:
            node = lab.state()["shards"][0]["nodes"][0]
            gate = lab.parent / "open"
            lab.psql("p", f"ALTER SYSTEM SET restore_command = 'while [ ! -e {gate} ]; do sleep 0.05; done; false'")
            lab.run("kill", "p")
            # Recovery asks the command for WAL, and the server is starting up until that answers.
            data = next(lab.directory.rglob("PG_VERSION")).parent
            (data / "recovery.signal").touch()
            starting = subprocess.Popen(lab.words("start", "p"), env=lab.environment(), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            words = {"port": node["port"], "user": "postgres", "password": "any", "host": "n1"}
            try:
                answer = wait_until(lambda: next((a for a in [log_in(**words)] if a["sqlstate"] != "08001"), None),
                                    "it listens")
                self.assertEqual((answer["sqlstate"], answer["message"]),
                                 ("57P03", "login to n1: the database system is starting up"))
            finally:
                gate.touch()
                starting.wait(60)
            words["password"] = lab.state()["password"]
            wait_until(lambda: log_in(**words)["is_ready"], "it has started")

    def test_nobody_there(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))  # bound, not listening
            answer = log_in(port=listener.getsockname()[1], host="n1")
        self.assertEqual((answer["sqlstate"], answer["message"]), ("08001", "login to n1: Connection refused"))


if __name__ == "__main__":
    unittest.main()
