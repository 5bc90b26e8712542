"""A web server that serves ranges, and misbehaves on demand."""

import hashlib
import re
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
        html: a web page is sent instead of the file.
        body: sent instead of the file.
        too_long: bytes by which the announced length is too large.
        no_version: neither ETag nor date is sent.
        no_length: no length is announced; the connection's end is the file's end.
        chunked: the file is sent in chunks.
        range_from, range_until: the range that is sent instead of the requested one.
        status_206_without_range: the range is not announced.
        retry_after: seconds.
    """

    status: int = 200
    dropped_after: int | None = None
    stalled_after: int | None = None
    seconds: float = 0.0
    slow: float = 0.0
    html: bool = False
    body: bytes | None = None
    too_long: int = 0
    no_version: bool = False
    no_length: bool = False
    chunked: bool = False
    range_from: int | None = None
    range_until: int | None = None
    status_206_without_range: bool = False
    retry_after: int | None = None


class Server:
    """Serves `files` by path; `faults` are those of the next answers, by path."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.ranges: dict[str, list[str | None]] = defaultdict(list)  # requested, one per request
        self.sent: dict[str, int] = defaultdict(int)  # bytes of bodies
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *_: None  # of clients that hang up
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = unquote(request.path)
        self.ranges[path].append(request.headers.get("Range"))
        fault = self.faults[path].pop(0) if self.faults[path] else Fault()
        status = fault.status if path in self.files else 404
        body = self.files.get(path, b"")
        if status != 200 or fault.html:
            body = b"<!doctype html><title>sorry</title>"
        if fault.body is not None:
            body = fault.body
        version = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        start = 0
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        if asked and status == 200 and request.headers.get("If-Range") == version:
            start = int(asked[1])
            status = 206 if start < len(body) else 416
        request.send_response(status)
        request.send_header("Content-Type", "text/html" if fault.html else "image/tiff")
        if not fault.no_version:
            request.send_header("ETag", version)
        if fault.retry_after is not None:
            request.send_header("Retry-After", str(fault.retry_after))
        if status == 206:
            start = start if fault.range_from is None else fault.range_from
            body = body[: fault.range_until]
            if not fault.status_206_without_range:
                size = len(self.files[path])
                request.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{size}")
        if status == 416:
            request.send_header("Content-Range", f"bytes */{len(body)}")
            body, start = b"", 0
        body = body[start:]
        if fault.chunked:
            request.send_header("Transfer-Encoding", "chunked")
            pieces = [body[position : position + 50_000] for position in range(0, len(body), 50_000)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])
        elif not fault.no_length:
            request.send_header("Content-Length", str(len(body) + fault.too_long))
        request.end_headers()
        self._send(request, path, body, fault)

    def _send(self, request: BaseHTTPRequestHandler, path: str, body: bytes, fault: Fault) -> None:
        end = len(body)
        for limit in (fault.dropped_after, fault.stalled_after):
            end = end if limit is None else min(end, limit)
        piece = max(1, len(body) // 100) if fault.slow else 2**16
        try:
            for start in range(0, end, piece):
                sent = body[start : min(start + piece, end)]
                request.wfile.write(sent)
                self.sent[path] += len(sent)
                time.sleep(fault.slow)
            if fault.stalled_after is not None:
                time.sleep(fault.seconds)
        except OSError:  # the client hung up
            pass
        if end < len(body) or fault.too_long or fault.no_length:
            request.close_connection = True
