"""A web server of this machine that misbehaves as it is told, and a home of its own for the models."""

import hashlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from ovvis_cli.app import run
from ovvis_models.networks.clip import ClipSpec, TextSpec, VisionSpec

CLIP = ClipSpec(  # as ViT-B/32 is built, but small
    embed_dim=16,
    vision=VisionSpec(image_size=32, patch_size=16, width=32, layers=1, head_width=16),
    text=TextSpec(context_length=16, vocab_size=49408, width=8, heads=2, layers=1),
    quick_gelu=True,
)


@dataclass
class Served:
    """How one path is answered."""

    body: bytes = b""
    code: int = 200
    location: str | None = None
    break_after: list[int] = field(default_factory=list)  # bytes, of each answer in turn
    ranges: bool = True
    says_length: bool = True
    endless: bool = False
    tag: str | None = '"v1"'
    drip_s: float | None = None  # pause before each byte
    codes: list[int] = field(default_factory=list)  # of the first answers


@dataclass
class Site:
    url: str
    paths: dict[str, Served] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def serve(self, path: str, served: Served) -> str:
        self.paths[path] = served
        return f"{self.url}{path}"

    def ranges_asked(self) -> list[str | None]:
        return [headers.get("Range") for _, headers in self.requests]


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self):
        self.site.requests.append((self.path, dict(self.headers)))
        served = self.site.paths.get(self.path)
        if served is None:
            self.send_error(404)
        elif served.codes:
            self.send_error(served.codes.pop(0))
        elif served.location is not None:
            self.send_response(302)
            self.send_header("Location", served.location)
            self.end_headers()
        elif served.endless:
            self.send_response(200)
            self.end_headers()
            self._write_forever()
        else:
            self._send_file(served)

    def _send_file(self, served: Served):
        start, whole = 0, len(served.body)
        asked = self.headers.get("Range")
        valid = self.headers.get("If-Range") in (None, served.tag)
        if asked and served.ranges and valid:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        if start and start >= whole:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{whole}")
            self.end_headers()
            return
        self.send_response(206 if start else served.code)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        if served.says_length:
            self.send_header("Content-Length", str(whole - start))
        if served.tag:
            self.send_header("ETag", served.tag)
        self.end_headers()
        end = start + served.break_after.pop(0) if served.break_after else whole
        if served.drip_s is None:
            self.wfile.write(served.body[start:end])
            return
        for index in range(start, end):
            self.wfile.write(served.body[index : index + 1])
            if self.site.stopping.wait(served.drip_s):
                return

    def _write_forever(self):
        try:
            while not self.site.stopping.is_set():
                self.wfile.write(b"\0" * 65536)
        except OSError:
            pass

    def log_message(self, *_):
        pass


@pytest.fixture
def site(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    served = Site(url="")
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("HandlerOfSite", (Handler,), {"site": served}))
    server.daemon_threads = True
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield served
    served.stopping.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("OVVIS_HOME", str(folder))
    monkeypatch.delenv("OVVIS_MODEL", raising=False)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    return folder


@pytest.fixture
def ovvis(capsys):
    """`ovvis models` with these arguments: what it writes, or the errors where `code` is not 0."""

    def call(*arguments, code=0):
        capsys.readouterr()
        found = run(["models", *map(str, arguments)])
        out, err = capsys.readouterr()
        assert found == code, err
        return out if code == 0 else err

    return call


def left(home):
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


def under(tensors, prefix):
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
