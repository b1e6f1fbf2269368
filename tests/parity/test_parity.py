"""Our networks equal the official code, on every fixture that lies beside this file."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ovvis_models.backbones.swin import SWIN_B, SWIN_T, SwinSpec
from ovvis_models.converters.mask2former import from_detectron2, to_detectron2
from ovvis_models.errors import MismatchedWeightsError
from ovvis_models.networks.mask2former import BackboneSpec, build_mask2former
from tests.parity import check
from tests.parity.comparison import Found, compare
from tests.parity.fixture import Fixture, mask2former_spec, read_fixture
from tests.parity.weights_by_name import weight, weights_of_layout

State = dict[str, torch.Tensor]

pytestmark = pytest.mark.parity

FOLDERS = sorted(path.parent for path in Path(__file__).parent.glob("*/case.json"))


@pytest.fixture(scope="module")
def mask2former() -> Fixture:
    return read_fixture(Path(__file__).parent / "mask2former-r50-coco")


@pytest.fixture(scope="module")
def expected(mask2former: Fixture) -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        network = build_mask2former(mask2former_spec(mask2former.case["model"], mask2former.layout))
    return network.state_dict()


@pytest.fixture(scope="module")
def checkpoint(mask2former: Fixture) -> dict[str, torch.Tensor]:
    return weights_of_layout(mask2former.layout, gains={})


@pytest.mark.parametrize(
    "folder",
    [  # these take up to a minute
        pytest.param(
            path,
            id=path.name,
            marks=[pytest.mark.slow] if path.name.startswith(("clipvis", "genvis", "ovformer")) else [],
        )
        for path in FOLDERS
    ],
)
@pytest.mark.parametrize("dtype_name", ["float64", "float32"])
def test_every_array_agrees(folder: Path, dtype_name: str) -> None:
    verdicts = check.check(read_fixture(folder), dtype_name=dtype_name)
    assert len(verdicts) > 30
    short = [f"{v.name}: {v.max_abs:.2e} {v.max_rel:.2e} {v.remark}" for v in verdicts if not v.passed]
    assert not short


def test_a_wrong_gain_falls_short(
    mask2former: Fixture, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = replace(mask2former, case=mask2former.case | {"gain": {}})
    short = [verdict.name for verdict in check.check(wrong, dtype_name="float32") if not verdict.passed]
    assert "decoder_layers0" in short and "masks" in short
    assert "backbone0_res5" not in short
    assert check.main([str(tmp_path)]) == 2
    assert "no readable fixture" in capsys.readouterr().err


@pytest.mark.parametrize("backbone", [SWIN_T, SWIN_B, BackboneSpec(name="resnet101", norm="frozen")])
def test_a_layout_tells_the_backbone(mask2former: Fixture, backbone: SwinSpec | BackboneSpec) -> None:
    wanted = replace(mask2former_spec(mask2former.case["model"], mask2former.layout), backbone=backbone)
    with torch.device("meta"):
        state = build_mask2former(wanted).state_dict()
    layout = {name: {"shape": list(x.shape), "dtype": "float32"} for name, x in to_detectron2(state).items()}
    found = mask2former_spec(mask2former.case["model"], layout)
    assert found.backbone is not None
    assert replace(found.backbone, name=backbone.name) == backbone
    assert replace(found, backbone=backbone) == wanted


def test_official_names_come_and_go_with_nothing_left_over(expected: State, checkpoint: State) -> None:
    ours = from_detectron2(checkpoint, expected)
    assert ours.keys() == expected.keys()
    back = to_detectron2(ours)
    assert checkpoint.keys() - back.keys() == {"criterion.empty_weight"}
    assert back.keys() <= checkpoint.keys()
    assert all(torch.equal(back[name], checkpoint[name]) for name in back)


def test_older_spellings_are_understood(expected: State, checkpoint: State) -> None:
    old = {
        name.replace("sem_seg_head.pixel_decoder.", "sem_seg_head.").replace("query_feat", "static_query"): x
        for name, x in checkpoint.items()
    }
    old["backbone.stem.conv1.norm.num_batches_tracked"] = torch.tensor(3)
    assert old.keys() != checkpoint.keys()
    new, same = from_detectron2(old, expected), from_detectron2(checkpoint, expected)
    assert all(torch.equal(new[name], same[name]) for name in same)


@pytest.mark.parametrize("change", ["missing", "left over", "of another shape"])
def test_a_checkpoint_that_does_not_fit_is_refused(expected: State, checkpoint: State, change: str) -> None:
    name = "sem_seg_head.predictor.transformer_self_attention_layers.3.self_attn.in_proj_weight"
    wrong = dict(checkpoint)
    if change == "missing":
        del wrong[name]
    elif change == "left over":
        wrong["sem_seg_head.predictor.extra"] = torch.zeros(3)
    else:
        wrong[name] = torch.zeros(768, 128)
    with pytest.raises(MismatchedWeightsError, match=change):
        from_detectron2(wrong, expected)


def test_weights_follow_the_rule() -> None:
    variance = weight("a.running_var", (1000,))
    assert variance.dtype == np.float32 and variance.min() >= 0.5 and variance.max() < 1.5
    assert abs(weight("norm.weight", (1000,)).mean() - 1) < 0.02
    assert abs(weight("norm.bias", (1000,)).mean()) < 0.02
    assert abs(weight("conv.weight", (100, 5, 2, 2)).std() * math.sqrt(20) - 1) < 0.05
    assert not np.array_equal(weight("a", (4,)), weight("b", (4,)))


def test_comparison_sees_differences() -> None:
    reference = np.linspace(-1, 1, 10, dtype=np.float32)
    assert compare("x", reference, Found(values=reference + 5e-5), tolerance=1e-4).passed
    assert not compare("x", reference, Found(values=reference + 5e-4), tolerance=1e-4).passed
    assert not compare("x", reference, Found(values=reference * np.nan), tolerance=1e-4).passed
    assert not compare("x", reference, Found(values=reference[:5]), tolerance=1e-4).passed
    logits = np.array([[1.0, -1e-6, -2.0]])
    bits = np.packbits(np.array([[True, True, False]]), axis=-1)
    assert compare("m", bits, Found(values=logits > 0, margin=np.abs(logits)), tolerance=0).passed
    bits = np.packbits(np.array([[True, True, True]]), axis=-1)
    assert not compare("m", bits, Found(values=logits > 0, margin=np.abs(logits)), tolerance=0).passed
    whole = np.array([3, 4])
    assert not compare("i", whole, Found(values=np.array([3, 5])), tolerance=1).passed
