"""A small PostgreSQL client that speaks the protocol itself, for tests that look at single messages.

    connection = Connection(Address("127.0.0.1", 5432), user="u", database="d", password="p")
    connection.send(query("SELECT 1"))
    connection.answers()           # [Message("T", b"…"), Message("D", b"…"), Message("C", b"…"), Message("Z", b"I")]

It knows which answers are still to come (pipelines, errors that skip to Sync, COPY), so answers() ends exactly
when the server owes nothing more, without a guess by time. Notifications are kept aside. Only the standard library.
"""
import base64, collections, hashlib, hmac, os, socket, ssl, struct, time

Address = collections.namedtuple("Address", "host port")
Message = collections.namedtuple("Message", "kind body")

VERSION_3_0, VERSION_3_2 = 3 << 16, (3 << 16) + 2
SSL_REQUEST, GSSENC_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102


class Closed(Exception):
    """The other side closed the connection."""


class Refused(Exception):
    """An ErrorResponse before the session was ready; `fields` as error_fields() gives them."""

    def __init__(self, fields):
        super().__init__(f"{fields.get('S')} {fields.get('C')} {fields.get('M')}")
        self.fields = fields


# ---- what a client sends ----

def octets(text):
    return text if isinstance(text, bytes) else text.encode()


def word(text):
    return octets(text) + b"\0"


def frame(kind, body=b""):
    return kind.encode() + struct.pack("!I", len(body) + 4) + body


def startup(parameters, version=VERSION_3_0):
    body = struct.pack("!I", version) + b"".join(word(n) + word(v) for n, v in parameters) + b"\0"
    return struct.pack("!I", len(body) + 4) + body


def request(code, body=b""):
    return struct.pack("!II", len(body) + 8, code) + body


def query(sql):
    return frame("Q", word(sql))


def parse(name, sql, types=()):
    return frame("P", word(name) + word(sql) + struct.pack(f"!H{len(types)}I", len(types), *types))


def bind(portal, name, values=(), formats=(), result_formats=()):
    """`values`: text or bytes as they go over the wire, None for NULL."""
    body = word(portal) + word(name) + struct.pack(f"!H{len(formats)}H", len(formats), *formats)
    body += struct.pack("!H", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(octets(value))) + octets(value)
    return frame("B", body + struct.pack(f"!H{len(result_formats)}H", len(result_formats), *result_formats))


def describe(what, name):
    return frame("D", octets(what) + word(name))


def execute(portal="", rows=0):
    return frame("E", word(portal) + struct.pack("!I", rows))


def close(what, name):
    return frame("C", octets(what) + word(name))


def sync():
    return frame("S")


def flush():
    return frame("H")


def terminate():
    return frame("X")


def copy_data(data):
    return frame("d", octets(data))


def copy_done():
    return frame("c")


def copy_fail(why):
    return frame("f", word(why))


def function_call(function, values=(), result_format=0):
    """Arguments and result as text, unless result_format is 1."""
    body = struct.pack("!IHH", function, 0, len(values))
    for value in values:
        body += struct.pack("!i", len(octets(value))) + octets(value)
    return frame("F", body + struct.pack("!H", result_format))


# ---- what a server sends ----

def error_fields(body):
    """Of an ErrorResponse or NoticeResponse: {"S": "ERROR", "C": "42601", "M": "…", …}."""
    return {part[:1].decode(): part[1:].decode(errors="replace") for part in body.split(b"\0") if part}


def row(body):
    """Of a DataRow: bytes, None for NULL."""
    (count,), at, values = struct.unpack_from("!H", body), 2, []
    for _ in range(count):
        (size,) = struct.unpack_from("!i", body, at)
        at += 4
        values.append(None if size < 0 else bytes(body[at:at + size]))
        at += max(size, 0)
    return values


def columns(body):
    """Of a RowDescription: (name, table's oid, column number, type's oid, size, modifier, format) each."""
    (count,), at, found = struct.unpack_from("!H", body), 2, []
    for _ in range(count):
        end = body.index(b"\0", at)
        found.append((bytes(body[at:end]), *struct.unpack_from("!IHIhiH", body, end + 1)))
        at = end + 19
    return found


def strings(body, at=0):
    return [part.decode(errors="replace") for part in bytes(body[at:]).split(b"\0")[:-1]]


def rows(messages):
    return [row(m.body) for m in messages if m.kind == "D"]


def value(messages):
    """The first field of the first row, as text."""
    return rows(messages)[0][0].decode()


def errors(messages):
    return [error_fields(m.body)["C"] for m in messages if m.kind == "E"]


def tags(messages):
    return [m.body[:-1].decode() for m in messages if m.kind == "C"]


# ---- SCRAM-SHA-256, with the password or, for tests of pass-through, without ----

class Scram:
    """`binding`: the certificate's hash for SCRAM-SHA-256-PLUS (tls-server-end-point); None without."""

    def __init__(self, password, binding=None):
        self.password, self.binding = octets(password), binding
        self.header = b"p=tls-server-end-point,," if binding is not None else b"n,,"
        self.nonce = base64.b64encode(os.urandom(18))
        self.bare = b"n=,r=" + self.nonce

    def first(self):
        return self.header + self.bare

    def final(self, challenge):
        parts = dict(p.split(b"=", 1) for p in challenge.split(b","))
        if not parts[b"r"].startswith(self.nonce) or parts[b"r"] == self.nonce:
            raise ValueError("the server's nonce does not go on from ours")
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(parts[b"s"]), int(parts[b"i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        proofless = b"c=" + base64.b64encode(self.header + (self.binding or b"")) + b",r=" + parts[b"r"]
        message = self.bare + b"," + challenge + b"," + proofless
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        self.server = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        return proofless + b",p=" + base64.b64encode(proof)

    def check(self, last):
        if base64.b64decode(last.removeprefix(b"v=")) != self.server:
            raise ValueError("the server does not know the password")


# ---- a connection ----

class Wire:
    """A socket with frames: no knowledge of what follows what."""

    def __init__(self, address, timeout=10):
        unix = str(address.host).startswith("/")
        self.socket = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        self.socket.settimeout(timeout)
        self.timeout, self.buffer, self.is_tls = timeout, bytearray(), False
        try:
            self.socket.connect(f"{address.host}/.s.PGSQL.{address.port}" if unix else tuple(address))
            if not unix:
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            self.socket.close()
            raise

    def write(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed(str(error)) from error

    def read_some(self, timeout=None):
        """Bytes as they come, b"" at the end; TimeoutError when nothing comes."""
        self.socket.settimeout(self.timeout if timeout is None else timeout)
        try:
            return self.socket.recv(1 << 16)
        except (ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return b""
        except ssl.SSLWantReadError as error:
            raise TimeoutError("nothing came") from error
        finally:
            self.socket.settimeout(self.timeout)

    def read_exactly(self, size):
        while len(self.buffer) < size:
            self.fill()
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def fill(self, timeout=None):
        data = self.read_some(timeout)
        if not data:
            raise Closed("the server closed the connection")
        self.buffer += data

    def read_message(self, timeout=None):
        """The whole message; a timeout loses nothing of what has come."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            if len(self.buffer) >= 5:
                (size,) = struct.unpack_from("!I", self.buffer, 1)
                if len(self.buffer) > size:
                    data = self.read_exactly(size + 1)
                    return Message(chr(data[0]), data[5:])
            self.fill(max(end - time.monotonic(), 0.001))

    def start_tls(self, context, direct=False):
        if not direct:
            self.write(request(SSL_REQUEST))
            if self.read_exactly(1) != b"S":
                raise Refused({"S": "FATAL", "C": "08P01", "M": "no TLS"})
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.is_tls = True

    def end(self):
        self.socket.close()


# What is answered by which message at last; a Query and a FunctionCall also by ReadyForQuery after an error.
LAST_ANSWER = {"P": "1", "B": "2", "C": "3", "D": "Tn", "E": "CIs", "S": "Z", "Q": "Z", "F": "Z"}


class Connection(Wire):
    """A session. `parameters`: further startup parameters; `tls`: an ssl.SSLContext; `binding`: whether to use
    SCRAM-SHA-256-PLUS when it is offered. Attributes: `parameters` (what ParameterStatus said), `key` (of cancelling),
    `status` (of the last ReadyForQuery; "" until the next one), `notifications` (that came meanwhile)."""

    def __init__(self, address, user, database, password=None, parameters=(), tls=None, direct_tls=False,
                 binding=True, version=VERSION_3_0, timeout=10):
        super().__init__(address, timeout)
        self.parameters, self.key, self.status, self.notifications = {}, None, "", []
        self.mechanisms, self.negotiated, self.mechanism = [], None, None
        self.due = collections.deque()  # what still has to be answered, by the kind of what was sent
        self.is_skipping = False        # an error made the server ignore all up to the next Sync
        self.is_open = False            # messages of the extended protocol wait for their Sync
        self.copy = ""                  # "in", "both": it waits for CopyData
        try:
            if tls:
                self.start_tls(tls, direct_tls)
            self.write(startup([("user", user), ("database", database), *parameters], version))
            self.log_in(user, password, binding)
        except BaseException:
            self.end()
            raise

    def log_in(self, user, password, binding):
        scram = None
        while not self.status:
            message = self.read_message()
            if message.kind == "R":
                scram = self.answer_authentication(message.body, user, password, binding, scram)
            elif message.kind == "E":
                raise Refused(error_fields(message.body))
            elif message.kind == "v":
                self.negotiated = struct.unpack_from("!I", message.body)[0], strings(message.body, 8)
            else:
                self.note(message)

    def answer_authentication(self, body, user, password, binding, scram):
        (kind,) = struct.unpack_from("!I", body)
        if kind == 3:
            self.write(frame("p", word(password)))
        elif kind == 5:
            inner = hashlib.md5(octets(password) + octets(user)).hexdigest()
            self.write(frame("p", word("md5" + hashlib.md5(octets(inner) + body[4:8]).hexdigest())))
        elif kind == 10:
            self.mechanisms = [m for m in strings(body, 4) if m]
            plus = binding and self.is_tls and "SCRAM-SHA-256-PLUS" in self.mechanisms
            self.mechanism = "SCRAM-SHA-256-PLUS" if plus else "SCRAM-SHA-256"
            scram = Scram(password, hashlib.sha256(self.socket.getpeercert(True)).digest() if plus else None)
            first = scram.first()
            self.write(frame("p", word(self.mechanism) + struct.pack("!I", len(first)) + first))
        elif kind == 11:
            self.write(frame("p", scram.final(body[4:])))
        elif kind == 12:
            scram.check(body[4:])
        elif kind != 0:
            raise Refused({"S": "FATAL", "C": "08P01", "M": f"authentication {kind} is not known here"})
        return scram

    # ---- sending ----

    def send(self, *messages):
        """Writes them at once and notes what is due; other kinds than those of frame() are for Wire.write()."""
        for message in messages:
            self.expect(chr(message[0]))
        self.write(b"".join(messages))

    def expect(self, kind):
        if self.copy == "in" and kind in "cf":
            self.copy = "ending"
        elif self.copy in ("in", "both") and kind in "SH":
            return  # ignored while the server reads COPY data
        if kind == "S":
            self.is_skipping = False
        if kind in "PBDEC" or kind == "S":
            self.is_open = kind != "S"
        if kind in LAST_ANSWER and not self.is_skipping:
            self.due.append(kind)
            self.status = ""

    # ---- receiving ----

    def note(self, message):
        """Keeps what the session's state is; true when the message is of no step (a notification)."""
        if message.kind == "A":
            (pid,) = struct.unpack_from("!I", message.body)
            self.notifications.append((*strings(message.body, 4), pid))
            return True
        if message.kind == "S":
            name, setting = strings(message.body)
            self.parameters[name] = setting
        elif message.kind == "K":
            self.key = message.body
        elif message.kind == "Z":
            self.copy = ""
            if not self.is_open and len(self.due) < 2:
                self.status = message.body.decode()
        elif message.kind in "GW":
            self.copy = "in" if message.kind == "G" else "both"
            self.forget_syncs()
        return False

    def forget_syncs(self):
        """A Sync that came before the COPY data is read and ignored by the server."""
        if self.due and self.due[0] != "Q":
            self.due = collections.deque([self.due[0], *(kind for kind in list(self.due)[1:] if kind != "S")])

    def settle(self, message):
        """Strikes off what this message answers."""
        if message.kind == "E":
            self.copy = ""
            if self.due and self.due[0] in "QF":
                return  # ReadyForQuery comes by itself
            while self.due and self.due[0] != "S":
                self.due.popleft()
            self.is_skipping = not self.due
        elif self.due and message.kind in LAST_ANSWER[self.due[0]]:
            self.due.popleft()

    def answers(self, timeout=None):
        """All that is due, in order; ends early when the server waits for COPY data. Closed and TimeoutError have
        what came before in `.messages`."""
        found = []
        try:
            while self.due and self.copy not in ("in", "both"):
                message = self.read_message(timeout)
                if self.note(message):
                    continue
                self.settle(message)
                found.append(message)
        except (Closed, TimeoutError) as error:
            error.messages = found
            raise
        return found

    def run(self, *messages):
        """send() and answers()."""
        self.send(*messages)
        return self.answers()

    def sql(self, text):
        """Rows of text; an AssertionError on an ErrorResponse."""
        messages = self.run(query(text))
        found = [error_fields(m.body) for m in messages if m.kind == "E"]
        assert not found, f"{text}: {found[0]}"
        return [tuple(None if v is None else v.decode() for v in r) for r in rows(messages)]

    def quiet(self, seconds):
        """Whatever comes within that time without being asked for: messages; notifications go to theirs."""
        found, end = [], time.monotonic() + seconds
        try:
            while True:
                message = self.read_message(max(end - time.monotonic(), 0.001))
                if not self.note(message):
                    found.append(message)
        except TimeoutError:
            return found

    def wait_notification(self, is_it, timeout=5):
        """Until a notification (channel, payload, pid) came for which is_it() holds."""
        end = time.monotonic() + timeout
        while not any(is_it(n) for n in self.notifications):
            message = self.read_message(max(end - time.monotonic(), 0.001))
            assert self.note(message), f"unasked: {message}"

    def finish(self):
        """Goes as a client should: Terminate, and waits until the other side closed."""
        try:
            self.write(terminate())
            while self.read_some():
                pass
        except (Closed, OSError):
            pass
        self.end()


def cancel(address, key, tls=None, timeout=10):
    """Sends a CancelRequest and waits until it was taken."""
    wire = Wire(address, timeout)
    try:
        if tls:
            wire.start_tls(tls)
        wire.write(request(CANCEL_REQUEST, key))
        while wire.read_some():
            pass
    finally:
        wire.end()
