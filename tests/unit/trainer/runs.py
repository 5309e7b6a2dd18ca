"""Tiny runs over real text, the standard library's sources; threads are one, for exactness does not depend on speed."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

from trainer.config import RunConfig, read_run

ROOT = Path(__file__).parents[3]
MODULES = ("bisect", "colorsys", "contextlib", "copy", "fnmatch", "functools", "heapq", "keyword", "queue", "stat")
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": os.environ["PATH"]}


def corpus(folder: Path) -> Path:
    """A folder of real Python modules."""
    folder.mkdir(parents=True)
    for module in MODULES:
        shutil.copy(Path(os.__file__).parent / f"{module}.py", folder)
    return folder


def run_file(folder: Path, **sections: dict[str, object]) -> Path:
    """A run.json beside its corpus: a model of about 30,000 parameters, 24 steps."""
    if not (folder / "corpus").exists():
        corpus(folder / "corpus")
    document: dict[str, object] = {
        "out": "out",
        "data": {"path": "corpus", "form": "text", "context": 32, "batch": 4, "accumulation": 2, "validation_rows": 6},
        "model": {"width": 32, "layers": 2, "head_width": 16},
        "optimizer": {"learning_rate": 0.01},
        "training": {
            "steps": 24,
            "evaluate_every": 8,
            "checkpoint_every": 3,
            "device": "cpu",
            "patience": 0,
            "curves_every": 0,
        },
    }
    for name, values in sections.items():
        document[name] = {**document.get(name, {}), **values}  # type: ignore[dict-item]
    path = folder / "run.json"
    path.write_text(json.dumps(document))
    return path


def tiny_run(folder: Path, **sections: dict[str, object]) -> RunConfig:
    """The same as a record."""
    return read_run(run_file(folder, **sections))


def dataset(folder: Path, rows: list[dict[str, object]], held_out: list[dict[str, object]]) -> Path:
    """A folder as `ghostd export` writes it, as far as a trainer reads it."""
    import hashlib

    (folder / "jsonl").mkdir(parents=True)
    records = []
    for name, lines in (("train", rows), ("validation", held_out)):
        content = "".join(json.dumps(row) + "\n" for row in lines).encode()
        (folder / f"jsonl/{name}.jsonl").write_bytes(content)
        records.append(
            {
                "path": f"jsonl/{name}.jsonl",
                "sha256": hashlib.sha256(content).hexdigest(),
                "size": len(content),
                "rows": len(lines),
            }
        )
    manifest = {"format": "ghostd-dataset", "root": random.Random(0).randbytes(32).hex(), "files": records}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def conversation(question: str, answer: str, lineage: str = "one") -> dict[str, object]:
    """A row of a dataset."""
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": turns, "kind": "question", "lineage": lineage}


def start(path: Path) -> subprocess.Popen[bytes]:
    """The training in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "trainer", "train", str(path)],
        env=ENVIRONMENT,
        cwd=path.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
