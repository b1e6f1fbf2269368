"""Export formats, one module per format. This file only names them, without importing the modules."""

from typing import Final

from ovvis_cli.choices import ExportFormat
from ovvis_cli.record.layout import DEFAULT_NAMES

__all__ = ["DEFAULT_NAMES", "VIDEO_FORMATS", "ExportFormat"]

VIDEO_FORMATS: Final[frozenset[ExportFormat]] = frozenset({"overlay", "report"})
"""Formats that need the video again, and time for each of its frames."""
