"""A crystal's code called with many arguments in a fresh cell; what the answers are good for is the caller's affair."""

from collections.abc import Sequence
from dataclasses import dataclass

from ghostd.core.attestation import result_hash, run_key
from ghostd.core.crystal import Crystal
from ghostd.core.evidence import Run
from ghostd.ports import Sandbox

_CALLS = 64  # of one execution


@dataclass(frozen=True, slots=True)
class Answer:
    """What one call came to, with the proof of the execution it was part of."""

    value: str  # canonical JSON; '' where it raised, and from where its execution was ended
    run_key: str
    result_hash: str


async def answers(sandbox: Sandbox, crystal: Crystal, arguments: Sequence[str]) -> list[Answer]:
    """One for each of `arguments`, in their order. Raises SandboxError."""
    if not arguments:
        return []
    code, entry = crystal.lesson.code, crystal.concept.entry
    batches = [tuple(arguments[start : start + _CALLS]) for start in range(0, len(arguments), _CALLS)]
    runs = [Run(code, entry, batch) for batch in batches]
    async with sandbox.cell() as cell:
        outcomes = await cell.run(runs)
    return [
        Answer(call.value, run_key(run, cell.place), result_hash(outcome))
        for run, outcome in zip(runs, outcomes, strict=True)
        for call in outcome.calls
    ]
