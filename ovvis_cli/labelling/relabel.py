"""Relabelling: new labels from the stored instance tokens of a video, without running the networks."""

from dataclasses import replace

import torch

from ovvis_cli.errors import RecordError
from ovvis_cli.labelling.class_query import ClassQuery
from ovvis_cli.record.layout import remove_exports
from ovvis_cli.record.reader import Record, TrackTokens
from ovvis_cli.record.schema import TrackEntry, TrackLabel


def relabel(record: Record, query: ClassQuery) -> Record:
    """Return the record with labels of another vocabulary; masks and track ids are unchanged.

    Exports with the old labels are removed first, so that an interruption never leaves labels of two
    vocabularies side by side; `ensure_exports(record, saved_formats(record))` writes them again.

    Raises:
        RecordError: the tokens are damaged, or are from a model with another embedding width.
        ResourceError: the disk is full or not writable.
    """
    stored = record.tokens()
    width, text_width = stored.tokens.shape[1], query.rows.embeds.shape[1]
    if stored.track_ids.size and width != text_width:
        raise RecordError(
            f"{record.folder}: tokens have {width} dimensions, but the text embeddings have {text_width}",
            hint=f"use the model that made the record: {record.header.model.name}",
        )
    labels = _labels(stored, query)
    tracks = tuple(_relabelled(track, labels=labels, record=record) for track in record.header.tracks)
    remove_exports(record.folder, record.header.saved)
    return record.with_header(replace(record.header, vocabulary=query.vocabulary, tracks=tracks))


def _labels(stored: TrackTokens, query: ClassQuery) -> dict[int, TrackLabel]:
    answers = query.label(torch.from_numpy(stored.tokens), torch.from_numpy(stored.object_scores))
    return dict(zip(stored.track_ids.tolist(), answers, strict=True))


def _relabelled(track: TrackEntry, *, labels: dict[int, TrackLabel], record: Record) -> TrackEntry:
    if track.track_id not in labels:
        raise RecordError(
            f"{record.folder}: no token for track {track.track_id}",
            hint="the record is damaged; run ovvis segment again with --overwrite",
        )
    label = labels[track.track_id]
    return replace(track, label=label.label, score=label.score, runner_up=label.runner_up)
