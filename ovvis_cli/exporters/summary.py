"""Summary of a finished record for the console: labelled tracks, and names that were not found."""

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
    """An asked name without a track, and the best score it reached."""

    name: str
    best_score: float  # 0 if it was not even a runner-up of any track


def summary_rows(header: RecordHeader) -> tuple[SummaryRow, ...]:
    """Return the labelled tracks, best score first."""
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
    """Return the asked names without a track, in the order asked."""
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


def summary_table(header: RecordHeader) -> tuple[list[str], list[list[str]]]:
    """Return column names and cells of the table of labelled tracks, in the order of `summary_rows`."""
    columns = ["track", "label", "score", "from", "to", "frames", "or else"]
    rows = [
        [
            f"#{row.track_id}",
            row.label,
            f"{row.score:.2f}",
            clock(row.first_time_s),
            clock(row.last_time_s),
            str(row.num_frames),
            ", ".join(f"{entry.label} {entry.score:.2f}" for entry in row.runner_up if entry.score >= 0.005),
        ]
        for row in summary_rows(header)
    ]
    return columns, rows


def absent_text(header: RecordHeader, *, most: int = 8) -> str | None:
    """Return one line about the names that were not found, or None."""
    absent = sorted(absent_names(header), key=lambda entry: -entry.best_score)
    if not absent:
        return None
    named = [
        f"{entry.name} (best {entry.best_score:.2f})" if entry.best_score >= 0.005 else entry.name
        for entry in absent[:most]
    ]
    others = f" and {len(absent) - most} other names" if len(absent) > most else ""
    return f"not found: {', '.join(named)}{others}"


def clock(time_s: float) -> str:
    """Format a time as minutes, seconds and tenths, with hours if needed."""
    tenths = round(time_s * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{tenths // 10:02d}.{tenths % 10}"
    return f"{hours}:{minutes:02d}:{seconds}" if hours else f"{minutes}:{seconds}"


def summary_json(header: RecordHeader) -> dict[str, list[dict[str, str | int | float]]]:
    """Return the labelled tracks and the names that were not found, for `--json`."""
    return {
        "tracks": [
            {
                "track": row.track_id,
                "label": row.label,
                "score": row.score,
                "first_time": row.first_time_s,
                "last_time": row.last_time_s,
                "num_frames": row.num_frames,
            }
            for row in summary_rows(header)
        ],
        "not_found": [{"name": entry.name, "best_score": entry.best_score} for entry in absent_names(header)],
    }
