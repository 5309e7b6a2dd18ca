"""`python -m trainer.ops.cuda.package`: compiles all kernels ahead of time, for a wheel that needs no compiler.

Where nvcc is missing it says so and leaves the kernels to NVRTC on the user's machine: a wheel is built in either case.
"""

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

from trainer.ops import build
from trainer.ops.cuda.compile import ARCHITECTURES, PACKAGE, compile_ahead, has_kernels, packaged
from trainer.ops.loader import OPERATORS


def main() -> int:
    """Replaces what was packaged before; 1 where nvcc is there and refuses a source."""
    shutil.rmtree(PACKAGE, ignore_errors=True)
    if shutil.which("nvcc") is None:
        sys.stdout.write("nvcc was not found: kernels for GPUs are not packaged, NVRTC compiles them at first use.\n")
        return 0
    PACKAGE.mkdir()
    operators = list(filter(has_kernels, OPERATORS))
    try:
        with ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // len(ARCHITECTURES))) as pool:
            made = list(pool.map(compile_ahead, operators))
    except build.BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for operator, (content, kernels) in zip(operators, made, strict=True):
        packaged(operator).write_bytes(content)
        sys.stdout.write(f"{operator}: {len(kernels)} kernels for sm_{', sm_'.join(ARCHITECTURES)}, ")
        sys.stdout.write(f"{len(content) >> 10} KiB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
