"""Makes the C library keep the memory that a step frees for the next step; where that library is not glibc, nothing.

glibc gives large blocks back to the kernel when they are freed, and a training step frees all that it allocated: the
next one waits for the kernel to clear as many pages again (40,000 in a step of 8,192 ids of a 1M model, see LOG.md).
"""

import ctypes
import sys
from typing import Final

# Of malloc.h (mallopt(3)). A block above the mapping threshold is a mapping of its own, unmapped when it is freed; free
# memory above the trimming threshold at the heap's end is given back.
_TRIM_THRESHOLD: Final = -1
_MAPPING_THRESHOLD: Final = -3
_MOST: Final = 2**30  # bytes; the largest tensors still come and go as mappings


def keep_freed_memory() -> bool:
    """For this process, from now on; whether the C library could be told."""
    if not sys.platform.startswith("linux"):
        return False
    tell = getattr(ctypes.CDLL(None), "mallopt", None)
    return tell is not None and bool(tell(_MAPPING_THRESHOLD, _MOST)) and bool(tell(_TRIM_THRESHOLD, 2**31 - 1))
