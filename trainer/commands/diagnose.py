"""`diagnose`: the table of a run's diagnostics; with `--ablate`, what each component is worth on held-out rows."""

import argparse
import sys
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """The parser."""
    parser = commands.add_parser("diagnose", help="what the diagnostics of a run saw; what each component is worth")
    parser.add_argument("run", type=Path, help="the folder that a run wrote")
    parser.add_argument("--ablate", action="store_true", help="leave out one component after the other and evaluate")
    parser.add_argument("--checkpoint", choices=["best", "last"], default="best", help="what --ablate evaluates")


def run(arguments: argparse.Namespace) -> int:
    """0 for done."""
    from trainer.monitor.report import ablations, read_journal, report

    lines = report(read_journal(arguments.run))
    if arguments.ablate:
        lines += ["", *ablations(*_ablated(arguments.run, arguments.checkpoint))]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _ablated(folder: Path, checkpoint: str) -> Any:
    import torch

    from trainer.data import validation_batches
    from trainer.documents import find_documents
    from trainer.errors import DataError
    from trainer.generate import load_model
    from trainer.monitor.attribution import ablate

    model, trained = load_model(folder, "best" if checkpoint == "best" else "last")
    batches = validation_batches(find_documents(trained.data).validation, trained.data)
    if not batches:
        raise DataError("Nothing was held out of this run's data; set data.validation_fraction and train anew.")
    return ablate(model, batches, torch.device("cpu"))
