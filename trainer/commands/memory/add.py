"""`memory add`: writes a fact beside a run's checkpoints; the model answers it from then on."""

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """The parser."""
    parser = commands.add_parser("add", help="tell the model an answer; no weight changes")
    parser.add_argument("run", type=Path, help="the folder that a run wrote")
    parser.add_argument("question")
    parser.add_argument("answer")
    parser.add_argument("--topic", default="", help="what facts are fetched by (default: none)")
    parser.add_argument(
        "--known",
        type=int,
        default=64,
        help="questions spread over the training data that facts are told apart from, beside like ones (default 64)",
    )


def run(arguments: argparse.Namespace) -> int:
    """0 for written."""
    from trainer.generate import load_model
    from trainer.memory.facts import Fact, Facts
    from trainer.memory.known import questions_like, questions_of
    from trainer.memory.saving import save
    from trainer.memory.writing import new_facts, write

    model, trained = load_model(arguments.run)
    facts = model.recall if isinstance(model.recall, Facts) else None
    if facts is None:
        facts = new_facts(model, questions_of(trained.data, arguments.known))
    like = questions_like(trained.data, [arguments.question])
    facts.known = list(dict.fromkeys([*facts.known, *like]))
    write(model, facts, [Fact(arguments.question, arguments.answer, arguments.topic)])
    save(model, facts, arguments.run)
    return 0
