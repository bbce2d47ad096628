"""Many clients in one process: logs in by trust, asks simple queries, leaves politely or not. Sockets and one epoll;
it knows of the protocol only what that takes."""
import select, socket, struct, time

from proxybench.world import Refused

TERMINATE = b"X\0\0\0\4"


def startup(user, database):
    words = b"".join(w.encode() + b"\0" for w in ("user", user, "database", database))
    body = struct.pack("!I", 196608) + words + b"\0"
    return struct.pack("!I", len(body) + 4) + body


def query(sql):
    body = sql.encode() + b"\0"
    return b"Q" + struct.pack("!I", len(body) + 4) + body


def take_messages(buffer):
    """Removes the whole messages from a bytearray: [(type, body)]."""
    found = []
    while len(buffer) >= 5:
        size = struct.unpack_from("!I", buffer, 1)[0] + 1
        if len(buffer) < size:
            break
        found.append((chr(buffer[0]), bytes(buffer[5:size])))
        del buffer[:size]
    return found


def error_text(body):
    """The message field of an ErrorResponse."""
    fields = {part[:1]: part[1:] for part in body.split(b"\0") if part}
    return fields.get(b"M", b"an error without a message").decode(errors="replace")


class Crowd:
    """`with Crowd(port, user, database) as crowd: crowd.join(5000); crowd.ask("SELECT 1"); crowd.drop("rude")`"""

    def __init__(self, port, user, database, patience=60):
        self.address, self.hello, self.patience = ("127.0.0.1", port), startup(user, database), patience
        self.clients = {}  # fd: (socket, bytes read so far)
        self.poll = select.epoll()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.drop("rude")
        self.poll.close()

    def connect(self):
        client = socket.create_connection(self.address, timeout=self.patience)
        client.setblocking(False)
        self.clients[client.fileno()] = (client, bytearray())
        self.poll.register(client.fileno(), select.EPOLLIN)
        return client

    def join(self, count, at_once=100):
        """`at_once` of them wait for their login at any time: a listen queue is no part of this."""
        for first in range(0, count, at_once):
            fresh = [self.connect() for _ in range(min(at_once, count - first))]
            for client in fresh:
                client.sendall(self.hello)
            self.await_ready({c.fileno() for c in fresh})

    def ask(self, sql, at_once=100):
        fds = list(self.clients)
        for first in range(0, len(fds), at_once):
            some = fds[first:first + at_once]
            self.send(query(sql), some)
            self.await_ready(set(some))

    def send(self, data, fds=None):
        for fd in fds or list(self.clients):
            self.clients[fd][0].sendall(data)

    def await_ready(self, waiting):
        """Until each of them was sent a ReadyForQuery."""
        end = time.monotonic() + self.patience
        while waiting:
            if time.monotonic() > end:
                raise Refused(f"{len(waiting)} clients had no answer within {self.patience} s")
            for fd, _ in self.poll.poll(1, 1000):
                self.read(fd, waiting)

    def read(self, fd, waiting):
        client, buffer = self.clients[fd]
        data = client.recv(65536)
        if not data:
            raise Refused("the proxy closed a client's connection")
        buffer += data
        for kind, body in take_messages(buffer):
            if kind == "E":
                raise Refused(f"the proxy answers: {error_text(body)}")
            if kind == "R" and body[:4] != b"\0\0\0\0":
                raise Refused("the proxy asks for a password where trust was set")
            if kind == "Z":
                waiting.discard(fd)

    def drop(self, how):
        for fd in list(self.clients):
            self.drop_one(fd, how)

    def drop_one(self, fd, how="rude"):
        """"polite": Terminate first; "rude": closes; "reset": with RST."""
        client, _ = self.clients.pop(fd)
        self.poll.unregister(fd)
        if how == "polite":
            client.sendall(TERMINATE)
        if how == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
