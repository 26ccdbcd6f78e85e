"""A real S3 server, a process of its own, behind a proxy that does what networks and other writers do."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.processes import python

SERVER = """
import logging, threading
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)  # nobody reads what it says of each request
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
threading.Event().wait()
"""
DROPPED = ("connection", "transfer-encoding", "content-length")
KEY, SECRET = "AKIAQUITESECRETKEY00", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYQUITESECRET"
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1"}

SIGNED = f"AWS4-HMAC-SHA256 Credential={KEY}/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


@dataclass(frozen=True)
class Asked:
    """A request: its number among those of its method and path, and of the same range as well, from 0."""

    method: str
    path: str
    range: str
    number: int
    again: int


@dataclass(frozen=True)
class Fault:
    """What becomes of an answer."""

    status: int | None = None
    """In place of the server's own."""
    keep: int | None = None
    """So many bytes of the body, then the connection breaks."""
    seconds: float = 0.0
    """Before the body."""


Faults = Callable[[Asked], Fault | None]


@dataclass
class Bucket:
    """The server by its ports: straight, and through the proxy."""

    port: int
    proxy: ThreadingHTTPServer
    faults: Faults | None = None
    asked: list[Asked] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    at_work: int = 0
    most_at_work: int = 0
    """Answers that were under way at a time."""

    @property
    def endpoint(self) -> str:
        """The proxy's address."""
        return f"http://127.0.0.1:{self.proxy.server_address[1]}"

    def put(self, path: str, content: bytes = b"") -> None:
        """Make a bucket (``/name``), or write an object, past the proxy."""
        assert self._ask("PUT", path, content) == 200
        self.keys.add(path)

    def delete(self, path: str) -> None:
        """Delete an object."""
        assert self._ask("DELETE", path) == 204
        self.keys.discard(path)

    def empty(self, bucket: str) -> None:
        """Make a bucket of this name, and delete all that was put there."""
        self.put(bucket)
        for key in self.keys - {bucket}:
            self.delete(key)

    def _ask(self, method: str, path: str, content: bytes = b"") -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request(method, path, content, {"Authorization": SIGNED})
        status = connection.getresponse().status
        connection.close()
        return status

    def reads(self, path: str) -> list[str]:
        """The ranges that were asked of an object."""
        return [one.range for one in self.asked if one.path == path and one.method == "GET"]


@contextmanager
def served() -> Iterator[Bucket]:
    """The server and its proxy."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            path = self.path.partition("?")[0]
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with lock:
                alike = [one for one in bucket.asked if (one.method, one.path) == (self.command, path)]
                wanted = self.headers.get("Range", "")
                again = sum(one.range == wanted for one in alike)
                asked = Asked(self.command, path, wanted, len(alike), again)
                bucket.asked.append(asked)
            fault = (bucket.faults and bucket.faults(asked)) or Fault()
            if fault.status is not None:
                self.send_response(fault.status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            connection = http.client.HTTPConnection("127.0.0.1", bucket.port)
            try:
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):  # the tests have ended, and somebody still reads ahead
                self.close_connection = True
                return
            connection.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in DROPPED:
                    self.send_header(name, value)
            length = answer.getheader("Content-Length", "0") if self.command == "HEAD" else str(len(content))
            self.send_header("Content-Length", length)
            self.end_headers()
            with lock:
                bucket.at_work += 1
                bucket.most_at_work = max(bucket.most_at_work, bucket.at_work)
            time.sleep(fault.seconds)
            with lock:
                bucket.at_work -= 1
            self.wfile.write(content if fault.keep is None else content[: fault.keep])
            if fault.keep is not None:
                self.close_connection = True

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815

        def log_message(self, *said: object) -> None:
            """Nothing."""

    with python(SERVER) as process:
        assert process.stdout is not None
        port = int(next(line for line in process.stdout if line.strip().isdigit()))
        proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        proxy.daemon_threads = True
        bucket = Bucket(port, proxy)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        try:
            yield bucket
        finally:
            proxy.shutdown()
            proxy.server_close()
