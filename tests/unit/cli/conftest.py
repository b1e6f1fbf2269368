"""A real InstFormer of the smallest size, untrained: its masks are noise, but exactly reproducible noise."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from ovvis_cli.inference.engine import Engine
from ovvis_cli.inference.job import AnalyseOptions, plan_job
from ovvis_cli.labelling.class_query import ClassQuery
from ovvis_cli.labelling.class_rows import ClassRows
from ovvis_cli.record.schema import VocabularyInfo
from ovvis_models.loading import LoadedModel
from ovvis_models.networks.clip import ClipSpec, TextSpec, VisionSpec
from ovvis_models.systems.instformer_models import INSTFORMER_TINY
from ovvis_models.systems.spec import TrackerChoice
from ovvis_models.trackers.assignment import AssociationRules

FRAME_HW = (40, 56)
NUM_FRAMES = 7
EMBED_DIM = 16


@pytest.fixture(scope="session")
def tiny_model():
    torch.manual_seed(11)
    spec = replace(
        INSTFORMER_TINY,
        proposals=replace(
            INSTFORMER_TINY.proposals,
            width=32,
            encoder_layers=1,
            decoder_layers=1,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            num_queries=5,
        ),
        clip=ClipSpec(
            embed_dim=EMBED_DIM,
            vision=VisionSpec(image_size=32, patch_size=16, width=32, layers=1, head_width=16),
            text=TextSpec(context_length=16, vocab_size=49408, width=16, heads=2, layers=1),
            quick_gelu=False,
        ),
        proposal_input=replace(INSTFORMER_TINY.proposal_input, short_side=64, max_side=128),
        clip_input=replace(INSTFORMER_TINY.clip_input, short_side=32, max_side=64),
        association=replace(
            INSTFORMER_TINY.association,
            hidden_dim=8,
            rules=AssociationRules(match_threshold=0.97, birth_threshold=0.0, max_unseen=2),
            score_floor=0.0,
            duplicate_overlap=0.99,
        ),
    )
    network = spec.build().eval().requires_grad_(False)
    torch.nn.init.normal_(network.tracker.to_change.weight, std=0.05)
    return LoadedModel(spec=spec, network=network, weights_sha256="ab" * 32)


@pytest.fixture
def engine(tiny_model):
    return Engine(
        model=tiny_model,
        device=torch.device("cpu"),
        precision="fp32",
        tracker=TrackerChoice(name="rollout"),
        classifier="instclip",
        rules="product",
    )


@pytest.fixture(scope="session")
def query():
    embeds = torch.nn.functional.normalize(
        torch.randn((4, EMBED_DIM), generator=torch.Generator().manual_seed(2))
    )
    return ClassQuery(
        vocabulary=VocabularyInfo(
            names=("dog", "cat"), category_ids=(1, 2), distractors=True, score_threshold=0.0, max_tracks=None
        ),
        rows=ClassRows(embeds=embeds, logit_scale=20.0),
    )


@pytest.fixture(scope="session")
def video(tmp_path_factory):
    """A folder of images, which is the video that is quickest to make."""
    folder = tmp_path_factory.mktemp("video")
    write_images(folder, [FRAME_HW] * NUM_FRAMES)
    return folder


def write_images(folder, sizes):
    rng = np.random.default_rng(1)
    shape = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    for index, (height, width) in enumerate(sizes):
        picture = cv2.resize(shape, (width, height), interpolation=cv2.INTER_CUBIC)
        picture = np.roll(picture, 3 * index, axis=1)
        assert cv2.imwrite(str(folder / f"{index:03}.png"), picture)


@pytest.fixture
def job(engine, video):
    return plan_job(str(video), engine=engine, options=AnalyseOptions(batch_size=2))
