"""The commands `train`, `generate` and `params`: arguments in, text out; the work is done elsewhere."""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, Final

COMMANDS: Final = ("train", "generate", "params")


def add_commands(commands: Any) -> None:
    """Adds the three to argparse's subparsers; torch is not imported for it."""
    train = commands.add_parser("train", help="train what a run.json describes; resume it where it was killed")
    train.add_argument("run", type=Path, help="the run.json")
    params = commands.add_parser("params", help="how many parameters a run.json's model has, and of what")
    params.add_argument("run", type=Path, help="the run.json")
    generate = commands.add_parser("generate", help="continue a text, or answer a question")
    generate.add_argument("run", type=Path, help="the folder that a run wrote")
    generate.add_argument("--prompt", default="", help="the text to continue (default: none)")
    generate.add_argument("--chat", action="store_true", help="the prompt is a question to be answered")
    generate.add_argument("--checkpoint", choices=["best", "last"], default="best")
    generate.add_argument("--bytes", type=int, default=256, help="at most (default 256)")
    generate.add_argument("--temperature", type=float, default=0.8, help="0 takes the most likely byte (default 0.8)")
    generate.add_argument("--top-k", type=int, default=0, help="bytes to choose among (default: all)")
    generate.add_argument("--top-p", type=float, default=1.0, help="of the probability to choose among (default: 1)")
    generate.add_argument("--seed", type=int, default=0)
    generate.add_argument("--stop", action="append", default=[], help="end before this text; may be given again")


def run(arguments: argparse.Namespace) -> int:
    """Runs the command; 0 for done, 1 with one sentence for an error, 130 for a run that was interrupted and saved."""
    from trainer.errors import TrainerError

    try:
        return {"train": _train, "generate": _generate, "params": _params}[arguments.command](arguments)
    except TrainerError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _train(arguments: argparse.Namespace) -> int:
    from trainer.config import read_run
    from trainer.loop import train

    signals: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        if signals:
            raise KeyboardInterrupt  # asked twice: at once, back to the last checkpoint
        signals.append(number)  # and nothing is written here: the signal may have come in the middle of a line

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, remember)
    progress = train(read_run(arguments.run), _say, lambda: bool(signals))
    if progress.step == progress.steps or progress.stopped:
        _say(f"done with step {progress.step} of {progress.steps}")
        return 0
    _say(f"saved step {progress.step} of {progress.steps}; the same command goes on")
    return 130


def _generate(arguments: argparse.Namespace) -> int:
    from trainer.generate import generate, load_model, prompt_ids
    from trainer.sampling import Sampling

    model, _ = load_model(arguments.run, arguments.checkpoint)
    written = generate(
        model,
        prompt_ids(arguments.prompt.encode(), chat=arguments.chat),
        most=arguments.bytes,
        sampling=Sampling(arguments.temperature, arguments.top_k, arguments.top_p),
        seed=arguments.seed,
        stops=[stop.encode() for stop in arguments.stop],
    )
    for byte in written:
        sys.stdout.buffer.write(bytes([byte]))
        sys.stdout.buffer.flush()
    sys.stdout.buffer.write(b"\n")
    return 0


def _params(arguments: argparse.Namespace) -> int:
    import torch

    from trainer.config import read_run
    from trainer.model import LanguageModel, count_parameters, expected_parameters
    from trainer.shape import shape_of

    config = read_run(arguments.run)
    shape = shape_of(config.model, config.data.context)
    with torch.device("meta"):  # counted without the memory of the weights
        counts = count_parameters(LanguageModel(shape))
    total, expected = sum(counts.values()), expected_parameters(shape)
    for name, count in counts.items():
        sys.stdout.write(f"{name:<12}{count:>16,}\n")
    sys.stdout.write(f"{'all':<12}{total:>16,}\n")
    sys.stdout.write(f"{'by formula':<12}{expected:>16,}\n")
    return 0 if total == expected else 1
