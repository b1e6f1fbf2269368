"""What several formats need of a record's tracks: which are shown, their categories, their label in words."""

from ovvis_cli.record.schema import RecordHeader, TrackEntry

VIDEO_ID = 1  # a record is one video


def labelled_tracks(header: RecordHeader) -> dict[int, TrackEntry]:
    """The tracks that an asked name won, by track id, in its order."""
    return {track.track_id: track for track in header.tracks if track.label is not None}


def category_ids(header: RecordHeader) -> dict[str, int]:
    """1-based category ids, in the order in which the names were asked."""
    return {name: number for number, name in enumerate(header.vocabulary.names, start=1)}


def categories(header: RecordHeader) -> list[dict[str, int | str]]:
    """The `categories` list of the COCO family of formats."""
    return [
        {"id": number, "name": name, "supercategory": ""} for name, number in category_ids(header).items()
    ]
