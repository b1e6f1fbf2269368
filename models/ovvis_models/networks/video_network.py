"""The interface of all systems' networks: frames in, encoded windows out."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from jaxtyping import UInt8
from torch import Tensor, nn

from ovvis_models.networks.proposals import ProposalNetwork
from ovvis_models.structures import EncodedWindow, FramePredictions
from ovvis_models.text.encoder import TextEncoder


class VideoNetwork(nn.Module):
    """The networks of a system. `encode` is stateless and takes several windows at once."""

    proposals: ProposalNetwork

    @abstractmethod
    def encode(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> Sequence[Any]:
        """Return the encoded windows of B RGB frames of one size, on the device of the frames.

        B is a multiple of the window length, except at the end of a video.
        """


class TextNetwork(VideoNetwork):
    """Networks with a text encoder, or without one where class embeddings only come from a file."""

    text_encoder: TextEncoder | None


class FrameNetwork(VideoNetwork):
    """Networks that process each frame alone: windows of one frame."""

    @abstractmethod
    def predict(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> FramePredictions:
        """Return proposals and instance tokens of B RGB frames of one size, on the device of the frames."""

    def encode(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> tuple[EncodedWindow, ...]:
        """Return the B frames as windows of one frame."""
        return self.predict(frames).windows()
