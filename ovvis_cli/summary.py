"""What the console tells of a finished record: its labelled tracks, and the names that were not found."""

from dataclasses import dataclass

from ovvis_cli.exporters.colors import Rgb, track_color
from ovvis_cli.record.schema import LabelScore, RecordHeader


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRow:
    """One labelled track."""

    track_id: int
    label: str
    score: float
    first_time_s: float
    last_time_s: float
    num_frames: int
    runner_up: tuple[LabelScore, ...]
    color: Rgb  # as in the overlay


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsentName:
    """An asked name that no track has, with the score it would have got where it came closest."""

    name: str
    best_score: float  # 0 where it was not even among the runner-up names of any track


def summary_rows(header: RecordHeader) -> tuple[SummaryRow, ...]:
    """The labelled tracks, best score first."""
    rows = [
        SummaryRow(
            track_id=track.track_id,
            label=track.label,
            score=track.score,
            first_time_s=track.first_time_s,
            last_time_s=track.last_time_s,
            num_frames=track.num_frames,
            runner_up=track.runner_up,
            color=track_color(track.track_id),
        )
        for track in header.tracks
        if track.label is not None and track.score is not None
    ]
    return tuple(sorted(rows, key=lambda row: (-row.score, row.track_id)))


def absent_names(header: RecordHeader) -> tuple[AbsentName, ...]:
    """The asked names that no track has, in the order asked."""
    found = {track.label for track in header.tracks}
    best: dict[str, float] = {}
    for track in header.tracks:
        for entry in track.runner_up:
            best[entry.label] = max(entry.score, best.get(entry.label, 0.0))
    return tuple(
        AbsentName(name=name, best_score=best.get(name, 0.0))
        for name in header.vocabulary.names
        if name not in found
    )
