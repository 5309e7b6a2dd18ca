"""`python -m trainer COMMAND`: hands the command line to the command's module; it computes nothing itself."""

import argparse
import sys

from trainer import commands
from trainer.errors import TrainerError


def main() -> int:
    """Runs one command; returns its exit code, or 1 after one sentence that says what mends an error."""
    parser = argparse.ArgumentParser(prog="python -m trainer", description="A laboratory for tiny byte-level models.")
    commands.add_all(commands, parser.add_subparsers(dest="command", required=True))
    arguments = parser.parse_args()
    try:
        return commands.run(commands, arguments.command, arguments)
    except TrainerError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
