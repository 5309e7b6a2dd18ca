"""Models against each other: equal parameters, equal seconds, the same text; bits per byte of the same held-out bytes.

Each model and seed trains in a process of its own (contest.py). What is finished is kept, so the same command goes on
where it was cut off, and the table is printed from what is there. The gate: parameters within 5 % of the first model's,
and every model paid for the same bytes; where it fails, no table is printed.
"""

import dataclasses
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from trainer.bench.contest import Contest, Result
from trainer.config import DataConfig, ModelConfig, OptimizerConfig, RunConfig, Size, TrainingConfig
from trainer.errors import TrainerError
from trainer.optim import PEAKS
from trainer.records import plain

_NEAR: Final = 0.05  # of the first model's parameters
_LEFT_OUT: Final = {"site-packages", "test", "tests", "idlelib", "__pycache__", "ensurepip", "turtledemo", "lib2to3"}


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole comparison."""

    models: tuple[str, ...]  # recipes; the first one is the control
    seeds: int
    size: Size
    seconds: float  # of training, for each model and seed
    clock: Literal["wall", "cpu"]
    context: int  # ids of a training row
    batch: int  # rows of a step
    lengths: tuple[int, ...]  # of the rows that are evaluated
    held_out_ids: int
    threads: int  # of each process
    parallel: int  # processes at a time
    out: Path
    rate: float = 1.0  # of the usual learning rates


def corpus(folder: Path) -> Path:
    """The standard library's sources but its tests, copied once."""
    if not folder.exists():
        home, aside = Path(os.__file__).parent, folder.with_name("corpus.partial")
        for path in sorted(home.rglob("*.py")):
            inside = path.relative_to(home)
            if not _LEFT_OUT.intersection(inside.parts):
                (aside / inside).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, aside / inside)
        aside.rename(folder)
    return folder


def contests(plan: Plan) -> list[Contest]:
    """One for each seed and model, all models of a seed before the next."""
    data = DataConfig(
        path=str(corpus(plan.out / "corpus")), form="text", context=plan.context, batch=plan.batch, validation_rows=1
    )
    usual = OptimizerConfig()
    optimizer = OptimizerConfig(
        learning_rate=plan.rate * PEAKS[usual.name], muon_learning_rate=plan.rate * usual.muon_learning_rate
    )
    return [
        Contest(
            RunConfig(
                str(plan.out / f"{model}-{seed}"),
                data,
                ModelConfig(recipe=model, size=plan.size),
                optimizer=optimizer,
                training=TrainingConfig(steps=1, precision="float32"),
                seed=seed,
            ),
            plan.seconds,
            plan.clock,
            plan.lengths,
            plan.held_out_ids,
            str(plan.out / "results" / f"{model}-{seed}.json"),
        )
        for seed in range(plan.seeds)
        for model in plan.models
    ]


def take_part(contest: Contest, threads: int) -> str:
    """Runs it in a process of its own, unless its result is there; what it said, or why it failed."""
    result = Path(contest.result)
    if result.exists():
        return f"{result.stem}: finished before"
    folder = Path(contest.run.out)
    folder.mkdir(parents=True, exist_ok=True)
    description = folder / "contest.json"
    description.write_text(json.dumps(plain(contest), indent=1), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "trainer.bench.contest", str(description)],
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else f"{result.stem} failed: {done.stderr.strip()[-300:]}"


def gate(results: Sequence[Result]) -> str:
    """Why these cannot be compared, or ''."""
    control = results[0]
    for each in results:
        if abs(each.parameters - control.parameters) > _NEAR * control.parameters:
            return f"{each.recipe} has {each.parameters:,} parameters, {control.recipe} {control.parameters:,}"
        if each.held_out != control.held_out:
            return f"{each.recipe} with seed {each.seed} paid for other bytes than {control.recipe}"
    return ""


def table(results: Sequence[Result]) -> str:
    """Markdown: mean and standard deviation over seeds of the bits per byte, in the order of the results."""
    lengths = list(results[0].bits_per_byte)
    lines = [
        "| model | parameters | seeds | steps | ids a second | " + " | ".join(f"{each} ids" for each in lengths) + " |",
        "|---" * (5 + len(lengths)) + "|",
    ]
    for recipe in dict.fromkeys(each.recipe for each in results):
        own = [each for each in results if each.recipe == recipe]
        speed = statistics.mean(each.ids / each.seconds for each in own)
        cells = [
            recipe,
            f"{own[0].parameters:,}",
            str(len(own)),
            f"{statistics.mean(each.steps for each in own):.0f}",
            f"{speed:,.0f}",
            *(_spread([each.bits_per_byte[length] for each in own]) for length in lengths),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    mean = f"{statistics.mean(values):.4f}"
    return f"{mean} ± {statistics.stdev(values):.4f}" if len(values) > 1 else mean


def main(plan: Plan, *, report_only: bool) -> int:
    """Runs what is missing, prints table and JSON; 1 where a model failed or the gate stays shut."""
    plan.out.mkdir(parents=True, exist_ok=True)
    _same_plan(plan)
    planned = contests(plan)
    failed = False
    if not report_only:
        with ThreadPoolExecutor(plan.parallel) as pool:
            for said in pool.map(lambda contest: take_part(contest, plan.threads), planned):
                failed = failed or " failed: " in said
                sys.stderr.write(f"{said}\n")
    found = [Path(contest.result) for contest in planned if Path(contest.result).exists()]
    results = [Result(**json.loads(path.read_bytes())) for path in found]
    results.sort(key=lambda each: plan.models.index(each.recipe))
    if not results:
        sys.stderr.write(f"{plan.out} holds no result yet.\n")
        return 1
    if reason := gate(results):
        sys.stderr.write(f"gate: {reason}; these figures cannot be compared.\n")
        return 1
    facts = {"python": platform.python_version(), "finished": len(results), "planned": len(planned)}
    report = {"plan": _described(plan), **facts, "results": [plain(each) for each in results]}
    (plan.out / "comparison.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (plan.out / "comparison.md").write_text(table(results) + "\n", encoding="utf-8")
    sys.stdout.write(f"{table(results)}\n{json.dumps(report)}\n")
    return int(failed)


def _same_plan(plan: Plan) -> None:
    """Raises TrainerError when the folder holds another comparison; models and seeds may be added to one."""
    path = plan.out / "plan.json"
    described = _described(plan)
    if path.exists() and json.loads(path.read_bytes()) != described:
        raise TrainerError(f"{plan.out} holds a comparison of other terms (plan.json); name another folder with --out.")
    path.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")


def _described(plan: Plan) -> dict[str, object]:
    """The terms that every model shares."""
    free = {"models", "seeds", "parallel", "out"}
    return json.loads(json.dumps({name: each for name, each in dataclasses.asdict(plan).items() if name not in free}))  # type: ignore[no-any-return]  # of a dict
