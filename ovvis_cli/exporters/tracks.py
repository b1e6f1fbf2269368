"""What several formats need of a record's tracks: which are shown, their categories, their label in words."""

from ovvis_cli.record.schema import RecordHeader, TrackEntry

VIDEO_ID = 1  # a record is one video


def labelled_tracks(header: RecordHeader) -> dict[int, TrackEntry]:
    """The tracks that an asked name won, by track id, in its order."""
    return {track.track_id: track for track in header.tracks if track.label is not None}


def category_ids(header: RecordHeader) -> dict[str, int]:
    """The category id of each name, in the order in which the names were asked."""
    return dict(zip(header.vocabulary.names, header.vocabulary.category_ids, strict=True))


def categories(header: RecordHeader) -> list[dict[str, int | str]]:
    """The `categories` list of the COCO family of formats."""
    return [
        {"id": number, "name": name, "supercategory": ""} for name, number in category_ids(header).items()
    ]
