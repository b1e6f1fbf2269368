"""Benchmark workload: a drawn video, a model with random weights, a vocabulary of any size."""

from pathlib import Path
from typing import Final

import torch

from ovvis_cli.diorama.kinds import ALL_KINDS
from ovvis_cli.diorama.writer import ClipShape, write_video
from ovvis_cli.labelling.class_query import ClassQuery
from ovvis_cli.labelling.class_rows import ClassRows
from ovvis_cli.record.schema import VocabularyInfo
from ovvis_models.catalog import find_spec
from ovvis_models.loading import LoadedModel, ready

_SEED: Final = 7
_NUM_OBJECTS: Final = 6
_LOGIT_SCALE: Final = 100.0


def drawn_video(folder: Path, *, frame_hw: tuple[int, int], num_frames: int) -> Path:
    """Write an MP4 of moving objects of the diorama."""
    path = folder / "benchmark.mp4"
    shape = ClipShape(frame_hw=frame_hw, num_frames=num_frames)
    write_video(path, cast=ALL_KINDS[:_NUM_OBJECTS], seed=_SEED, shape=shape)
    return path


def random_model(name: str) -> LoadedModel:
    """Build a model of the catalog with random weights, the same in each run.

    Raises:
        UnknownModelError: no model has that name.
    """
    spec = find_spec(name)
    torch.manual_seed(_SEED)
    return LoadedModel(spec=spec, network=ready(spec.build()), weights_sha256="0" * 64)


def random_names(model: LoadedModel, *, count: int) -> ClassQuery:
    """Return a vocabulary of `count` random directions; scoring takes as long as with real names."""
    generator = torch.Generator().manual_seed(_SEED)
    embeds = torch.randn(count, model.spec.token_dim, generator=generator)
    vocabulary = VocabularyInfo(
        names=tuple(f"name {number}" for number in range(1, count + 1)),
        category_ids=tuple(range(1, count + 1)),
        distractors=False,
        score_threshold=0.0,
        max_tracks=None,
    )
    rows = ClassRows(embeds=torch.nn.functional.normalize(embeds, dim=-1), logit_scale=_LOGIT_SCALE)
    return ClassQuery(vocabulary=vocabulary, rows=rows)
