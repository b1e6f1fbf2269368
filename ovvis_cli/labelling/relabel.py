"""Other words for the same video: labels from the stored instance tokens, without running the networks."""

from dataclasses import replace

import torch

from ovvis_cli.errors import RecordError
from ovvis_cli.labelling.class_query import ClassEmbeds, label_tracks
from ovvis_cli.record.layout import remove_exports
from ovvis_cli.record.reader import Record, TrackTokens
from ovvis_cli.record.schema import TrackEntry, TrackLabel, VocabularyInfo


def relabel(record: Record, *, vocabulary: VocabularyInfo, embeds: ClassEmbeds) -> Record:
    """The record with the labels of another vocabulary; masks and track ids stay.

    Exports that showed the former labels are removed first, so that a stop in between never leaves labels of
    two vocabularies side by side; `ensure_exports(record, saved_formats(record))` makes them anew.

    Raises:
        RecordError: the tokens are damaged, or were made by a model of another embedding width.
        ResourceError: the disk is full or not writable.
    """
    stored = record.tokens()
    width, text_width = stored.tokens.shape[1], embeds.class_embeds.shape[1]
    if stored.track_ids.size and width != text_width:
        raise RecordError(
            f"{record.folder}: tokens are {width} wide, the text embeddings {text_width}",
            hint=f"use the model that made the record: {record.header.model.name}",
        )
    labels = _labels(stored, embeds=embeds, vocabulary=vocabulary)
    tracks = tuple(_relabelled(track, labels=labels, record=record) for track in record.header.tracks)
    remove_exports(record.folder, record.header.saved)
    return record.with_header(replace(record.header, vocabulary=vocabulary, tracks=tracks))


def _labels(stored: TrackTokens, *, embeds: ClassEmbeds, vocabulary: VocabularyInfo) -> dict[int, TrackLabel]:
    answers = label_tracks(
        torch.from_numpy(stored.tokens),
        object_scores=torch.from_numpy(stored.object_scores),
        class_embeds=embeds.class_embeds.detach().cpu(),
        num_asked=embeds.num_asked,
        logit_scale=embeds.logit_scale,
        names=vocabulary.names,
        class_exponent=embeds.class_exponent,
        score_threshold=vocabulary.score_threshold,
        max_tracks=vocabulary.max_tracks,
    )
    return dict(zip(stored.track_ids.tolist(), answers, strict=True))


def _relabelled(track: TrackEntry, *, labels: dict[int, TrackLabel], record: Record) -> TrackEntry:
    if track.track_id not in labels:
        raise RecordError(
            f"{record.folder}: no token for track {track.track_id}",
            hint="the record is damaged; run ovvis segment again with --overwrite",
        )
    label = labels[track.track_id]
    return replace(track, label=label.label, score=label.score, runner_up=label.runner_up)
