"""Self-distillation with a pupil that talks as it is told: what is kept, what is counted, and that nothing leaks."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from ghostd.core.answering import Said
from ghostd.core.canonical import display, encode
from ghostd.core.crystal import Crystal, SolvedExercise
from ghostd.core.curriculum import VARY, chosen, hold_out
from ghostd.core.variation import Answered, form_of, pairs_of
from ghostd.cycles.config import SelfDistillationConfig
from ghostd.cycles.self_distillation import SelfDistillation
from ghostd.errors import NotFound
from ghostd.sandbox.config import Backend
from ghostd.testing.journal import MemoryJournal
from tests.crystals import crystal
from tests.sandboxes import started

CONFIG = SelfDistillationConfig(pairs=4, target=30, rounds=2, asked=32, held_out=3, confidence=-1.0)


def squares() -> Crystal:
    """A crystal whose questions differ in one number."""
    base = crystal(0)
    code = "def square(n: int) -> int:\n    if n == 13:\n        raise ValueError\n    return n * n\n"
    asked = tuple(SolvedExercise(f"What is the square of {n}?", str(n), encode(n * n)) for n in (2, 5, 9, 20))
    concept = replace(base.concept, signature="def square(n: int) -> int")
    return replace(base, concept=concept, lesson=replace(base.lesson, code=code), exercises=asked)


class MemoryVariations:
    """Implements student_ports.Variations."""

    def __init__(self) -> None:
        self.kept: dict[str, Answered] = {}

    async def keep_variations(self, found: Sequence[Answered]) -> int:
        new = {one.variation.question: one for one in found if one.variation.question not in self.kept}
        self.kept |= new
        return len(new)

    async def variations(self, crystal_ids: Sequence[str]) -> list[Answered]:
        return [one for one in self.kept.values() if one.variation.crystal_id in crystal_ids]


@dataclass
class ScriptedPupil:
    """Proposes 1, 3, 5 ... and as much that is no number; knows by heart what it was taught, and is sure of nothing
    above 100.
    """

    lessons: list[list[tuple[str, str]]] = field(default_factory=list)
    passes: list[float] = field(default_factory=list)
    next_number: int = 0
    most: int = 10_000  # then it begins anew

    @asynccontextmanager
    async def taught(self, lessons: Sequence[tuple[str, str]], passes: float) -> AsyncIterator["ScriptedPupil"]:
        self.lessons.append(list(lessons))
        self.passes.append(passes)
        yield self

    async def ask(
        self, question: str, *, most: int = 320, temperature: float = 0.0, seed: int = 0, choices: int = 1
    ) -> list[Said]:
        if not question.startswith(VARY):
            return [Said(dict(self.lessons[-1]).get(question, "16"), -0.1)]
        said = []
        for _ in range(choices):
            self.next_number = self.next_number % self.most + 1
            number = self.next_number
            said.append(Said(str(number) if number % 2 else f"{number} or so", -0.5 if number <= 100 else -2.0))
        return said


async def rounds_of(pupil: ScriptedPupil, records: MemoryVariations, config: SelfDistillationConfig = CONFIG):
    async with started(Backend.TRUSTED) as sandbox:
        cycle = SelfDistillation(pupil, sandbox, records, MemoryJournal(), config)
        return await cycle.run([squares()], seed=1, say=lambda _: None)


async def test_variations_are_answered_by_execution_and_taught_to_the_successor() -> None:
    pupil, records = ScriptedPupil(), MemoryVariations()
    rounds = await rounds_of(pupil, records)
    assert [one.number for one in rounds] == [0, 1, 2]
    assert records.kept, "something was kept"
    for one in records.kept.values():
        number = int(one.variation.arguments)
        assert display(one.value) == str(number * number) and number % 2 == 1 and number <= 100
        assert one.run_key and one.result_hash and one.variation.lineage == squares().concept.lineage
    assert "13" not in {one.variation.arguments for one in records.kept.values()}, "what the code refuses has no answer"
    taught = dict(pupil.lessons[-1])
    assert all(taught[one.variation.question] == display(one.value) for one in records.kept.values())
    assert [one.taught for one in rounds] == [4, 4 + rounds[0].verified, 4 + rounds[1].total]
    varied = {(question, numbers) for question, numbers in pupil.lessons[-1] if question.startswith(VARY)}
    assert (f"{VARY}What is the square of 2?", "2") not in varied, "another number is another one"
    learnt = {one.variation.arguments for one in records.kept.values()}
    assert {numbers for _, numbers in varied} <= {"2", "5", "9", "20", *learnt}
    assert rounds[-1].total == len(records.kept) and rounds[-1].proposed == 0, "the last round only measures"


async def test_held_out_questions_are_never_taught() -> None:
    records = MemoryVariations()
    await rounds_of(ScriptedPupil(), records)  # an earlier run, whose variations are known now
    before = set(records.kept)
    form = form_of(pairs_of(squares()))
    assert form is not None
    for seed in range(20):
        held_out = {one.question for one in hold_out([form], before, 3, random.Random(seed))}
        assert len(held_out) == 3 and not held_out & before
    pupil = ScriptedPupil()
    rounds = await rounds_of(pupil, MemoryVariations())
    assert rounds[0].held_out == 3
    assert {one.held_out_right for one in rounds} == {0}, "it says 16 to everything that it was not taught"


async def test_a_wave_ends_when_new_questions_have_become_rare() -> None:
    """The pupil knows 1 to 40 and no more; the round would allow ten times as many proposals."""
    pupil = ScriptedPupil(most=40)
    config = CONFIG.model_copy(update={"target": 1000, "rounds": 1, "asked": 20_000})
    first, last = await rounds_of(pupil, MemoryVariations(), config)
    assert 800 < first.proposed < 2000 and first.verified > 10
    assert (last.proposed, pupil.passes) == (0, [config.passes, config.last_passes])


async def test_it_ends_when_the_target_is_reached() -> None:
    rounds = await rounds_of(ScriptedPupil(), MemoryVariations(), CONFIG.model_copy(update={"target": 5, "rounds": 9}))
    assert len(rounds) == 2 and rounds[-1].total >= 5


async def test_crystals_without_a_form_are_refused_with_the_remedy() -> None:
    async with started(Backend.TRUSTED) as sandbox:
        cycle = SelfDistillation(ScriptedPupil(), sandbox, MemoryVariations(), MemoryJournal(), CONFIG)
        with pytest.raises(NotFound, match="ghostd start"):
            await cycle.run([crystal(1)], seed=1, say=lambda _: None)


def test_whole_crystals_are_chosen_up_to_the_number_of_pairs() -> None:
    one = squares()
    assert len(chosen([one], 4).pairs) == 4
    assert chosen([one], 3).pairs == ()
