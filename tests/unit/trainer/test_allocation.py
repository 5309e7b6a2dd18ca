"""Memory that a step frees stays with the process: the kernel need not clear it again for the next step."""

import platform
import subprocess
import sys

import pytest

# Blocks above glibc's own largest threshold (32 MiB) are written and freed together, over and over; the heap grows for
# some rounds until they fit into what was freed.
SCRIPT = """
import resource, sys, torch
from trainer.allocation import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else None
def work():
    blocks = [torch.ones(10_000_000) for _ in range(4)]
for _ in range(8):
    work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    work()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> tuple[str, int]:
    command = [sys.executable, "-c", SCRIPT, how]
    kept, faults = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return kept, int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_memory_that_was_freed_is_not_cleared_by_the_kernel_again() -> None:
    (kept, faults), (_, usual) = page_faults("keep"), page_faults("leave")
    assert kept == "True"
    assert faults < usual / 10
