"""One model and one request, at work on one video after another, wherever videos and results are.

For a video or a results folder at an address such as `s3://bucket/clips`:

    skip if the result is there -> fetch the video -> segment in scratch space -> store the result

An interrupted video stays in scratch space, so that the same command resumes it on this machine.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ovvis_cli.batch.addresses import is_storage
from ovvis_cli.batch.one_video import RunOptions, VideoRun, segment_video
from ovvis_cli.batch.request import SegmentRequest, analyse_options
from ovvis_cli.batch.scratch import Scratch
from ovvis_cli.batch.storage import Storage, StoredFile
from ovvis_cli.console import Console
from ovvis_cli.errors import OvvisError, RecordError
from ovvis_cli.exporters import DEFAULT_NAMES, ExportFormat
from ovvis_cli.inference.engine import Engine
from ovvis_cli.inference.job import common_settings
from ovvis_cli.labelling.class_query import ClassQuery
from ovvis_cli.record.reader import Record
from ovvis_cli.record.schema import HEADER_NAME, RecordHeader
from ovvis_cli.record.serialise import header_from_text
from ovvis_cli.video.inputs import Source
from ovvis_cli.video.location import Location, parse_location


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where results go, and where videos and results of a storage are kept meanwhile."""

    output: str  # a folder, or an address
    scratch: Scratch


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchWorker:
    """Segments the videos of a request. Safe to use from several threads, which share the model."""

    engine: Engine
    query: ClassQuery
    options: RunOptions
    places: Places

    def segment(
        self, source: Source, *, console: Console, on_step: Callable[[], None] | None = None
    ) -> VideoRun:
        """Segment one video; a result at an address is there whole, or not at all.

        Raises:
            OvvisError: what `segment_video` raises; or the storage cannot be reached.
        """

        def segment_here(options: RunOptions, fetched: Location | None) -> VideoRun:
            return segment_video(
                source,
                engine=self.engine,
                query=self.query,
                options=options,
                console=console,
                on_step=on_step,
                fetched=fetched,
            )

        if not is_storage(source.location.text):
            return self._segment_and_store(source, fetched=None, segment_here=segment_here)
        storage = Storage(source.location.text)
        file = storage.info()
        done = self._result_of(source, file)
        if done is not None:
            return done
        with self.places.scratch.reserved(file.size_bytes, address=file.address):
            folder = self.places.scratch.video_folder(file.address)
            path = folder / PurePosixPath(file.address).name
            if not _is_fetched(path, file):
                storage.fetch(file, path)
            try:
                run = self._segment_and_store(source, fetched=parse_location(path), segment_here=segment_here)
            except OvvisError:
                shutil.rmtree(folder, ignore_errors=True)  # after Ctrl-C it stays
                raise
            shutil.rmtree(folder, ignore_errors=True)
            return run

    def _segment_and_store(
        self,
        source: Source,
        *,
        fetched: Location | None,
        segment_here: Callable[[RunOptions, Location | None], VideoRun],
    ) -> VideoRun:
        output = self.places.output
        if not is_storage(output):
            return segment_here(self.options, fetched)
        results, storage = self.places.scratch.results_folder(output), Storage(output)
        folder = results / source.name
        is_copy = not (self.options.overwrite or folder.exists()) and self._header(source) is not None
        if is_copy:
            storage.fetch_folder(source.name, folder)  # perhaps only labels or exports are missing
        try:
            run = segment_here(replace(self.options, output=results), fetched)
        except OvvisError:
            if is_copy:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        storage.store_folder(folder, source.name)
        shutil.rmtree(folder, ignore_errors=True)
        return replace(
            self._finished_run(run.header, source=source, formats=tuple(run.files)),
            num_analysed=run.num_analysed,
            analysis_s=run.analysis_s,
            export_s=run.export_s,
        )

    def _result_of(self, source: Source, file: StoredFile) -> VideoRun | None:
        """Return the result at the output if it is exactly what would be made; the video is not fetched."""
        analysis, formats = self.options.analysis, self.options.formats
        header = self._header(source)
        if header is None or self.options.overwrite or analysis.rate is not None:
            return None
        is_same = (
            header.source.path == file.address
            and (header.source.size_bytes, header.source.modified_ns) == (file.size_bytes, file.modified_ns)
            and header.model == self.engine.model_info
            and dict(header.settings) == common_settings(self.engine, analysis)
            and header.vocabulary == self.query.vocabulary
            and set(formats) <= set(header.saved)
        )
        run = self._finished_run(header, source=source, formats=formats)
        has_files = is_storage(self.places.output) or all(Path(path).exists() for path in run.files.values())
        return run if is_same and has_files else None

    def _header(self, source: Source) -> RecordHeader | None:
        """Return the record of a video at the output, or None without a readable one."""
        if not is_storage(self.places.output):
            try:
                return Record.open(Path(self.places.output) / source.name).header
            except RecordError:
                return None
        path = f"{source.name}/{HEADER_NAME}"
        text = Storage(self.places.output).read(path)
        try:
            return None if text is None else header_from_text(text, where=f"{self.places.output}/{path}")
        except RecordError:
            return None

    def _finished_run(
        self, header: RecordHeader, *, source: Source, formats: tuple[ExportFormat, ...]
    ) -> VideoRun:
        folder = f"{self.places.output.rstrip('/')}/{source.name}"
        return VideoRun(
            header=header,
            folder=folder,
            files={name: f"{folder}/{DEFAULT_NAMES[name]}" for name in formats},
            num_analysed=0,
            analysis_s=0.0,
            export_s=0.0,
        )


def run_options(request: SegmentRequest, *, output: str) -> RunOptions:
    """Return the options for every video. Raises UsageError if a value is out of range."""
    return RunOptions(
        output=Path(output),
        formats=request.formats,
        analysis=analyse_options(request),
        overwrite=request.overwrite,
    )


def _is_fetched(path: Path, file: StoredFile) -> bool:
    if not path.is_file():
        return False
    stat = path.stat()
    return (stat.st_size, stat.st_mtime_ns) == (file.size_bytes, file.modified_ns)
