"""Report of one video: one HTML file with the video, the outlines of its tracks, and what is known of each.

best_frames       a read of the record decides in which frame each track is seen best
collect_material  a read of the video writes it small, and beside it outlines, crops and a poster
page              template, summary, outlines and video, one after the other
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from ovvis_cli import __version__
from ovvis_cli.atomic import atomic_path, work_folder
from ovvis_cli.exporters.colors import hex_color, track_color
from ovvis_cli.exporters.report.best_frames import BestFrame, best_frames
from ovvis_cli.exporters.report.material import Material, collect_material
from ovvis_cli.exporters.report.page import page_around_data, write_summary, write_video
from ovvis_cli.exporters.source_frames import find_source
from ovvis_cli.exporters.summary import absent_names
from ovvis_cli.exporters.tracks import best_first, labelled_tracks
from ovvis_cli.record.reader import Record
from ovvis_cli.record.schema import RecordHeader, TrackEntry

Json = dict[str, object]


def export_report(
    record: Record, output: Path, *, source: Path | None = None, progress: Callable[[int], None] | None = None
) -> Path:
    """Write the report of a record: one HTML file that needs no network and no other file.

    The video is reduced to at most 960 pixels a side, without sound. Outlines are simplified by at most one
    pixel of that size. Only labelled tracks are shown. Memory does not grow with the video: it is on disk,
    like the outlines, until the page is written.

    Args:
        record: the record to show.
        output: the HTML file to write.
        source: new path of the video if it was moved.
        progress: called with the number of finished frames.

    Raises:
        RecordError: the source is missing, was changed or cannot be read twice; or the record is damaged.
        VideoError: the source cannot be decoded, or the video of the page cannot be encoded.
        ResourceError: the disk is full or not writable.
    """
    location = find_source(record.header, moved_to=source)
    best = best_frames(record, track_ids=labelled_tracks(record.header))
    before, after = page_around_data("report.html")
    with atomic_path(output) as partial, work_folder(beside=output) as folder:
        video, outlines = folder / "video.mp4", folder / "outlines.json"
        material = collect_material(
            record, location, best=best, video=video, outlines=outlines, progress=progress
        )
        with partial.open("w", encoding="utf-8", newline="\n") as page:
            page.write(before)
            write_summary(page, _summary(record.header, best=best, material=material))
            page.write('<script type="application/json" id="frames">')
            with outlines.open(encoding="utf-8") as lines:
                page.writelines(lines)
            page.write("</script>\n")
            write_video(page, video)
            page.write(after)
    return output


def _summary(header: RecordHeader, *, best: Mapping[int, BestFrame], material: Material) -> Json:
    """Return what the page tells about the video, apart from its outlines."""
    source, analysed, vocabulary = header.source, header.analysed, header.vocabulary
    tracks = best_first(header)
    return {
        "ovvis": __version__,
        "video": Path(source.path).name,
        "width": source.width,
        "height": source.height,
        "start": analysed.start_s,
        "end": material.end_s,
        "numFrames": analysed.num_frames,
        "numUnnamed": len(header.tracks) - len(tracks),
        "model": header.model.name,
        "weights": header.model.weights_sha256,
        "names": list(vocabulary.names),
        "notFound": [{"name": entry.name, "score": entry.best_score} for entry in absent_names(header)],
        "settings": {
            **header.settings,
            "distractors": vocabulary.distractors,
            "score_threshold": vocabulary.score_threshold,
            "max_tracks": vocabulary.max_tracks,
        },
        "damage": source.damage,
        "poster": dict(material.poster),
        "tracks": [_track(track, best=best, crops=material.crops) for track in tracks],
    }


def _track(track: TrackEntry, *, best: Mapping[int, BestFrame], crops: Mapping[int, str]) -> Json:
    seen = best.get(track.track_id)
    return {
        "id": track.track_id,
        "label": track.label,
        "score": track.score,
        "objectScore": track.object_score,
        "runnerUp": [{"name": entry.label, "score": entry.score} for entry in track.runner_up],
        "first": track.first_time_s,
        "last": track.last_time_s,
        "numFrames": track.num_frames,
        "color": hex_color(track_color(track.track_id)),
        "bestTime": None if seen is None else seen.time_s,
        "bestScore": None if seen is None else seen.score,
        "crop": crops.get(track.track_id),
    }
