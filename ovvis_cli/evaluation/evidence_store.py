"""Slot evidence of one video in a temporary file, so that memory stays flat and scoring may read it twice."""

from collections.abc import Iterator
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of

from ovvis_models.scoring.evidence import SlotEvidence

_LENGTH_BYTES = 8


class EvidenceStore:
    """Append the evidence of each window, then read all of it as often as needed. A context manager."""

    def __init__(self) -> None:
        self._file = TemporaryFile(prefix="ovvis-evidence-")  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, evidence: SlotEvidence) -> None:
        """Add the evidence of the next window."""
        tensors = {
            "object_scores": evidence.object_scores,
            "object_logits": evidence.object_logits,
            "instance_tokens": evidence.instance_tokens,
            "mask_area": evidence.mask_area,
            "mask_confidence": evidence.mask_confidence,
        }
        if evidence.mask_quality is not None:
            tensors["mask_quality"] = evidence.mask_quality
        content = bytes_of({name: value.contiguous() for name, value in tensors.items()})
        self._file.write(len(content).to_bytes(_LENGTH_BYTES, "little"))
        self._file.write(content)

    def windows(self) -> Iterator[SlotEvidence]:
        """Read the evidence from the first window on."""
        self._file.seek(0)
        while length := self._file.read(_LENGTH_BYTES):
            tensors = tensors_of(self._file.read(int.from_bytes(length, "little")))
            yield SlotEvidence(
                object_scores=tensors["object_scores"],
                object_logits=tensors["object_logits"],
                instance_tokens=tensors["instance_tokens"],
                mask_quality=tensors.get("mask_quality"),
                mask_area=tensors["mask_area"],
                mask_confidence=tensors["mask_confidence"],
            )
