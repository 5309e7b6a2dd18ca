"""`generate`: continues a text, or answers a question, byte by byte on the terminal."""

import argparse
import sys
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """The parser."""
    parser = commands.add_parser("generate", help="continue a text, or answer a question")
    parser.add_argument("run", type=Path, help="the folder that a run wrote")
    parser.add_argument("--prompt", default="", help="the text to continue (default: none)")
    parser.add_argument("--chat", action="store_true", help="the prompt is a question to be answered")
    parser.add_argument("--checkpoint", choices=["best", "last"], default="best")
    parser.add_argument("--bytes", type=int, default=256, help="at most (default 256)")
    parser.add_argument("--temperature", type=float, default=0.8, help="0 takes the most likely byte (default 0.8)")
    parser.add_argument("--top-k", type=int, default=0, help="bytes to choose among (default: all)")
    parser.add_argument("--top-p", type=float, default=1.0, help="of the probability to choose among (default: 1)")
    parser.add_argument("--min-p", type=float, default=0.0, help="of the likeliest byte's probability (default: 0)")
    parser.add_argument("--repetition-penalty", type=float, default=1.0, help="on what was written (default: 1, none)")
    parser.add_argument("--weights", choices=["float32", "int8", "eager"], default="float32", help="(default float32)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stop", action="append", default=[], help="end before this text; may be given again")


def run(arguments: argparse.Namespace) -> int:
    """0 for done."""
    from trainer.decode.choose import decoder_for
    from trainer.generate import generate, load_model, prompt_ids
    from trainer.sampling import Sampling

    model, _ = load_model(arguments.run, arguments.checkpoint)
    written = generate(
        model,
        prompt_ids(arguments.prompt.encode(), chat=arguments.chat),
        most=arguments.bytes,
        sampling=Sampling(
            arguments.temperature,
            arguments.top_k,
            arguments.top_p,
            arguments.min_p,
            arguments.repetition_penalty,
        ),
        seed=arguments.seed,
        stops=[stop.encode() for stop in arguments.stop],
        decoder=decoder_for(model, arguments.weights),
    )
    for byte in written:
        sys.stdout.buffer.write(bytes([byte]))
        sys.stdout.buffer.flush()
    sys.stdout.buffer.write(b"\n")
    return 0
