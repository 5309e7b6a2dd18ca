"""Self-distillation: a student varies known questions, execution answers them, and its successor learns them too.

The student is asked for other numbers, not for another question: sampled warmly enough to say numbers that it was
never taught, it would no longer spell the words between them. The question that its numbers make (core/variation.py)
is answered by what the crystal's verified code returns in the sandbox; what the student would have answered itself is
only counted.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ghostd.core.canonical import display
from ghostd.core.crystal import Crystal
from ghostd.core.variation import Answered, Form, Pair, Variation, form_of, pairs_of, varied
from ghostd.cycles.config import SelfDistillationConfig
from ghostd.cycles.execution import answers
from ghostd.cycles.run import journalled
from ghostd.errors import NotFound
from ghostd.ports import Journal, Sandbox
from ghostd.student_ports import Pupil, Served, Variations

_VARY = "Ask it about other numbers: "
_OTHERS = 8  # known questions that each known one is shown to be varied into
_CHOICES = 16  # proposals of one request
_NUMBER_BYTES = 12  # of each number that a proposal may hold, with what parts it from the next
_ANSWER_BYTES = 64
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Round:
    """What one student did. The held-out questions are the same in every round, and are never taught."""

    number: int
    taught: int  # questions, with their answers
    held_out_right: int
    held_out: int
    proposed: int
    of_known_form: int  # distinct questions among them
    new: int  # and neither known nor held out
    confident: int
    answered: int  # by the student itself, as execution did
    verified: int  # executed, and stored
    total: int  # stored so far


@dataclass(frozen=True, slots=True)
class SelfDistillation:
    """Teaches one student after another."""

    pupil: Pupil
    sandbox: Sandbox
    records: Variations
    journal: Journal
    config: SelfDistillationConfig

    async def run(self, crystals: Sequence[Crystal], seed: int, say: Say) -> list[Round]:
        """Rounds until the target is reached; the last one only measures.

        Raises NotFound when no crystal has questions of one form, SandboxUnavailable and TrainingFailed.
        """
        material = chosen(crystals, self.config.pairs)
        if not material.forms:
            raise NotFound("No crystal has questions that differ in whole numbers alone; learn more (`ghostd start`).")
        generator = random.Random(seed)  # noqa: S311 - which numbers are held out is no secret
        reserved = hold_out(material, self.config.held_out, generator)
        truth = await self._executed([Proposal(one) for one in reserved], material)
        rounds: list[Round] = []
        async with journalled(self.journal, "self-distillation", f"{len(material.pairs)} known questions") as run:
            for number in range(self.config.rounds + 1):
                known = await self.records.variations([form.crystal_id for form in material.forms])
                last = number == self.config.rounds or len(known) >= self.config.target
                taught = [*material.pairs, *map(_pair, known)]
                barred = {one.question for one in taught} | {one.variation.question for one in truth}
                async with self.pupil.taught(lessons(taught, generator)) as student:
                    right = [await _right(student, one) for one in truth]
                    wave = Wave() if last else await self._wave(student, taught, material.forms, generator)
                    fresh = [one for one in wave.proposals if one.variation.question not in barred]
                    sure = [
                        await self._self_answered(student, one)
                        for one in fresh
                        if one.confidence >= self.config.confidence
                    ]
                answered = await self._executed(sure, material)
                kept = await self.records.keep_variations(answered)
                rounds.append(
                    Round(
                        number,
                        taught=len(taught),
                        held_out_right=sum(right),
                        held_out=len(truth),
                        proposed=wave.asked,
                        of_known_form=len(wave.proposals),
                        new=len(fresh),
                        confident=len(sure),
                        answered=sum(one.answered for one in answered),
                        verified=kept,
                        total=len(known) + kept,
                    )
                )
                say(sentence(rounds[-1]))
                if last:
                    break
            counts = {"rounds": len(rounds), "variations": rounds[-1].total}
            await self.journal.finish_run(run, "ok", counts, sentence(rounds[-1]))
        return rounds

    async def _wave(
        self, student: Served, taught: Sequence[Pair], forms: Sequence[Form], generator: random.Random
    ) -> "Wave":
        """Proposals around what was taught, all forms alike, each question once."""
        found: dict[str, Proposal] = {}
        asked = 0
        by_form = _by_crystal(taught)
        while asked < self.config.asked:
            form = generator.choice(forms)
            said = await student.ask(
                _VARY + generator.choice(by_form[form.crystal_id]).question,
                most=_NUMBER_BYTES * (len(form.parts) - 1),
                temperature=self.config.temperature,
                seed=generator.randrange(1 << 30),
                choices=_CHOICES,
            )
            asked += len(said)
            for one in said:
                variation = varied(form, one.text)
                if variation is not None and variation.question not in found:
                    confidence = one.confidence if one.confidence is not None else float("-inf")
                    found[variation.question] = Proposal(variation, confidence)
        return Wave(asked, tuple(found.values()))

    async def _self_answered(self, student: Served, one: "Proposal") -> "Proposal":
        (answer,) = await student.ask(one.variation.question, most=_ANSWER_BYTES)
        return replace(one, answer=answer.text.strip())

    async def _executed(self, proposals: Sequence["Proposal"], material: "Material") -> list[Answered]:
        """Those that the crystals' code answers, with the answers; each crystal's in a fresh cell."""
        by_crystal: dict[str, list[Proposal]] = defaultdict(list)
        for one in proposals:
            by_crystal[one.variation.crystal_id].append(one)
        answered: list[Answered] = []
        for crystal_id, ours in by_crystal.items():
            crystal = material.crystals[crystal_id]
            given = await answers(self.sandbox, crystal, [one.variation.arguments for one in ours])
            for one, answer in zip(ours, given, strict=True):
                if answer.value:
                    proof, own = (answer.run_key, answer.result_hash), one.answer == display(answer.value)
                    answered.append(Answered(one.variation, answer.value, *proof, one.confidence, own))
        return answered


@dataclass(frozen=True, slots=True)
class Material:
    """What a student begins with."""

    pairs: tuple[Pair, ...]
    forms: tuple[Form, ...]
    crystals: Mapping[str, Crystal]  # whose code answers, by id


@dataclass(frozen=True, slots=True)
class Proposal:
    """A question that a student asked, and what it would answer itself."""

    variation: Variation
    confidence: float = 0.0  # mean log-probability of its bytes, in nats
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Wave:
    """The proposals of one round."""

    asked: int = 0
    proposals: tuple[Proposal, ...] = ()  # of a known form, each once


def chosen(crystals: Sequence[Crystal], count: int) -> Material:
    """The first `count` questions of crystals whose questions have a form, whole crystals together."""
    pairs: list[Pair] = []
    forms: list[Form] = []
    used: dict[str, Crystal] = {}
    for crystal in crystals:
        ours = pairs_of(crystal)
        form = form_of(ours)
        if form is not None and len(pairs) + len(ours) <= count:
            pairs += ours
            forms.append(form)
            used[crystal.id] = crystal
    return Material(tuple(pairs), tuple(forms), used)


def hold_out(material: Material, count: int, generator: random.Random) -> list[Variation]:
    """For each form at most `count` questions between its least and its greatest number that are not known."""
    known = {pair.question for pair in material.pairs}
    reserved: list[Variation] = []
    for form in material.forms:
        places = len(form.parts) - 1
        drawn = [[generator.randint(form.least, form.most) for _ in range(places)] for _ in range(20 * count)]
        found = [varied(form, numbers) for numbers in dict.fromkeys(", ".join(map(str, row)) for row in drawn)]
        reserved += [one for one in found if one is not None and one.question not in known][:count]
    return reserved


def lessons(taught: Sequence[Pair], generator: random.Random) -> list[tuple[str, str]]:
    """Every question with its answer, and with the numbers of some others of its form."""
    answers = [(one.question, one.value) for one in taught]
    for ours in _by_crystal(taught).values():
        for one in ours:
            others = [other.arguments for other in ours if other.arguments != one.arguments]
            shown = generator.sample(others, min(_OTHERS, len(others)))
            answers += [(_VARY + one.question, numbers) for numbers in shown]
    return answers


def _by_crystal(taught: Sequence[Pair]) -> dict[str, list[Pair]]:
    """The questions of each crystal, which are those of one form."""
    found: dict[str, list[Pair]] = defaultdict(list)
    for one in taught:
        found[one.crystal_id].append(one)
    return found


def _pair(known: Answered) -> Pair:
    variation = known.variation
    return Pair(variation.crystal_id, variation.lineage, variation.question, variation.arguments, display(known.value))


def sentence(one: Round) -> str:
    """The round in words."""
    return (
        f"round {one.number}: taught {one.taught} questions, {one.held_out_right} of {one.held_out} held out right; "
        f"{one.proposed} proposals, {one.of_known_form} different questions, {one.new} new, "
        f"{one.confident} confident, "
        f"{one.answered} answered right by itself, {one.verified} verified and kept, {one.total} in all"
    )


async def _right(student: Served, truth: Answered) -> bool:
    (said,) = await student.ask(truth.variation.question, most=_ANSWER_BYTES)
    return said.text.strip() == display(truth.value)
