"""The student in the picture of the status: what is under way, who is champion, what became of the last one."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

_MINUTE_SECONDS = 60


def student_line(training: dict[str, Any]) -> RenderableType:
    """One to three lines."""
    champion, last, running = training["champion"], training["last"], training["running"]
    lines = []
    if running:
        lines.append(Text(f"student {running['student']} ({running['recipe']}): {how_far(running)}", style="cyan"))
    if champion:
        lines.append(Text(f"champion: student {champion['student']} ({champion['recipe']}), {_score(champion)}"))
        if champion["revoked"]:
            crystals = f"{champion['revoked']} of the {champion['crystals']} crystals that it learnt"
            lines.append(Text(f"{crystals} were revoked since; `ghostd train --now` trains another", style="yellow"))
    if last and not last["promoted"]:
        became = "failed" if last["status"] == "failed" else "was not promoted"
        lines.append(Text(f"student {last['student']} {became}: {last['verdict']}", style="dim"))
    if not lines:
        since = f"{training['crystals_since']} crystals wait for it"
        lines.append(Text(f"student: none yet; {since} (`ghostd train --now`)", style="dim"))
    return Group(*lines)


def how_far(running: dict[str, Any]) -> str:
    """Where an unfinished student is, in words."""
    words = [str(running["status"])]
    if running["steps"]:
        words.append(f"step {running['step']} of {running['steps']}")
    if running["bits_per_byte"] is not None:
        words.append(f"{running['bits_per_byte']:.3f} bits per byte")
    if running["answers"] is not None:
        words.append(f"{running['answers']} answers in its exam")
    elif running["left_seconds"] is not None:
        words.append(f"about {_duration(running['left_seconds'])} left")
    return ", ".join(words)


def _score(student: dict[str, Any]) -> str:
    if student["bits_per_byte"] is None:
        return "not examined"
    right = f", {student['right']} of {student['asked']} answers right" if student["asked"] else ""
    return f"{student['bits_per_byte']:.3f} bits per byte{right}, learnt from {student['crystals']} crystals"


def _duration(seconds: float) -> str:
    return f"{seconds / _MINUTE_SECONDS:.0f} min" if seconds >= _MINUTE_SECONDS else f"{seconds:.0f} s"
