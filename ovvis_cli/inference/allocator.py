"""What the C library does with memory that was freed: keep it for the next frame, instead of giving it back.

The maps of a frame are tens of megabytes each. By its defaults glibc takes such memory from the system anew
each time, page by page, which costs up to a seventh of a frame on a CPU (docs/performance.md).
"""

import ctypes
import os
from typing import Final

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
KEPT_BYTES: Final = 512 << 20  # at most so much unused memory stays with the process
LARGEST_BLOCK_BYTES: Final = 32 << 20  # the most that glibc accepts; larger blocks still come from the system


def keep_freed_memory() -> bool:
    """Tells the C library of this process; True where it listens: glibc only.

    For a process of one's own: the `ovvis` command calls it, `ovvis_cli.segment` does not.
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
