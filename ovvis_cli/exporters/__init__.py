"""One file a format. This file only names the formats, without importing what writes them."""

from ovvis_cli.choices import ExportFormat
from ovvis_cli.record.layout import DEFAULT_NAMES

__all__ = ["DEFAULT_NAMES", "ExportFormat"]
