"""Count of the mask pixels that a format cannot keep."""

import logging

logger = logging.getLogger(__name__)


class MaskLoss:
    """Sum over the masks of one export."""

    def __init__(self) -> None:
        self.lost_px = 0
        self.total_px = 0

    def add(self, *, lost_px: int, total_px: int) -> None:
        """Count one mask, or all masks of a frame."""
        self.lost_px += lost_px
        self.total_px += total_px

    def warn(self, export_format: str, *, reason: str) -> None:
        """Log one warning with the number of lost pixels, if there are any."""
        if self.lost_px:
            percent = 100 * self.lost_px / self.total_px
            logger.warning(
                "%s: %d of %d mask pixels (%.2g %%) are lost: %s",
                export_format,
                self.lost_px,
                self.total_px,
                percent,
                reason,
            )
