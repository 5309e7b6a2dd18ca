"""`python -m trainer COMMAND`: hands the command line to the command's module; it computes nothing itself."""

import argparse
import sys

from trainer import cli


def main() -> int:
    """Runs one command; returns the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m trainer", description="A laboratory for tiny byte-level models.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("doctor", help="which implementation of each operator runs here, and why")
    bench = commands.add_parser("bench", help="correctness first, then the clock")
    bench.add_argument("what", choices=["ops"])
    bench.add_argument("--repetitions", type=int, default=7, help="timed calls of each implementation (default 7)")
    bench.add_argument("--without-loops", action="store_true", help="leave out the two loops, which take seconds")
    cli.add_commands(commands)
    arguments = parser.parse_args()
    if arguments.command in cli.COMMANDS:
        return cli.run(arguments)
    if arguments.command == "doctor":
        from trainer import doctor

        return doctor.main()
    from trainer.bench import ops

    return ops.main(arguments.repetitions, loops=not arguments.without_loops)


if __name__ == "__main__":
    sys.exit(main())
