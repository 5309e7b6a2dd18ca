"""`eval`: own models, endpoints and baselines answer the same questions and stand in one table."""

import argparse
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.errors import ConfigError

if TYPE_CHECKING:
    import httpx

    from trainer.evaluation.candidate import Candidate
    from trainer.evaluation.questions import Question
    from trainer.evaluation.telling import Telling


def add(commands: Any) -> None:
    """The parser."""
    parser = commands.add_parser("eval", help="ask models, endpoints and baselines the questions of a dataset")
    parser.add_argument("runs", type=Path, nargs="*", metavar="RUN", help="folders that runs wrote")
    parser.add_argument("--dataset", type=Path, required=True, help="the ghostd dataset whose questions are asked")
    parser.add_argument("--out", type=Path, default=Path("evaluation"), help="for report and answers (./evaluation)")
    parser.add_argument("--endpoint", action="append", default=[], metavar="URL", help="an OpenAI-compatible base URL")
    parser.add_argument("--model", action="append", default=[], metavar="NAME", help="one for each --endpoint")
    parser.add_argument("--key", default="OPENAI_API_KEY", metavar="VARIABLE", help="environment variable of the key")
    parser.add_argument("--system", metavar="TEXT", help="said to endpoints before each question; '' for nothing")
    parser.add_argument("--parallel", type=int, default=1, help="questions an endpoint is asked at once (default 1)")
    parser.add_argument("--baselines", action="store_true", help="also an n-gram model and each run's untrained model")
    parser.add_argument(
        "--tell",
        type=int,
        default=0,
        metavar="N",
        help="tell each run's fact memory N withheld answers, and ask it with its memory on and off (ghost_memory)",
    )
    decoders = ["float32", "int8", "eager"]
    parser.add_argument(
        "--decoder", choices=decoders, default="float32", help="how own models decode (default float32)"
    )
    parser.add_argument("--limit", type=int, default=0, help="about so many questions of each suite (default: all)")
    parser.add_argument("--samples", type=int, default=1, help="answers to each question, for pass@k and agreement")
    parser.add_argument("--execute", metavar="COMMAND", help="runs code: see evaluation/execution.py; none: no code")


def run(arguments: argparse.Namespace) -> int:
    """0 for done."""
    import httpx

    from trainer.evaluation.evaluate import Plan, evaluate
    from trainer.evaluation.execution import Program
    from trainer.evaluation.questions import read_questions

    if len(arguments.endpoint) != len(arguments.model):
        raise ConfigError("Each --endpoint needs a --model; ask its /models which ones it serves.")
    execute = Program(tuple(shlex.split(arguments.execute))) if arguments.execute else None
    plan = Plan(arguments.dataset, arguments.out, arguments.limit, max(1, arguments.samples), execute)
    questions = read_questions(arguments.dataset)
    key = os.environ.get(arguments.key, "")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(headers=headers, timeout=300) as client:
        own, telling = _own(arguments, questions)
        candidates = [*own, *_endpoints(arguments, client)]
        if not candidates:
            raise ConfigError("There is nobody to ask; name a run, or an --endpoint with its --model.")
        sys.stdout.write(evaluate(replace(plan, telling=telling), candidates, _say))
    return 0


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def _own(arguments: argparse.Namespace, questions: "list[Question]") -> "tuple[list[Candidate], Telling | None]":
    """Runs and baselines; what runs with a memory were told."""
    from trainer import manifest
    from trainer.evaluation import student
    from trainer.evaluation.evaluate import lessons, some
    from trainer.evaluation.ngram import Ngram
    from trainer.evaluation.questions import Suite
    from trainer.evaluation.telling import worth_telling

    root = manifest.check_files(arguments.dataset)
    candidates: list[Candidate] = []
    telling: Telling | None = None
    answers = worth_telling(some(questions, arguments.limit), arguments.tell)
    if arguments.tell and (len(arguments.runs) != 1 or not answers):
        raise ConfigError("--tell needs one run, and a dataset that withholds exercises from its lessons.")
    for run_folder in arguments.runs:
        if arguments.tell:
            trained, remembering, telling = student.remembering(run_folder, root, arguments.decoder, answers)
            candidates += [trained, remembering]
        else:
            trained = student.trained(run_folder, root, arguments.decoder)
            candidates.append(trained)
        if arguments.baselines:
            candidates.append(student.untrained(trained))
    if arguments.baselines:
        seen = frozenset({Suite.SEEN})
        counting = Ngram(studied=seen)
        counting.learn(lessons(questions, seen))
        candidates.append(counting)
    return candidates, telling


def _endpoints(arguments: argparse.Namespace, client: "httpx.Client") -> "list[Candidate]":
    from trainer.evaluation.endpoint import SYSTEM, Endpoint

    system = SYSTEM if arguments.system is None else arguments.system
    return [
        Endpoint(url.rstrip("/"), model, client, system, max(1, arguments.parallel))
        for url, model in zip(arguments.endpoint, arguments.model, strict=True)
    ]
