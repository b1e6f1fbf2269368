"""The models with published weights: what their entries say must fit what is known of the published files."""

import re

import pytest
import torch

from ovvis_cli.vocabulary.categories import load_table, table_name
from ovvis_models.catalog import CATALOG
from ovvis_models.converters.mask2former import to_detectron2
from ovvis_models.networks.clip import build_clip
from ovvis_models.networks.mask2former import Mask2FormerSpec, build_mask2former
from ovvis_models.networks.rf_detr import RfDetrSpec

CLOSED_SETS = {"ytvis2019": 40, "ytvis2021": 40, "ovis": 25}  # classes, by the table of their names
PUBLISHED = [spec for spec in CATALOG.values() if spec.sources]
RF_DETR = [spec for spec in PUBLISHED if isinstance(spec.proposals, RfDetrSpec)]
MASK2FORMER = [spec for spec in PUBLISHED if isinstance(spec.proposals, Mask2FormerSpec)]
OPEN = [spec for spec in MASK2FORMER if spec.reads_words]
CLOSED = [spec for spec in PUBLISHED if not spec.reads_words]
# of the official checkpoints: entries, tables of positions that are not loaded, million parameters
OFFICIAL = {
    "instformer-r50": (558, 0, 43.97),
    "minvis-clip-r50": (558, 0, 43.97),
    "minvis-r50-ytvis2019": (558, 0, 43.97),
    "minvis-r50-ytvis2021": (558, 0, 43.97),
    "minvis-r50-ovis": (558, 0, 43.97),
    "instformer-swin-t": (482, 12, 47.4),
    "instformer-swin-b": (650, 24, 106.9),
}

# of RF-DETR's documentation: mask AP on COCO, million parameters
RF_DETR_OFFICIAL = {
    "instformer-rfdetr-nano": (40.3, 33.6),
    "instformer-rfdetr-small": (43.1, 33.7),
    "instformer-rfdetr-medium": (45.3, 35.7),
    "instformer-rfdetr-large": (47.1, 36.2),
}


def test_these_models_are_there():
    assert {spec.name for spec in MASK2FORMER} == set(OFFICIAL)
    assert {spec.name for spec in RF_DETR} == set(RF_DETR_OFFICIAL)


@pytest.mark.parametrize("spec", OPEN, ids=lambda spec: spec.name)
def test_an_entry_is_complete(spec):
    assert sorted(source.part for source in spec.sources) == ["clip", "proposals"]
    assert spec.weights is None
    assert spec.licence
    assert spec.proposal_ap is not None
    assert spec.association.hidden_dim is None
    assert spec.instclip.lora_rank is None
    assert spec.proposals.num_classes == 80
    for source in spec.sources:
        assert source.licence
        assert source.trained_on
        assert source.sha256 or source.md5_start
        assert re.fullmatch("[0-9a-f]{64}", source.sha256 or "0" * 64)
        assert re.fullmatch("[0-9a-f]{6}", source.md5_start or "0" * 6)


@pytest.mark.parametrize("spec", RF_DETR, ids=lambda spec: spec.name)
def test_an_entry_with_rf_detr_is_complete(spec):
    proposals, clip = spec.sources
    ap, millions = RF_DETR_OFFICIAL[spec.name]
    size = spec.name.rpartition("-")[2]
    assert (proposals.part, clip.part) == ("rf-detr", "clip")
    assert proposals.location.repository == f"Roboflow/rf-detr-seg-{size}"
    assert (proposals.location.revision, proposals.sha256) == (None, None)  # neither is known
    assert proposals.licence == "Apache-2.0"
    assert spec.licence == "Apache-2.0 and MIT"
    assert spec.proposal_ap == ap
    assert proposals.approximate_bytes == millions * 4e6
    assert spec.clip == CATALOG["instformer-r50"].clip


@pytest.mark.parametrize("spec", CLOSED, ids=lambda spec: spec.name)
def test_an_entry_of_a_closed_set_is_complete(spec):
    assert [source.part for source in spec.sources] == ["proposals"]
    table = load_table(table_name(spec.class_table))
    assert spec.proposals.num_classes == len(table.categories) == CLOSED_SETS[spec.class_table]
    assert spec.token_dim == spec.proposals.num_classes + 1
    assert (spec.default_tracker(), spec.classifier) == ("previous-frame", "class-head")
    assert spec.licence
    assert spec.weights is None


def test_file_names_are_unique():
    names = {(source.file_name, source.location) for spec in PUBLISHED for source in spec.sources}
    assert len({name for name, _ in names}) == len(names)


@pytest.mark.parametrize("spec", MASK2FORMER, ids=lambda spec: spec.name)
def test_the_proposal_network_has_the_official_tensors(spec):
    with torch.device("meta"):
        state = build_mask2former(spec.proposals).state_dict()
    official = to_detectron2(state)
    num_entries, num_tables, millions = OFFICIAL[spec.name]
    assert len(official) == num_entries - num_tables - 1  # criterion.empty_weight
    learned = [tensor.numel() for name, tensor in official.items() if ".running_" not in name]
    assert sum(learned) / 1e6 == pytest.approx(millions, abs=0.06)
    proposals = next(source for source in spec.sources if source.part == "proposals")
    parts = 1 if spec.reads_words else 3  # sizes of MinVIS are not known: room for an optimizer
    assert proposals.approximate_bytes == pytest.approx(parts * millions * 4e6, rel=0.01)


def test_clip_has_the_published_size():
    """The published safetensors file is float32: its tensors, and a head of some 30 kB."""
    spec = CATALOG["instformer-r50"]
    with torch.device("meta"):
        state = build_clip(spec.clip).state_dict()
    source = next(source for source in spec.sources if source.part == "clip")
    stored = sum(4 * tensor.numel() for tensor in state.values())
    assert 0 < source.size_bytes - stored < 50_000
