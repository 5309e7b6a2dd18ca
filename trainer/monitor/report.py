"""The journal of a run's diagnostics as text: the last look as a table, half-lives, diagnoses, the last verdict."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from trainer.errors import CheckpointError
from trainer.monitor.attribution import Worth
from trainer.monitor.states import HALF_LIFE_EDGES

_COLUMNS: Final = (  # measure and heading
    ("gradient", "gradient"),
    ("weight", "weight"),
    ("update", "update"),
    ("share", "share"),
    ("kurtosis", "kurtosis"),
    ("dead", "dead"),
    ("attention_entropy", "entropy"),
    ("half_life", "half-life"),
    ("step", "step"),
    ("state", "state"),
    ("rank", "rank"),
    ("slots_used", "slots"),
)
_WIDTH: Final = 10


def read_journal(run: Path) -> list[dict[str, Any]]:
    """The records of the run's diagnostics. Raises CheckpointError when the folder holds none."""
    path = run / "diagnostics.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); name the folder of a trained run.") from error
    return [record for line in lines if (record := json.loads(line)).get("observer") == "diagnostics"]


def report(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines for the terminal."""
    looks = [each for each in records if each["event"] == "look"]
    lines = _table(looks[-1]) if looks else ["no look yet"]
    lines += ["", "diagnoses"]
    diagnoses = [each for each in records if each["event"] == "diagnosis"]
    lines += [
        f"  step {each['step']}: {each['component']}: {each['kind']}: {each['because']}; {each['remedy']}"
        for each in diagnoses
    ] or ["  none"]
    verdicts = [each for each in records if each["event"] == "verdict"]
    if verdicts:
        last = verdicts[-1]
        lines += [
            "",
            f"validation {last['validation']:.4f} nats, best {last['best']:.4f}, noise {last['noise']:.4f}",
            f"verdict: {last['verdict']}: {last['reason']}",
        ]
    return lines


def ablations(whole: float, worths: Sequence[Worth]) -> list[str]:
    """Lines for the terminal, the most valuable component first."""
    lines = [f"bits per byte of the whole model: {whole:.4f}", f"{'without':<28}{'bits/byte':>12}{'change':>12}"]
    return lines + [f"{each.component:<28}{each.bits_per_byte:>12.4f}{each.change:>+12.4f}" for each in worths]


def _table(look: Mapping[str, Any]) -> list[str]:
    parts: Mapping[str, Mapping[str, Any]] = look["parts"]
    shown = [(key, heading) for key, heading in _COLUMNS if any(key in found for found in parts.values())]
    wide = max(len(name) for name in parts) + 2
    lines = [
        f"step {look['step']}: loss {look['loss']:.4f} nats, gradient {look['norm']:.3g}",
        "component".ljust(wide) + "".join(heading.rjust(_WIDTH) for _, heading in shown),
    ]
    for name, found in parts.items():
        cells = [f"{found[key]:.3g}" if key in found else "" for key, _ in shown]
        lines.append(name.ljust(wide) + "".join(cell.rjust(_WIDTH) for cell in cells))
    spectra = {name: found["half_lives"] for name, found in parts.items() if "half_lives" in found}
    if spectra:
        edges = [f"<{edge:g}" for edge in HALF_LIFE_EDGES] + [f">={HALF_LIFE_EDGES[-1]:g}"]
        lines += ["", "half-lives, ids".ljust(wide) + "".join(edge.rjust(_WIDTH) for edge in edges)]
        lines += [
            name.ljust(wide) + "".join(f"{share:.0%}".rjust(_WIDTH) for share in shares)
            for name, shares in spectra.items()
        ]
    return lines
