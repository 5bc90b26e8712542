"""A web server that misbehaves on demand."""

import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one answer.

    Attributes:
        status: sent instead of 200.
        dropped_after: bytes of the body after which the connection closes.
        stalled_after: bytes of the body after which nothing comes for `seconds`.
        slow: seconds between hundredths of the file.
        too_long: bytes by which the announced length is too large.
        chunked: the file is sent in chunks.
        retry_after: seconds.
    """

    status: int = 200
    dropped_after: int | None = None
    stalled_after: int | None = None
    seconds: float = 0.0
    slow: float = 0.0
    too_long: int = 0
    chunked: bool = False
    retry_after: int | None = None


class Server:
    """Serves `files`; `faults`: the faults of the next answers; `requests`: numbers of requests. All are by path."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.requests: dict[str, int] = defaultdict(int)
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *_: None  # clients that hang up are expected
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = unquote(request.path)
        self.requests[path] += 1
        fault = self.faults[path].pop(0) if self.faults[path] else Fault()
        status = fault.status if path in self.files else 404
        body = self.files[path] if status == 200 else b"<!doctype html><title>sorry</title>"
        request.send_response(status)
        if fault.retry_after is not None:
            request.send_header("Retry-After", str(fault.retry_after))
        if fault.chunked:
            request.send_header("Transfer-Encoding", "chunked")
            pieces = [body[position : position + 50_000] for position in range(0, len(body), 50_000)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])
        else:
            request.send_header("Content-Length", str(len(body) + fault.too_long))
        request.end_headers()
        end = min(len(body) if limit is None else limit for limit in (fault.dropped_after, fault.stalled_after))
        piece = max(1, len(body) // 100) if fault.slow else 2**16
        try:
            for start in range(0, end, piece):
                request.wfile.write(body[start : min(start + piece, end)])
                time.sleep(fault.slow)
            time.sleep(fault.seconds)
        except OSError:  # the client hung up
            pass
        request.close_connection = end < len(body) or fault.too_long > 0
