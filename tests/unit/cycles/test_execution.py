"""A crystal's code answers in the order of the questions, whatever an execution comes to; an audit replays it so."""

from dataclasses import replace

from ghostd.cli.audit import _replay_variations
from ghostd.core.canonical import encode
from ghostd.core.crystal import Crystal
from ghostd.cycles.execution import answers
from ghostd.export.variations import VariationRecord
from ghostd.sandbox.config import Backend
from tests.crystals import crystal
from tests.sandboxes import started


def coded(body: str) -> Crystal:
    base = crystal(0)
    concept = replace(base.concept, signature="def square(n: int) -> int")
    return replace(base, concept=concept, lesson=replace(base.lesson, code=f"def square(n: int) -> int:\n{body}"))


def record(number: int, value: int) -> VariationRecord:
    return VariationRecord(
        crystal="c",
        question=f"square of {number}?",
        arguments=str(number),
        value=encode(value),
        run_key="",
        result_hash="",
    )


async def test_more_calls_than_one_execution_takes_are_answered_in_their_order() -> None:
    body = "    if n == 13:\n        raise ValueError\n    return n * n\n"
    async with started(Backend.TRUSTED) as sandbox:
        found = await answers(sandbox, coded(body), [str(n) for n in range(150)])
        assert await answers(sandbox, coded(body), []) == []
    assert [one.value for one in found] == ["" if n == 13 else encode(n * n) for n in range(150)]
    assert len({one.run_key for one in found}) == 3, "64 calls to an execution"


async def test_an_execution_that_is_ended_has_no_answers_from_there_on_and_the_next_has_all() -> None:
    body = "    import os\n    if n == 3:\n        os._exit(0)\n    return n * n\n"
    async with started(Backend.TRUSTED) as sandbox:
        found = await answers(sandbox, coded(body), [str(n) for n in range(70)])
    assert [one.value for one in found] == [encode(n * n) if n < 3 or n >= 64 else "" for n in range(70)]


async def test_an_audit_that_replays_names_what_the_code_does_not_answer() -> None:
    async with started(Backend.TRUSTED) as sandbox:
        good = coded("    return n * n\n")
        assert await _replay_variations(sandbox, good, [record(n, n * n) for n in (4, 7)]) == []
        (named,) = await _replay_variations(sandbox, good, [record(4, 16), record(7, 50)])
        assert "'square of 7?'" in named
