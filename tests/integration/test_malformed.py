"""Malformed and out-of-order messages in every state, before and after authentication: each gets an ErrorResponse or
a close within LIMIT seconds, and another client goes on as if nothing were. Also clients that are slow, silent, stop in
the middle of a message, announce a gigabyte, or never read. $REPARTO_SEED repeats a run of mutated sessions."""
import contextlib, os, pathlib, random, re, ssl, struct, sys, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import pg_protocol as pg
from lab import wait_until
from pg_protocol import Connection, Wire
from router import RouterTest

LIMIT, LOGIN_SECONDS, GROWTH = 5, 3, 100 << 20


def raw(kind, length, body=b""):
    return kind.encode("latin1") + struct.pack("!I", length & 0xffffffff) + body


def packet(length, body=b""):
    return struct.pack("!I", length & 0xffffffff) + body


def version(number, body=b"user\0tester\0database\0shop\0\0"):
    return struct.pack("!II", len(body) + 8, number) + body


# What no first packet may be, with or without TLS.
FIRST = {
    "length 0": packet(0, b"\0\3\0\0"), "length 3": packet(3), "length 4": packet(4), "length 7": packet(7, b"abc"),
    "length 10001": packet(10001, b"\0\3\0\0" + b"x" * 9993), "length 2 GB": packet(0x7fffffff, b"\0\3\0\0"),
    "length -1": packet(-1, b"\0\3\0\0"), "version 0": version(0), "version 1": version(1 << 16),
    "version 2": version(2 << 16), "version 4": version(4 << 16), "no terminator": version(3 << 16, b"user\0tester"),
    "name without value": version(3 << 16, b"user\0tester\0database\0\0"), "no user": version(3 << 16, b"database\0shop\0\0"),
    "no parameters": version(3 << 16, b""), "bytes behind the end": version(3 << 16, b"user\0tester\0\0more\0stuff\0\0"),
    "a query": pg.query("SELECT 1"), "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "zeroes": bytes(64),
    "a long name": version(3 << 16, b"user\0" + b"u" * 5000 + b"\0\0"),
    "cancel without key": pg.request(pg.CANCEL_REQUEST), "cancel with half a key": pg.request(pg.CANCEL_REQUEST, b"\0\1\2"),
    "cancel of nobody": pg.request(pg.CANCEL_REQUEST, bytes(8)), "a long SSLRequest": pg.request(pg.SSL_REQUEST, b"x"),
    "cancel with a long key": pg.request(pg.CANCEL_REQUEST, bytes(9000)),
}

# What no answer to the request for SCRAM may be.
SASL = {
    "a query": pg.query("SELECT 1"), "length 0": raw("p", 0), "length 3": raw("p", 3), "length -1": raw("p", -1),
    "length 1 GB": raw("p", 1 << 30), "empty": pg.frame("p"), "a plain password": pg.frame("p", b"secret\0"),
    "an unknown mechanism": pg.frame("p", b"SCRAM-MD5\0" + packet(3, b"n,,")), "unknown type": pg.frame("~"),
    "no length": pg.frame("p", b"SCRAM-SHA-256\0"), "length -2": pg.frame("p", b"SCRAM-SHA-256\0" + packet(-2)),
    "longer than it is": pg.frame("p", b"SCRAM-SHA-256\0" + packet(100, b"n,,n=,r=x")),
    "no nonce": pg.frame("p", b"SCRAM-SHA-256\0" + packet(6, b"n,,n=,")),
    "an extension": pg.frame("p", b"SCRAM-SHA-256\0" + packet(13, b"n,,m=x,n=,r=a")),
    "binding without TLS": pg.frame("p", b"SCRAM-SHA-256\0" + packet(29, b"p=tls-server-end-point,,n=,r=")),
    "garbage": pg.frame("p", b"SCRAM-SHA-256\0" + packet(6, b"\xff\xfe\0\1,,")), "Sync": pg.sync(),
    "64 kB": pg.frame("p", b"SCRAM-SHA-256\0" + packet(1 << 16, b"n,,n=,r=" + b"r" * ((1 << 16) - 8))),
    "startup again": version(3 << 16),
}
FINAL = {
    "garbage": pg.frame("p", b"\xff" * 40), "empty": pg.frame("p"), "no proof": pg.frame("p", b"c=biws,r=x"),
    "another nonce": pg.frame("p", b"c=biws,r=other,p=" + b"A" * 43 + b"="), "length -1": raw("p", -1),
    "bad base64": pg.frame("p", b"c=biws,r=x,p=####"), "a query": pg.query("SELECT 1"), "1 MB": raw("p", 1 << 20),
    "first again": pg.frame("p", b"SCRAM-SHA-256\0" + packet(9, b"n,,n=,r=x")), "Sync": pg.sync(),
}

# What is an error in every state of a session, with the Sync that makes a server tell of it.
SESSION = {
    **{f"type {number}": raw(chr(number), 4) for number in (0, 1, 22, 65, 71, 90, 126, 128, 255)},
    **{f"length {n} of {kind}": raw(kind, n) for kind in "QPBEDCSHXFdcf" for n in (0, 3, -1)},
    **{f"2 GB of {kind}": raw(kind, 0x7fffffff) for kind in "QPBEDCSHFdcf"},
    "password again": pg.frame("p", b"secret\0"), "startup again": version(3 << 16), "SSLRequest": pg.request(pg.SSL_REQUEST),
    "Query without end": pg.frame("Q", b"SELECT 1"), "Query with more": pg.frame("Q", b"SELECT 1\0more\0"),
    "Query of nothing": pg.frame("Q"), "Query of bad text": pg.frame("Q", b"SELECT '\xff\xfe'\0"),
}
EXTENDED = {
    "Parse of nothing": pg.frame("P"), "Parse without text": pg.frame("P", b"s\0"), "Parse without end": pg.frame("P", b"\0SELECT 1"),
    "Parse with types that aren't there": pg.frame("P", b"\0SELECT 1\0\xff\xff"),
    "Parse with more": pg.frame("P", b"\0SELECT 1\0\0\0more"), "Bind of nothing": pg.frame("B"),
    "Bind without counts": pg.frame("B", b"\0\0"), "Bind with 65535 formats": pg.frame("B", b"\0\0\xff\xff"),
    "Bind with a value of -2": pg.frame("B", b"\0\0\0\0\0\1" + packet(-2) + b"\0\0"),
    "Bind with a long value": pg.frame("B", b"\0\0\0\0\0\1" + packet(0x7fffffff) + b"x"),
    "Bind with more": pg.frame("B", b"\0\0\0\0\0\0\0\0more"), "Bind to no statement": pg.bind("", "none"),
    "Describe of X": pg.frame("D", b"Xname\0"), "Describe of nothing": pg.frame("D"), "Describe without end": pg.frame("D", b"Sname"),
    "Close of X": pg.frame("C", b"Xname\0"), "Close of nothing": pg.frame("C"), "Execute of nothing": pg.frame("E"),
    "Execute without rows": pg.frame("E", b"\0\0\0"), "Execute of no portal": pg.execute("none"),
    "Execute with more": pg.frame("E", b"\0\0\0\0\0more"), "Sync with more": pg.frame("S", b"more"),
    "Flush with more": pg.frame("H", b"more"), "FunctionCall of nothing": pg.frame("F"),
    "FunctionCall with 65535 formats": pg.frame("F", b"\0\0\5\x75\xff\xff"),
    "FunctionCall with a long value": pg.frame("F", b"\0\0\5\x75\0\0\0\1" + packet(0x7fffffff)),
}


class MalformedTest(RouterTest):
    settings = {"pool_mode": "transaction", "default_pool_size": 4, "client_login_timeout": LOGIN_SECONDS,
                "max_client_conn": 300}
    backend_settings = (f"authentication_timeout={LOGIN_SECONDS}s", "max_connections=100")

    def setUp(self):
        self.bystander = self.router.connect(timeout=LIMIT)
        self.bystander.sql("SET application_name = 'bystander'")
        self.addCleanup(self.bystander.end)

    def check_bystander(self, what):
        try:
            messages = self.bystander.run(pg.parse("", "SELECT current_setting('application_name') || $1"),
                                          pg.bind("", "", ["!"]), pg.execute(), pg.sync())
            self.assertEqual([m.kind for m in messages], ["1", "2", "D", "C", "Z"], what)
        except (pg.Closed, TimeoutError) as error:
            self.fail(f"{what}: another client's query: {error!r}")

    def wire(self, tls=False):
        wire = Wire(self.router.address, LIMIT)
        self.addCleanup(wire.end)
        if tls:
            wire.start_tls(self.router.tls)
        return wire

    def expect_refusal(self, wire, data, what, timeout=LIMIT):
        """An ErrorResponse or the end; whatever comes before is what was due."""
        with contextlib.suppress(pg.Closed, OSError):
            wire.write(data)
        end = time.monotonic() + timeout
        try:
            while (message := wire.read_message(max(end - time.monotonic(), 0.001))).kind != "E":
                self.assertNotEqual(message.kind, "R" if message.body == bytes(4) else "", what)
        except (pg.Closed, ssl.SSLError, ConnectionError):
            pass
        except TimeoutError:
            self.fail(f"{what}: neither an error nor a close within {timeout} s")
        self.check_bystander(what)
        wire.end()
        self.check_bystander(what)

    # ---- before authentication ----

    def test_first_packets(self):
        for tls in (False, True):
            for name, data in FIRST.items():
                with self.subTest(name, tls=tls):
                    # A packet that is announced longer than it is is only refused when the time for login is over.
                    self.expect_refusal(self.wire(tls), data, name, LIMIT + LOGIN_SECONDS)

    def test_ssl_request_inside_tls(self):
        self.expect_refusal(self.wire(True), pg.request(pg.SSL_REQUEST), "SSLRequest in TLS")

    def test_garbage_instead_of_a_handshake(self):
        for data in (b"\x16\x03\x01\x00\x05garbage", bytes(100), b"\xff" * 5000, version(3 << 16)):
            wire = self.wire()
            wire.write(pg.request(pg.SSL_REQUEST))
            self.assertEqual(wire.read_exactly(1), b"S")
            self.expect_refusal(wire, data, f"handshake {data[:8]}", LIMIT + LOGIN_SECONDS)

    def test_plaintext_behind_ssl_request_is_refused(self):
        wire = self.wire()
        wire.write(pg.request(pg.SSL_REQUEST) + version(3 << 16))
        seen, end = b"", time.monotonic() + LIMIT + LOGIN_SECONDS
        with contextlib.suppress(TimeoutError):
            while data := wire.read_some(max(end - time.monotonic(), 0.001)):
                seen += data
        self.assertLess(time.monotonic(), end, "it was not closed")
        self.assertNotIn(b"SCRAM-SHA-256", seen)
        self.check_bystander("plaintext behind SSLRequest")

    def start_login(self, tls=False):
        wire = self.wire(tls)
        wire.write(version(3 << 16))
        message = wire.read_message()
        self.assertEqual((message.kind, message.body[:4]), ("R", packet(10)))
        return wire

    def test_answers_to_the_request_for_a_password(self):
        for tls in (False, True):
            for name, data in SASL.items():
                with self.subTest(name, tls=tls):
                    self.expect_refusal(self.start_login(tls), data, name, LIMIT + LOGIN_SECONDS)

    def test_proofs(self):
        for name, data in FINAL.items():
            with self.subTest(name):
                wire = self.start_login()
                first = b"n,,n=,r=rOprNGfwEbeRWgbNEkqO"
                wire.write(pg.frame("p", b"SCRAM-SHA-256\0" + packet(len(first), first)))
                self.assertEqual(wire.read_message().body[:4], packet(11))
                self.expect_refusal(wire, data, name, LIMIT + LOGIN_SECONDS)

    def test_an_unknown_user_looks_like_a_wrong_password(self):
        seen = []
        for user, password in (("tester", "wrong"), ("nobody_such", "wrong")):
            with self.assertRaises(pg.Refused) as caught:
                Connection(self.router.address, user, "shop", password, timeout=LIMIT).end()
            seen.append((caught.exception.fields["C"], caught.exception.fields["M"].replace(user, "USER")))
        self.assertEqual(seen[0], seen[1])
        self.assertEqual(seen[0][0], "28P01")

    def test_silent_clients_are_closed_in_time(self):
        wires = [self.wire() for _ in range(20)]
        for wire in wires[5:10]:
            wire.write(version(3 << 16)[:11])
        for wire in wires[10:15]:
            wire.write(pg.request(pg.SSL_REQUEST))
            self.assertEqual(wire.read_exactly(1), b"S")
        wires += [self.start_login() for _ in range(5)]
        end = time.monotonic() + LOGIN_SECONDS + LIMIT
        self.check_bystander("silent clients")
        for wire in wires:
            with contextlib.suppress(pg.Closed):
                while wire.read_message(max(end - time.monotonic(), 0.001)):
                    pass
        self.check_bystander("silent clients that are gone")

    def test_a_client_byte_by_byte(self):
        """Login too: what is split at every place is put together at every place."""
        class Drop(Wire):
            def write(self, data):
                for at in range(len(data)):
                    super().write(data[at:at + 1])

        class Slow(Drop, Connection):
            pass

        for tls in (None, self.router.tls):
            with self.subTest(tls=bool(tls)):
                slow = Slow(self.router.address, "tester", "shop", self.backend.password, tls=tls, timeout=LIMIT)
                self.assertEqual(slow.sql("SELECT 'drop'"), [("drop",)])
                answer = slow.run(pg.parse("s", "SELECT $1::int"), pg.bind("", "s", ["5"]), pg.execute(), pg.sync())
                self.assertEqual(pg.value(answer), "5")
                slow.finish()

    # ---- in a session ----

    def states(self):
        """Each with what puts a new session into it, and whether an error needs a Sync to be told."""
        yield "idle", []
        yield "in a transaction", [pg.query("BEGIN")]
        yield "in a failed transaction", [pg.query("BEGIN; SELECT 1/0")]
        yield "in a pipeline", [pg.parse("", "SELECT 1"), pg.flush()]
        yield "with a portal", [pg.query("BEGIN"), pg.parse("", "SELECT generate_series(1, 9)"), pg.bind("p", ""),
                                pg.execute("p", 2), pg.flush()]
        yield "in COPY", [pg.query("CREATE TABLE IF NOT EXISTS copied (a int); COPY copied FROM STDIN")]
        yield "in COPY, extended", [pg.parse("", "COPY pg_catalog.pg_description FROM STDIN"), pg.bind("", ""),
                                    pg.execute(), pg.flush()]

    def session_in(self, messages):
        session = self.router.connect(timeout=LIMIT)
        self.addCleanup(session.end)
        session.run(*messages)
        return session

    def test_what_is_wrong_in_every_state(self):
        for state, messages in self.states():
            for name, data in SESSION.items():
                if "COPY" in state and re.search(r"of [dcfHS]$|Query", name) and "length" not in name and "2 GB" not in name:
                    continue
                with self.subTest(name, state=state):
                    # A server that skips to the next Sync tells nothing before.
                    self.expect_refusal(self.session_in(messages), data + pg.sync(), f"{name}, {state}")

    def test_what_is_wrong_in_the_extended_protocol(self):
        for state, messages in self.states():
            for name, data in EXTENDED.items():
                if "in COPY" in state and ("Sync" in name or "Flush" in name):
                    continue  # what a Sync or Flush there holds is not looked at
                with self.subTest(name, state=state):
                    self.expect_refusal(self.session_in(messages), data + pg.sync(), f"{name}, {state}")

    def test_an_error_of_one_message_leaves_the_session_usable(self):
        session = self.session_in([])
        for data in (pg.execute("none"), pg.bind("", "none"), pg.close("X", "n"), pg.describe("X", "n"),
                     pg.parse("", "SELEC")):
            with contextlib.suppress(pg.Closed):
                session.write(data)
                session.is_open = True
                session.due.append("S")
                session.write(pg.sync())
                messages = session.answers()
                self.assertEqual([m.kind for m in messages], ["E", "Z"])
                self.assertEqual(session.sql("SELECT 1"), [("1",)])

    def test_messages_out_of_place_that_are_ignored(self):
        """PostgreSQL reads CopyData, CopyDone and CopyFail outside of COPY and says nothing; so must the router,
        and hold no server connection for them."""
        holders = [self.session_in([]) for _ in range(6)]
        for session in holders:
            session.write(pg.copy_data("x") + pg.copy_done() + pg.copy_fail("why"))
        self.check_bystander("late COPY messages")
        for session in holders:
            self.assertEqual(session.sql("SELECT 2"), [("2",)])

    def test_half_messages(self):
        """Whoever stops in the middle of a message may wait, and holds nobody up; then it goes."""
        whole = [pg.query("SELECT 1"), pg.parse("s", "SELECT 1"), pg.bind("", ""), pg.sync(), pg.query("SELECT '" + "x" * 100000 + "'")]
        for data in whole:
            for cut in {1, 3, 5, len(data) // 2, len(data) - 1}:
                session = self.session_in([])
                session.write(data[:cut])
                self.check_bystander(f"{cut} of {len(data)} bytes")
                session.end()
        self.check_bystander("half messages that went")

    def test_a_session_goes_on_after_half_a_message(self):
        session = self.session_in([])
        data = pg.query("SELECT 'whole'")
        session.expect("Q")
        session.write(data[:7])
        self.check_bystander("half a message")
        session.write(data[7:])
        self.assertEqual(pg.value(session.answers()), "whole")

    # ---- memory ----

    def resident(self):
        if not self.router.log:
            return 0
        status = pathlib.Path(f"/proc/{self.router.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) << 10

    def expect_bounded(self, before, what):
        # A sanitizer's allocator keeps what was freed.
        if "Sanitizer" not in self.router.log_text():
            self.assertLess(self.resident() - before, GROWTH, f"{what}: bytes of memory more")

    def test_an_announced_gigabyte_costs_nothing(self):
        """Those that have sent a part may keep a server connection each; those that only announced it may not."""
        before = self.resident()
        for number in range(33):
            session = self.session_in([])
            session.write(raw("QPB"[number % 3], (1 << 30) - 6, b"SELECT 1" + bytes(500000 if number < 3 else 50)))
        self.check_bystander("33 announced gigabytes")
        self.expect_bounded(before, "33 announced gigabytes")

    def test_a_client_that_never_reads(self):
        """Rows for it stay in the server, not in the router; its server connection is not lost for ever."""
        before = self.resident()
        lazy = [self.session_in([]) for _ in range(2)]
        for session in lazy:
            session.write(pg.query("SELECT repeat('x', 1000000) FROM generate_series(1, 300)"))
        for _ in range(20):
            self.check_bystander("clients that never read")
            time.sleep(0.05)
        self.expect_bounded(before, "clients that never read")
        for session in lazy:
            session.end()
        wait_until(lambda: not [r for r in self.backend.lab.psql("p", "SELECT FROM pg_stat_activity WHERE query LIKE "
                                                                 "'SELECT repeat%' AND state = 'active'")],
                   "the server no longer works for clients that went")

    def test_a_client_that_only_writes(self):
        """Its queries stop being read when it doesn't read their answers."""
        before, session = self.resident(), self.session_in([])
        data, sent, end = pg.query("SELECT repeat('y', 100000)") * 100, 0, time.monotonic() + 2
        session.socket.setblocking(False)
        while time.monotonic() < end and sent < 400 << 20:
            try:
                sent += session.socket.send(data)
            except BlockingIOError:
                self.check_bystander("a client that only writes")
                time.sleep(0.02)
        self.expect_bounded(before, "a client that only writes")

    # ---- at random ----

    def test_mutated_sessions(self):
        seed = int(os.environ.get("REPARTO_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"mutated sessions: seed {seed}", file=sys.stderr, flush=True)
        chance = random.Random(seed)
        whole = [pg.query("BEGIN"), pg.parse("a", "SELECT $1::int"), pg.describe("S", "a"), pg.bind("p", "a", ["1"]),
                 pg.execute("p", 1), pg.sync(), pg.query("SELECT 2"), pg.query("COPY pg_description FROM STDIN"),
                 pg.copy_data("1\t2\t3\n"), pg.copy_fail("no"), pg.function_call(1397, ["-5"]), pg.close("S", "a"), pg.flush()]
        for number in range(150):
            data = bytearray(b"".join(chance.choices(whole, k=chance.randint(1, 12))))
            for _ in range(chance.randint(0, 4)):
                at = chance.randrange(len(data))
                data[at:at + chance.randrange(3)] = chance.randbytes(chance.randrange(4))
            will_read = chance.random() < 0.5
            session = self.session_in([])
            with contextlib.suppress(pg.Closed, OSError):
                session.write(bytes(data))
            if will_read:
                with contextlib.suppress(pg.Closed, TimeoutError):
                    session.read_message(0.02)
            session.end()
            self.check_bystander(f"seed {seed}, session {number}, {bytes(data)}")


if __name__ == "__main__":
    unittest.main()
