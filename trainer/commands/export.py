"""`export`: a trained run in the layout of another program."""

import argparse
import sys
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """The parser."""
    parser = commands.add_parser("export", help="write a trained model in the layout of another program")
    parser.add_argument("run", type=Path, help="the folder that a run wrote")
    parser.add_argument(
        "--format",
        choices=["safetensors", "hf", "llama", "rwkv", "gguf"],
        default="safetensors",
        help="hf: the architecture of the transformers library that fits (default safetensors: any model, our names)",
    )
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--checkpoint", choices=["best", "last"], default="best")


def run(arguments: argparse.Namespace) -> int:
    """0; what does not fit is an error with its reason."""
    from trainer.export.write import export
    from trainer.generate import load_model

    model, trained = load_model(arguments.run, arguments.checkpoint)
    for path in export(model, trained, arguments.format, arguments.out):
        sys.stdout.write(f"{path}\n")
    return 0
