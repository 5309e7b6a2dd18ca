"""`python -m trainer.ops.cuda.gate [--write] [--brief]`: compiles kernels and holds what they take to resources.json.

Without nvcc nothing can be said: it says so, and is no failure.
"""

import argparse
import dataclasses
import json
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from trainer.ops import build
from trainer.ops.cuda.compile import ARCHITECTURES, Resources, has_kernels, resources
from trainer.ops.loader import OPERATORS

TABLE: Final = Path(__file__).parent / "resources.json"


def complaints(found: dict[str, Resources], table: dict[str, dict[str, int]]) -> list[str]:
    """One sentence for each kernel that spills, or takes more registers or shared memory than the table grants it."""
    wrong = []
    for name, took in sorted(found.items()):
        granted = table.get(name)
        if took.spilled_bytes:
            wrong.append(f"{name} spills {took.spilled_bytes} bytes")
        if granted is None:
            wrong.append(f"{name} is not in {TABLE.name}; write it with --write")
        elif took.registers > granted["registers"] or took.shared_bytes > granted["shared_bytes"]:
            wrong.append(f"{name} takes {took.registers} registers and {took.shared_bytes} bytes, more than {granted}")
    return wrong


def main() -> int:
    """0 when every kernel keeps within the table, or nothing can be said."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="take what was found into the table")
    parser.add_argument("--operators", nargs="+", default=OPERATORS)
    parser.add_argument("--architectures", nargs="+", default=ARCHITECTURES)
    parser.add_argument("--brief", action="store_true", help="a line for each operator, and what is wrong")
    arguments = parser.parse_args()
    if shutil.which("nvcc") is None:
        sys.stdout.write("nvcc was not found: the gate over the kernels for GPUs was skipped.\n")
        return 0
    operators, architectures = list(filter(has_kernels, arguments.operators)), tuple(arguments.architectures)
    try:
        with ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // len(architectures))) as pool:
            took = list(pool.map(lambda operator: resources(operator, architectures), operators))
    except build.BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    found: dict[str, Resources] = {}
    for operator, took_here in zip(operators, took, strict=True):
        most = max(one.registers for one in took_here.values())
        sys.stdout.write(f"nvcc: {operator}: {len(took_here)} kernels for sm_{', sm_'.join(architectures)}, ")
        sys.stdout.write(f"at most {most} registers\n")
        found |= took_here
    if arguments.write:
        rows = {name: dataclasses.asdict(one) for name, one in found.items()}
        before = json.loads(TABLE.read_text())
        kept = {name: row for name, row in before.items() if not name.startswith(tuple(arguments.operators))}
        TABLE.write_text(json.dumps(dict(sorted((kept | rows).items())), indent=1) + "\n")
    wrong = complaints(found, json.loads(TABLE.read_text()))
    for name, one in () if arguments.brief else sorted(found.items()):
        sys.stdout.write(
            f"{name:<56}{one.registers:>4} registers {one.shared_bytes:>6} B shared {one.stack_bytes:>4} B stack\n"
        )
    sys.stdout.write(
        "\n".join(wrong) + "\n" if wrong else f"{len(found)} kernels, no spills, all within {TABLE.name}\n"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
