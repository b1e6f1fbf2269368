"""Labelled tracks and categories of a record, shared by several formats."""

from ovvis_cli.record.schema import RecordHeader, TrackEntry

VIDEO_ID = 1  # a record is one video


def labelled_tracks(header: RecordHeader) -> dict[int, TrackEntry]:
    """Return the tracks with a label by track id, in the order of the record."""
    return {track.track_id: track for track in header.tracks if track.label is not None}


def best_first(header: RecordHeader) -> list[TrackEntry]:
    """Return the tracks with a label, the highest score first."""
    tracks = labelled_tracks(header).values()
    return sorted(tracks, key=lambda track: (-(track.score or 0.0), track.track_id))


def category_ids(header: RecordHeader) -> dict[str, int]:
    """Return the category id of each name, in the order asked."""
    return dict(zip(header.vocabulary.names, header.vocabulary.category_ids, strict=True))


def categories(header: RecordHeader) -> list[dict[str, int | str]]:
    """Return the `categories` list of the COCO family of formats."""
    return [
        {"id": number, "name": name, "supercategory": ""} for name, number in category_ids(header).items()
    ]
