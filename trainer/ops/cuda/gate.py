"""`python -m trainer.ops.cuda.gate [--write]`: compiles all kernels and compares what they take with resources.json."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Final

from trainer.ops import build
from trainer.ops.cuda.compile import ARCHITECTURES, Resources, compile_ahead, has_kernels
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
    """0 when every kernel keeps within the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="take what was found as the table")
    parser.add_argument("--architectures", nargs="+", default=ARCHITECTURES)
    arguments = parser.parse_args()
    found: dict[str, Resources] = {}
    for operator in filter(has_kernels, OPERATORS):
        try:
            content, resources = compile_ahead(operator, tuple(arguments.architectures))
        except build.BuildError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        sys.stdout.write(f"{operator}: {len(resources)} kernels, {len(content) >> 10} KiB\n")
        found |= resources
    if arguments.write:
        rows = {name: dataclasses.asdict(took) for name, took in sorted(found.items())}
        TABLE.write_text(json.dumps(rows, indent=1) + "\n")
        return 0
    wrong = complaints(found, json.loads(TABLE.read_text()))
    for name, took in sorted(found.items()):
        sys.stdout.write(
            f"{name:<56}{took.registers:>4} registers {took.shared_bytes:>6} B shared {took.stack_bytes:>4} B stack\n"
        )
    sys.stdout.write(
        "\n".join(wrong) + "\n" if wrong else f"{len(found)} kernels, no spills, all within {TABLE.name}\n"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
