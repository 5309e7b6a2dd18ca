"""`serve`: a trained model behind OpenAI's interface."""

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """The parser."""
    parser = commands.add_parser("serve", help="serve a trained model as OpenAI's API does")
    parser.add_argument("run", type=Path, help="the folder that a run wrote; its name is the model's name")
    parser.add_argument("--host", default="127.0.0.1", help="(default 127.0.0.1; nobody is asked for a key)")
    parser.add_argument("--port", type=int, default=8765, help="0 takes a free one (default 8765)")
    parser.add_argument("--checkpoint", choices=["best", "last"], default="best")
    parser.add_argument("--weights", choices=["auto", "float32", "int8", "eager"], default="auto", help="auto is int8")
    parser.add_argument("--draft", choices=["none", "heads", "lookup"], default="none", help="guess ids ahead")
    parser.add_argument("--active", type=int, default=8, help="requests that take turns; 64 more wait (default 8)")
    parser.add_argument("--cache", type=int, default=256, help="MiB for the beginnings of prompts (default 256)")


def run(arguments: argparse.Namespace) -> int:
    """0 when it was told to stop."""
    from trainer.serve.server import serve

    serve(
        arguments.run,
        arguments.checkpoint,
        arguments.host,
        arguments.port,
        weights=arguments.weights,
        draft=arguments.draft,
        active=arguments.active,
        cache=arguments.cache,
    )
    return 0
