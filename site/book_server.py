"""A local web server that behaves as a static host does: gzip, and 404.html for what is missing.

``python site/book_server.py FOLDER [PORT]`` serves a folder until Ctrl-C.
"""

import gzip
import sys
import threading
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

COMPRESSED = {".html", ".css", ".js", ".json", ".svg", ".xml", ".txt", ".ipynb"}


@lru_cache(maxsize=256)
def _gzipped(path: Path, modified: int) -> bytes:
    return gzip.compress(path.read_bytes(), compresslevel=6)


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    extra: ClassVar[dict[str, str]] = {}

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            path = path / "index.html"
        status = 200 if path.is_file() else 404
        if status == 404:
            path = Path(self.directory) / "404.html"
        if not path.is_file():
            return self.send_error(404)
        zipped = path.suffix in COMPRESSED and "gzip" in self.headers.get("Accept-Encoding", "")
        body = _gzipped(path, path.stat().st_mtime_ns) if zipped else path.read_bytes()
        self.send_response(status)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Length", str(len(body)))
        if zipped:
            self.send_header("Content-Encoding", "gzip")
        for name, value in self.extra.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Keep the test's output quiet."""


@contextmanager
def serve(folder: Path, port: int = 0, headers: dict[str, str] | None = None):
    """Serve a folder locally (port 0: a free one); gives the address without a final slash.

    ``headers`` go with every file, as a host may send a content policy with all it has.
    """
    kind = type("Handler", (_Handler,), {"extra": headers or {}})
    handler = partial(kind, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


if __name__ == "__main__":
    with serve(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 8000) as address:
        print(f"Serving the book at  {address}  (stop with Ctrl-C)", flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
