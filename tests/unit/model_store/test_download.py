"""Downloads from a server that breaks off, lies, stalls and never ends."""

import hashlib
import shutil
import ssl
from collections import namedtuple
from urllib.error import URLError

import pytest

from ovvis_cli.errors import DownloadError, ResourceError, WeightsError, exit_code_of
from ovvis_cli.model_store.download import RetryPolicy, download
from ovvis_cli.model_store.file_check import Expected
from tests.published_site import Served

BODY = bytes(range(256)) * 4000  # 1 MB
QUICK = RetryPolicy(timeout_s=2.0, tries=3, first_pause_s=0.01, slow_s=0.3, slow_bytes=100)


def expected(body=BODY, *, md5=False, size=True):
    return Expected(
        sha256=None if md5 else hashlib.sha256(body).hexdigest(),
        md5_start=hashlib.md5(body).hexdigest()[:6] if md5 else None,
        size_bytes=len(body) if size else None,
        most_bytes=2 * len(body),
    )


class Fetch:
    def __init__(self, folder):
        self.path = folder / "sub" / "weights.bin"
        self.told = []

    def __call__(self, url, wanted=None, **options):
        download(
            url,
            self.path,
            expected=wanted or expected(),
            on_bytes=lambda done, total: self.told.append((done, total)),
            by_hand="fetch it by hand",
            retry_policy=options.pop("retry_policy", QUICK),
        )

    def left(self):
        return sorted(file.name for file in self.path.parent.glob("*"))


@pytest.fixture
def fetch(tmp_path):
    return Fetch(tmp_path)


def test_a_file_arrives_whole(site, fetch):
    fetch(site.serve("/a", Served(body=BODY)))
    assert fetch.path.read_bytes() == BODY
    assert fetch.left() == ["weights.bin"]
    assert fetch.told[-1] == (len(BODY), len(BODY))
    assert [done for done, _ in fetch.told] == sorted(done for done, _ in fetch.told)
    assert site.requests[0][1]["User-Agent"].startswith("ovvis/")


def test_a_broken_connection_is_carried_on(site, fetch):
    fetch(site.serve("/a", Served(body=BODY, break_after=[300_000, 200_000])))
    assert fetch.path.read_bytes() == BODY
    assert site.ranges_asked() == [None, "bytes=300000-", "bytes=500000-"]
    assert site.requests[1][1]["If-Range"] == '"v1"'


def test_a_stopped_download_is_carried_on_by_the_next_call(site, fetch):
    url = site.serve("/a", Served(body=BODY, break_after=[300_000, 0, 0]))
    with pytest.raises(DownloadError, match=r"127.0.0.1: the connection broke after 0.3 MB of 1.0 MB"):
        fetch(url)
    assert fetch.left() == ["weights.bin.part", "weights.bin.part.tag"]
    site.requests.clear()
    fetch(url)
    assert fetch.path.read_bytes() == BODY
    assert site.ranges_asked() == ["bytes=300000-"]


def test_a_break_without_a_length_is_found_by_the_checksum(site, fetch):
    served = Served(body=BODY, break_after=[300_000], says_length=False)
    with pytest.raises(WeightsError, match="not the expected file"):
        fetch(site.serve("/a", served), expected(size=False))
    assert fetch.left() == []


def test_another_version_is_not_glued_to_the_first(site, fetch):
    old = bytes(len(BODY))
    url = site.serve("/a", Served(body=old, break_after=[300_000, 0, 0]))
    with pytest.raises(DownloadError):
        fetch(url)
    site.serve("/a", Served(body=BODY, tag='"v2"'))
    fetch(url)
    assert fetch.path.read_bytes() == BODY


def test_another_address_is_not_glued_to_the_first(site, fetch):
    with pytest.raises(DownloadError):
        fetch(site.serve("/old", Served(body=bytes(len(BODY)), break_after=[300_000, 0, 0])))
    fetch(site.serve("/new", Served(body=BODY)))
    assert fetch.path.read_bytes() == BODY


def test_a_server_without_ranges_sends_all_again(site, fetch):
    fetch(site.serve("/a", Served(body=BODY, ranges=False, break_after=[300_000])))
    assert fetch.path.read_bytes() == BODY


def test_a_part_that_is_whole_is_not_fetched_again(site, fetch):
    url = site.serve("/a", Served(body=BODY))
    fetch.path.parent.mkdir()
    fetch.path.with_name("weights.bin.part").write_bytes(BODY)
    fetch.path.with_name("weights.bin.part.tag").write_text(f'{url}\n"v1"')
    fetch(url)
    assert fetch.path.read_bytes() == BODY
    assert fetch.told == []


def test_a_file_that_is_there_needs_no_network(fetch):
    fetch.path.parent.mkdir()
    fetch.path.write_bytes(BODY)
    fetch("http://127.0.0.1:1/nobody")
    assert fetch.path.read_bytes() == BODY


def test_a_wrong_file_that_is_there_is_removed(fetch):
    fetch.path.parent.mkdir()
    fetch.path.write_bytes(bytes(len(BODY)))
    with pytest.raises(WeightsError, match="sha256 .* expected"):
        fetch("http://127.0.0.1:1/nobody")
    assert fetch.left() == []


@pytest.mark.parametrize("md5", [False, True])
def test_a_wrong_checksum_is_refused(site, fetch, md5):
    url = site.serve("/a", Served(body=BODY[::-1]))
    with pytest.raises(WeightsError, match=f"/a is not the expected file: {'md5' if md5 else 'sha256'}"):
        fetch(url, expected(md5=md5))
    assert fetch.left() == []


def test_the_start_of_an_md5_is_enough(site, fetch):
    fetch(site.serve("/a", Served(body=BODY)), expected(md5=True, size=False))
    assert fetch.path.read_bytes() == BODY


@pytest.mark.parametrize(
    "page",
    [b"<!DOCTYPE html><p>Log in", b"\n <HTML>", b'<?xml version="1.0"?><Error/>', b"version https://git-lfs"],
)
def test_a_page_in_place_of_the_file_is_refused(site, fetch, page):
    with pytest.raises(WeightsError, match="a text page"):
        fetch(site.serve("/a", Served(body=page)), expected(size=False))
    assert fetch.left() == []
    assert len(site.requests) == 1


def test_a_page_that_comes_byte_by_byte_is_refused(site, fetch):
    served = Served(body=b"<!doctype html>", says_length=False, drip_s=0.001)
    with pytest.raises(WeightsError, match="a text page"):
        fetch(site.serve("/a", served), expected(size=False))
    assert fetch.left() == []


def test_an_endless_body_is_refused(site, fetch):
    with pytest.raises(WeightsError, match=r"more than 2.0 MB"):
        fetch(site.serve("/a", Served(endless=True)))
    assert fetch.left() == []
    assert fetch.told[-1][0] <= 2 * len(BODY)


def test_an_announced_giant_is_refused_at_once(site, fetch):
    with pytest.raises(WeightsError, match=r"2.0 MB.*"):
        fetch(site.serve("/a", Served(body=BODY * 2 + b"x")), expected(size=False))
    assert fetch.told == []
    assert fetch.left() == []


def test_an_announced_wrong_size_is_refused_at_once(site, fetch):
    with pytest.raises(WeightsError, match=f"1 bytes, expected {len(BODY)}"):
        fetch(site.serve("/a", Served(body=b"x")))
    assert fetch.told == []


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_refusals_are_final(site, fetch, code):
    url = site.serve("/a", Served(codes=[code] * 5))
    with pytest.raises(DownloadError, match=f"HTTP {code}") as caught:
        fetch(url)
    assert caught.value.hint == "fetch it by hand"
    assert exit_code_of(caught.value) == 4
    assert len(site.requests) == 1


def test_a_busy_server_is_asked_again(site, fetch):
    fetch(site.serve("/a", Served(body=BODY, codes=[503, 429])))
    assert fetch.path.read_bytes() == BODY


def test_a_server_that_stays_busy_is_given_up(site, fetch):
    with pytest.raises(DownloadError, match="HTTP 503"):
        fetch(site.serve("/a", Served(codes=[503] * 9)))
    assert len(site.requests) == QUICK.tries


def test_no_server(fetch):
    with pytest.raises(DownloadError, match="cannot download from 127.0.0.1") as caught:
        fetch("http://127.0.0.1:9/a")
    assert caught.value.hint == "fetch it by hand"


def test_a_silent_server_times_out(site, fetch):
    url = site.serve("/a", Served(body=BODY, drip_s=30.0))
    with pytest.raises(DownloadError, match="timed out"):
        fetch(url, retry_policy=RetryPolicy(timeout_s=0.1, tries=2, first_pause_s=0.01))


def test_a_server_that_drips_is_given_up(site, fetch):
    url = site.serve("/a", Served(body=BODY, drip_s=0.02))
    with pytest.raises(DownloadError, match="bytes received in"):
        fetch(
            url,
            retry_policy=RetryPolicy(timeout_s=5.0, tries=2, first_pause_s=0.01, slow_s=0.2, slow_bytes=1000),
        )


def test_redirections_are_followed_and_carry_the_range(site, fetch):
    site.serve("/cdn", Served(body=BODY, break_after=[300_000]))
    fetch(site.serve("/a", Served(location=f"{site.url}/cdn")))
    assert fetch.path.read_bytes() == BODY
    assert site.requests[-1][0] == "/cdn"
    assert site.requests[-1][1]["Range"] == "bytes=300000-"


def test_a_circle_of_redirections_ends(site, fetch):
    with pytest.raises(DownloadError, match="HTTP 302"):
        fetch(site.serve("/a", Served(location=f"{site.url}/a")))


def test_nothing_leads_from_encrypted_to_open():
    from urllib.request import Request

    from ovvis_cli.model_store.download import _Redirects, _RefusedError

    with pytest.raises(_RefusedError, match="unencrypted"):
        _Redirects().redirect_request(Request("https://a/b"), None, 302, "", {}, "http://a/b")


def test_a_wrong_certificate_is_named_and_final(site, fetch, monkeypatch):
    from urllib.request import OpenerDirector

    calls = []

    def refuse(*_, **__):
        calls.append(1)
        fault = ssl.SSLCertVerificationError(1, "certificate verify failed")
        fault.verify_message = "self-signed certificate"
        raise URLError(fault)

    monkeypatch.setattr(OpenerDirector, "open", refuse)
    with pytest.raises(DownloadError, match="self-signed certificate"):
        fetch("https://127.0.0.1/a")
    assert len(calls) == 1


def test_the_proxy_of_the_environment_is_used(site, fetch, monkeypatch):
    site.serve("http://models.example/a", Served(body=BODY))
    monkeypatch.setenv("http_proxy", site.url)
    monkeypatch.delenv("no_proxy", raising=False)
    fetch("http://models.example/a")
    assert fetch.path.read_bytes() == BODY


def test_a_full_disk_is_noticed_before_the_download(site, fetch, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1000))
    with pytest.raises(ResourceError, match="needed"):
        fetch(site.serve("/a", Served(body=BODY)))
    assert fetch.told == []


def test_a_folder_that_cannot_be_made(site, fetch):
    fetch.path.parent.write_text("a file where the folder should be")
    with pytest.raises(ResourceError, match="cannot write") as caught:
        fetch(site.serve("/a", Served(body=BODY)))
    assert "OVVIS_HOME" in caught.value.hint
