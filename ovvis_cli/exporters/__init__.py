"""Export formats, one module per format. This file only names them, without importing the modules."""

from ovvis_cli.choices import ExportFormat
from ovvis_cli.record.layout import DEFAULT_NAMES

__all__ = ["DEFAULT_NAMES", "ExportFormat"]
