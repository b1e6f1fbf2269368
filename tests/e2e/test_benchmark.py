"""`ovvis benchmark` on tiny sizes: the figures it must tell, their types and sums, and bad input."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Ovvis

pytestmark = pytest.mark.e2e

NETWORK = {"backbone", "pixel decoder", "query decoder", "classify"}
OTHERS = {"decode", "preprocess", "associate", "encode", "write", "checkpoint", "overlay"}
RESULT_TYPES = {
    "model": str,
    "classifier": str,
    "tracker": str,
    "device": str,
    "precision": str,
    "batch_size": int,
    "frame_hw": list,
    "num_frames": int,
    "num_instances": int,
    "frames_per_second": float,
    "stages": dict,
    "flops_per_frame": float,
    "network_s": float,
    "matmul_peak_flops": float,
    "peak_share": float,
    "other_share": float,
    "memory": dict,
    "first_batch_s": float,
    "load_s": float,
}


def check_result(result: dict[str, Any]) -> None:
    assert {name: type(value) for name, value in result.items()} == RESULT_TYPES
    stages = result["stages"]
    assert set(stages) == NETWORK | OTHERS
    for stage in stages.values():
        assert set(stage) == {"median_s", "spread_s", "share", "flops"}
        assert stage["median_s"] >= 0 and stage["spread_s"] >= 0 and 0 <= stage["share"] <= 1
    assert sum(stage["share"] for stage in stages.values()) == pytest.approx(1)
    assert sum(stages[name]["flops"] for name in NETWORK) == pytest.approx(result["flops_per_frame"])
    assert sum(stages[name]["share"] for name in NETWORK) == pytest.approx(1 - result["other_share"])
    assert result["peak_share"] > 0 and result["frames_per_second"] > 0
    assert set(result["memory"]) == {"host_peak_bytes", "device_peak_bytes"}


def test_drawn_video_random_weights_and_comparison(ovvis: Ovvis, tmp_path: Path) -> None:
    file, plot = tmp_path / "speed.json", tmp_path / "speed.svg"
    outcome = ovvis(
        *("benchmark", "--model", "instformer-tiny", "--random-weights", "--size", "64x96", "--frames", "3"),
        *("--batch-size", "1", "--batch-size", "2", "--device", "cpu", "--precision", "fp32"),
        *("--compare", "masked-crops", "--classes-count", "5", "--json", file, "--plot", plot),
    )
    assert outcome.code == 0, outcome.err
    told = json.loads(file.read_text())
    assert set(told) == {"ovvis", "device", "imports_s", "results"}
    cases = [(result["batch_size"], result["classifier"]) for result in told["results"]]
    assert cases == [(1, "instclip"), (1, "masked-crops"), (2, "instclip"), (2, "masked-crops")]
    for result in told["results"]:
        check_result(result)
        assert (result["num_frames"], result["frame_hw"]) == (3, [64, 96])
    one, crops = told["results"][:2]
    assert crops["stages"]["classify"]["flops"] > one["stages"]["classify"]["flops"]
    assert outcome.out.count("times as fast as masked crops") == 2
    texts = {element.text for element in ET.parse(plot).iter() if element.tag.endswith("text")}
    assert "instformer-tiny (masked crops), 64x96, cpu, fp32, batch 2" in texts


def test_own_video_and_weights_up_to_a_number_of_frames(ovvis: Ovvis, clip: Path, tmp_path: Path) -> None:
    file = tmp_path / "speed.json"
    outcome = ovvis(
        *("benchmark", "--video", clip, "--frames", "4", "--device", "cpu", "--json", file),
        *("--precision", "bf16", "--precision", "fp32"),
    )
    assert outcome.code == 0, outcome.err
    results = json.loads(file.read_text())["results"]
    assert [result["precision"] for result in results] == ["bf16", "fp32"]
    for result in results:
        check_result(result)
        assert result["num_frames"] == 4
    assert "frames/s" in outcome.out and "% of the matmul peak" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--size", "480"], 2, "--size: '480' is not a valid size"),
        (["--size", "0x10"], 2, "is not a valid size"),
        (["--video", "gone.mp4"], 3, "gone.mp4: the file does not exist"),
        (["--precision", "fp8"], 2, "unknown precision 'fp8'"),
        (["--precision", "fp16", "--device", "cpu"], 2, "fp16 needs a GPU"),
        (["--model", "no-such", "--random-weights"], 4, "unknown model 'no-such'"),
        (["--compare", "others"], 2, "masked-crops"),
        (["--frames", "0"], 2, "--frames"),
    ],
)
def test_bad_input_is_one_line(ovvis: Ovvis, arguments: list[str], code: int, told: str) -> None:
    outcome = ovvis("benchmark", "--size", "64x96", "--frames", "1", *arguments)
    assert outcome.code == code
    [line] = outcome.errors
    assert told in line
