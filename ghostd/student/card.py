"""The card of a student: what it is, what it learnt from and how it did; it measures nothing."""

import json
from dataclasses import asdict
from pathlib import Path

from ghostd.core.training import TrainingPlan, TrainingRun


def write_card(folder: Path, run: TrainingRun, plan: TrainingPlan) -> None:
    """`card.json` and `README.md` in the run's folder, each replaced at once."""
    document = {
        "student": run.id,
        "plan": asdict(plan),
        "seed": plan.seed,
        "dataset": {"root": run.root, "crystals": run.crystals},
        "promoted": run.promoted,
        **{name: run.metrics[name] for name in ("exam", "score", "verdict", "against")},
    }
    _replace(folder / "card.json", json.dumps(document, indent=2, sort_keys=True) + "\n")
    _replace(folder / "README.md", _markdown(run, plan))


def _markdown(run: TrainingRun, plan: TrainingPlan) -> str:
    score, exam = run.metrics["score"], run.metrics["exam"]
    against = f"student {run.metrics['against']}" if run.metrics["against"] else "nobody"
    dimensions = "".join(
        f", {name} {value}" for name, value in (("width", plan.width), ("layers", plan.layers)) if value
    )
    rows = (
        ("model", f"{plan.recipe}, {plan.size}{dimensions}, byte level"),
        ("learnt from", f"{run.crystals} crystals, Merkle root `{run.root}`"),
        ("training", f"at most {plan.steps} steps of {plan.batch} rows of {plan.context} bytes, seed {plan.seed}"),
        ("exam", f"{exam['rows']} rows of lineages that it never saw, SHA-256 `{exam['sha256']}`"),
        ("bits per byte", f"{score['bits_per_byte']:.4f}"),
        ("right answers", f"{score['right']} of {score['asked']}"),
        ("compared with", against),
        ("verdict", ("promoted" if run.promoted else "not promoted") + f": {run.metrics['verdict']}"),
    )
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    where = "The configuration is in `run.json`, the curves in `metrics.jsonl`."
    return f"# Student {run.id}\n\n| | |\n|---|---|\n{table}\n\n{where}\n"


def _replace(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}.new")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
