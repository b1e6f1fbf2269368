"""Settings of the C allocator: keep freed memory in the process and reuse it for the next frame.

The feature maps of a frame are tens of megabytes each. By default glibc requests blocks of that size from the
system every time, page by page, which costs up to a seventh of the time per frame on a CPU
(docs/performance.md).
"""

import ctypes
import os
from typing import Final

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
KEPT_BYTES: Final = 512 << 20  # maximum unused memory that the process keeps
LARGEST_BLOCK_BYTES: Final = 32 << 20  # glibc's maximum; larger blocks still come from the system


def keep_freed_memory() -> bool:
    """Make this process keep freed memory. Return whether the C library supports it (only glibc does).

    This affects the whole process, so the `ovvis` command calls it and `ovvis_cli.segment` does not.
    """
    if not _is_glibc():
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_MMAP_THRESHOLD, LARGEST_BLOCK_BYTES) and mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES))


def _is_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, ValueError, OSError):  # Windows, macOS, other C libraries
        return False
