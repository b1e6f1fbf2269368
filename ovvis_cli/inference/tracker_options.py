"""Tracker options as the user gives them, before the model is known."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ovvis_cli.choices import MemoryWindows
from ovvis_cli.errors import UsageError

if TYPE_CHECKING:
    from ovvis_models.systems.spec import ModelSpec, Rules, TrackerChoice, TrackerName


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerOptions:
    """A tracker and its options; None means the default of the model or the tracker."""

    name: "TrackerName | None" = None
    momentum: float | None = None
    num_frames: int | None = None
    num_chosen: int | None = None
    memory_windows: MemoryWindows | None = None

    def resolve(self, spec: "ModelSpec", rules: "Rules") -> "TrackerChoice":
        """Return the tracker for a model with all its numbers filled in.

        Raises:
            UsageError: the tracker does not go with the model, an option belongs to another tracker, or K is
                larger than T.
        """
        from ovvis_models.systems.spec import TrackerChoice

        name = self.name or spec.default_tracker(rules)
        if name not in spec.trackers:
            raise UsageError(
                f"{spec.name} does not support --tracker {name}", hint=f"choose {' or '.join(spec.trackers)}"
            )
        self._check(name)
        default = TrackerChoice(name=name)
        choice = TrackerChoice(
            name=name,
            momentum=default.momentum if self.momentum is None else self.momentum,
            num_frames=default.num_frames if self.num_frames is None else self.num_frames,
            num_chosen=default.num_chosen if self.num_chosen is None else self.num_chosen,
            memory_windows=self._memory_windows(name, rules),
        )
        if choice.num_chosen > choice.num_frames:
            raise UsageError(
                f"--top-k-chosen {choice.num_chosen} is larger than --top-k-frames {choice.num_frames}"
            )
        return choice

    def _check(self, name: "TrackerName") -> None:
        options = (
            (self.momentum, "--momentum", "momentum"),
            (self.num_frames, "--top-k-frames", "top-k"),
            (self.num_chosen, "--top-k-chosen", "top-k"),
            (self.memory_windows, "--memory-windows", "propagation"),
        )
        for value, option, owner in options:
            if value is not None and owner != name:
                raise UsageError(
                    f"{option} does not apply to --tracker {name}", hint=f"it belongs to --tracker {owner}"
                )

    def _memory_windows(self, name: "TrackerName", rules: "Rules") -> int | None:
        """Return the number of windows in memory; None for all, and for trackers without this memory."""
        from ovvis_models.systems.spec import default_memory_windows

        if name != "propagation" or self.memory_windows == "all":
            return None
        return default_memory_windows(rules) if self.memory_windows is None else self.memory_windows
