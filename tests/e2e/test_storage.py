"""Videos and results on a local S3 server, also with connections that break."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import media
from tests.e2e.conftest import Outcome, Ovvis
from tests.e2e.test_batch import contents

pytestmark = pytest.mark.e2e

NUM_CLIPS = 4


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of an S3 server in this process."""
    pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    started = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    yield f"http://{host}:{port}"
    started.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> "Bucket":
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    return Bucket(server)


class Bucket:
    """A new bucket, seen without ovvis."""

    _count = 0

    def __init__(self, server: str) -> None:
        import s3fs

        Bucket._count += 1
        self.files = s3fs.S3FileSystem(
            key="test", secret="test", endpoint_url=server, use_listings_cache=False, skip_instance_cache=True
        )
        self.name = f"bucket{Bucket._count}"
        self.files.mkdir(self.name)

    def put(self, path: Path, key: str) -> str:
        self.files.put_file(str(path), f"{self.name}/{key}")
        return f"s3://{self.name}/{key}"

    def contents(self, prefix: str) -> dict[str, bytes]:
        """The objects below a prefix by their path behind it, without the journal."""
        found = self.files.find(f"{self.name}/{prefix}")
        whole = {path.removeprefix(f"{self.name}/{prefix}/"): self.files.cat_file(path) for path in found}
        return {path: data for path, data in whole.items() if not path.startswith(".ovvis-batch")}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos") / "clips"
    folder.mkdir()
    for index in range(NUM_CLIPS):
        media.write_video(folder / f"clip{index}.mp4", media.numbered_images(2 + index))
    return folder


@pytest.fixture
def segment(ovvis: Ovvis, weights: Path, tmp_path: Path) -> Callable[..., Outcome]:
    def run(*arguments: str | Path, output: str | Path) -> Outcome:
        same = ("-c", "dog,cat", "--no-distractors", "--model", weights, "--batch-size", "2", "--quiet")
        return ovvis("segment", *same, *arguments, "-o", output, "--scratch", tmp_path / "scratch")

    return run


@pytest.fixture
def stored_clips(bucket: Bucket, clips: Path) -> str:
    for path in clips.iterdir():
        bucket.put(path, f"clips/{path.name}")
    return f"s3://{bucket.name}/clips"


def without_source(files: dict[str, bytes]) -> dict[str, object]:
    """Results without what depends on where the video lies: its path, time stamp, and the fingerprint."""
    comparable: dict[str, object] = {}
    for path, data in files.items():
        if path.endswith("record.json"):
            record = json.loads(data)
            del record["fingerprint"], record["source"]["path"], record["source"]["modified_ns"]
            comparable[path] = record
        else:
            comparable[path] = data
    return comparable


def test_results_in_a_bucket_are_those_of_a_plain_run(
    segment: Callable[..., Outcome], bucket: Bucket, clips: Path, stored_clips: str, tmp_path: Path
) -> None:
    assert segment(clips, output=tmp_path / "plain").code == 0
    target = f"s3://{bucket.name}/results"
    outcome = segment(stored_clips, "--json", output=target)
    assert outcome.code == 0
    stored = bucket.contents("results")
    assert without_source(stored) == without_source(contents(tmp_path / "plain"))
    record = json.loads(stored["clip2/record.json"])
    assert record["source"]["path"] == f"{stored_clips}/clip2.mp4"
    assert outcome.json["inputs"][0]["files"]["overlay"].startswith(target)
    assert not [path for path in (tmp_path / "scratch").rglob("*") if path.is_file()]


def test_what_is_there_is_not_fetched_again(
    segment: Callable[..., Outcome],
    ovvis: Ovvis,
    bucket: Bucket,
    stored_clips: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ovvis_cli.batch.storage import Storage

    target = f"s3://{bucket.name}/results"
    assert segment(f"{stored_clips}/clip[01].mp4", output=target).code == 0
    assert ovvis("batch", "status", target).code == 0
    fetched: list[str] = []
    fetch = Storage.fetch
    monkeypatch.setattr(
        Storage,
        "fetch",
        lambda self, file, path: (fetched.append(file.address), fetch(self, file, path)),
    )
    again = segment(f"{stored_clips}/clip[012].mp4", "--json", output=target)
    assert [entry["status"] for entry in again.json["inputs"]] == ["already done", "already done", "done"]
    assert fetched == [f"{stored_clips}/clip2.mp4"]


def test_other_names_only_relabel_the_stored_result(
    segment: Callable[..., Outcome], bucket: Bucket, stored_clips: str
) -> None:
    target = f"s3://{bucket.name}/results"
    assert segment(f"{stored_clips}/clip1.mp4", output=target).code == 0
    before = bucket.contents("results")
    assert segment(f"{stored_clips}/clip1.mp4", "-c", "car,bird", output=target).code == 0
    after = bucket.contents("results")
    assert json.loads(after["clip1/record.json"])["vocabulary"]["names"] == ["car", "bird"]
    assert after["clip1/masks.jsonl"] == before["clip1/masks.jsonl"]


def test_a_stored_video_with_results_on_this_machine(
    segment: Callable[..., Outcome], stored_clips: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert segment(f"{stored_clips}/clip3.mp4", output=tmp_path / "out").code == 0
    assert {path.name for path in (tmp_path / "out" / "clip3").iterdir()} >= {"record.json", "overlay.mp4"}
    monkeypatch.setattr("ovvis_cli.batch.storage.Storage.fetch", None)  # there is no need for it
    again = segment(f"{stored_clips}/clip3.mp4", "--json", output=tmp_path / "out")
    assert again.json["inputs"][0]["status"] == "already done"


def test_connections_that_break_leave_whole_results_or_none(
    segment: Callable[..., Outcome],
    bucket: Bucket,
    clips: Path,
    stored_clips: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import s3fs

    assert segment(clips, output=tmp_path / "plain").code == 0
    target = f"s3://{bucket.name}/results"
    broken: set[str] = set()

    def break_once(method: str, *, key: str) -> None:
        whole = getattr(s3fs.S3FileSystem, method)

        async def breaking(self, *paths: str, **options: object) -> object:
            address = next(path for path in paths if key in path)
            if not address.endswith(BREAKING[method]) or address in broken:
                return await whole(self, *paths, **options)
            broken.add(address)
            if method == "_get_file":  # half of the video has arrived
                Path(paths[1]).write_bytes(b"half")
            raise ConnectionResetError("connection reset by peer")

        monkeypatch.setattr(s3fs.S3FileSystem, method, breaking)

    break_once("_get_file", key="clips/")
    break_once("_put_file", key="results/")
    s3fs.S3FileSystem.clear_instance_cache()  # an instance keeps the methods that it was made with
    first = segment(stored_clips, output=target)
    assert first.code == 1
    assert len(broken) == 3
    whole = {path.split("/")[0] for path in bucket.contents("results") if path.endswith("record.json")}
    assert whole == {"clip2"}
    assert {path.split("/")[0] for path in bucket.contents("results")} == whole  # nothing half-written
    assert all("connection reset by peer" in line for line in first.errors[:3])

    assert segment(stored_clips, output=target).code == 0
    assert without_source(bucket.contents("results")) == without_source(contents(tmp_path / "plain"))


BREAKING = {
    "_get_file": "clip0.mp4",
    "_put_file": ("clip1/overlay.mp4", "clip3/record.json"),
}


def test_a_video_larger_than_the_scratch_space_is_told(
    segment: Callable[..., Outcome], bucket: Bucket, tmp_path: Path
) -> None:
    large = media.write_video(tmp_path / "large.mp4", media.numbered_images(40, (480, 640), noise=40))
    assert large.stat().st_size > 1_000_000
    address = bucket.put(large, "large.mp4")
    outcome = segment(address, "--scratch-gb", "0.001", output=tmp_path / "out")
    assert outcome.code == 5
    assert "--scratch-gb" in outcome.errors[0]


@pytest.mark.parametrize("address", ["s3://bucket-that-is-not-there/clips", "s3://{bucket}/nothing.mp4"])
def test_an_address_without_videos_is_one_line(
    segment: Callable[..., Outcome], bucket: Bucket, tmp_path: Path, address: str
) -> None:
    outcome = segment(address.format(bucket=bucket.name), output=tmp_path / "out")
    assert outcome.code == 3
    assert len(outcome.errors) == 1
