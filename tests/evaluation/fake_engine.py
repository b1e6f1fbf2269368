"""An engine without networks: it sees exactly what `building.write_data_set` has drawn."""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np

from ovvis_cli.record.schema import ModelInfo
from ovvis_models.structures import FrameResult, TrackSummary, VideoResult

TOKEN_DIM = 4


class FakeEngine:
    """Brightness 60 is track 1, which looks like class 0; brightness 120 is track 2, like class 1."""

    def __init__(self, *, stop_after: int | None = None, sha256: str = "0" * 64) -> None:
        self.model_info = ModelInfo(name="fake", weights_sha256=sha256)
        spec = SimpleNamespace(name="fake", reads_words=True, window=1)
        self.model = SimpleNamespace(spec=spec)
        self.rules = "product"
        self.settings: dict[str, str] = {"device": "cpu", "precision": "fp32"}
        self.num_segmenters = 0
        self._stop_after = stop_after

    def new_segmenter(self) -> "FakeSegmenter":
        """Raises KeyboardInterrupt at the video where this engine is to be stopped."""
        if self.num_segmenters == self._stop_after:
            raise KeyboardInterrupt
        self.num_segmenters += 1
        return FakeSegmenter()

    def encode(self, segmenter: "FakeSegmenter", images: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        """Return the images: each is a window."""
        return list(images)


class FakeSegmenter:
    """Tracks are brightnesses."""

    def __init__(self) -> None:
        self._num_frames = 0
        self._seen: set[int] = set()

    def step(self, image: np.ndarray, frame_indices: Sequence[int]) -> SimpleNamespace:
        """Return every brightness that is there."""
        levels = [level for level in np.unique(image[..., 0]).tolist() if level]
        self._seen.update(levels)
        self._num_frames += 1
        result = FrameResult(
            frame_index=frame_indices[0],
            track_ids=np.array([level // 60 for level in levels], dtype=np.int64),
            scores=np.full(len(levels), 0.8, dtype=np.float32),
            masks=np.stack([image[..., 0] == level for level in levels])
            if levels
            else np.zeros((0, *image.shape[:2]), dtype=bool),
        )
        return SimpleNamespace(frames=(result,))

    def finish(self) -> VideoResult:
        """One token a track: the axis of its class."""
        tracks = tuple(
            TrackSummary(
                track_id=level // 60,
                object_score=0.8,
                first_frame=0,
                last_frame=self._num_frames - 1,
                num_frames=self._num_frames,
                instance_token=np.eye(TOKEN_DIM, dtype=np.float32)[level // 60 - 1],
            )
            for level in sorted(self._seen)
        )
        return VideoResult(num_frames=self._num_frames, tracks=tracks)
