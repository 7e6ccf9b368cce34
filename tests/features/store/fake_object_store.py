"""As much of S3's HTTP interface as one Delta table needs, in memory, for tests.

Run as a process of its own (`python fake_object_store.py ACCESS_KEY`; it prints its address): deltalake
holds the interpreter's lock while it waits for an answer. Requests not signed with the key are refused.
"""

from __future__ import annotations

import hashlib
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, unescape


class FakeObjectStore(ThreadingHTTPServer):
    """Objects by bucket/key."""

    def __init__(self, access_key: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.access_key = access_key
        self.objects: dict[str, bytes] = {}


class _Handler(BaseHTTPRequestHandler):
    server: FakeObjectStore
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the parent's name)
        """Say nothing."""

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name = self._name()
        if not self._signed():
            return self._answer(403)
        if self.headers.get("If-None-Match") == "*" and name in self.server.objects:
            return self._answer(412)
        self.server.objects[name] = body
        return self._answer(200, etag=_etag(body))

    def do_POST(self) -> None:
        """Several deleted at once."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if not self._signed():
            return self._answer(403)
        keys = [unescape(key) for key in re.findall("<Key>(.*?)</Key>", body)]
        for key in keys:
            self.server.objects.pop(f"{self._name().rstrip('/')}/{key}", None)
        gone = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        return self._answer(200, f"<DeleteResult>{gone}</DeleteResult>".encode())

    def do_DELETE(self) -> None:
        self.server.objects.pop(self._name(), None)
        self._answer(204)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        body = self.server.objects.get(self._name())
        if not self._signed():
            self._answer(403)
        elif "list-type" in query:
            self._answer(200, self._listing(query))
        elif body is None:
            self._answer(404)
        else:
            start, end = _range(self.headers.get("Range"), len(body))
            partial = "Range" in self.headers
            content_range = f"bytes {start}-{end - 1}/{len(body)}" if partial else None
            self._answer(206 if partial else 200, body[start:end], _etag(body), content_range)

    def _signed(self) -> bool:
        return f"Credential={self.server.access_key}/" in self.headers.get("Authorization", "")

    def _name(self) -> str:
        return unquote(urlsplit(self.path).path).lstrip("/")

    def _listing(self, query: dict[str, list[str]]) -> bytes:
        root = self._name().rstrip("/") + "/"
        prefix, after = (query.get(key, [""])[0] for key in ("prefix", "start-after"))
        keys = [name.removeprefix(root) for name in sorted(self.server.objects) if name.startswith(root)]
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2020-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>{_etag(self.server.objects[root + key])}</ETag>"
            f"<Size>{len(self.server.objects[root + key])}</Size></Contents>"
            for key in keys
            if key.startswith(prefix) and key > after
        )
        text = f"<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
        return text.encode()

    def _answer(
        self, status: int, body: bytes = b"", etag: str | None = None, content_range: str | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Wed, 01 Jan 2020 00:00:00 GMT")
        if etag:
            self.send_header("ETag", etag)
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def _range(header: str | None, size: int) -> tuple[int, int]:
    if header is None:
        return 0, size
    first, last = header.removeprefix("bytes=").split("-")
    if not first:
        return max(size - int(last), 0), size
    return int(first), min(int(last) + 1, size) if last else size


if __name__ == "__main__":
    server = FakeObjectStore(sys.argv[1])
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
