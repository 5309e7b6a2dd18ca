"""Self-distillation: a student varies known questions, execution answers them, and its successor learns them too.

The student is asked for other numbers, not for another question: sampled warmly enough to say numbers that it was
never taught, it would no longer spell the words between them. The question that its numbers make (core/variation.py)
is answered by what the crystal's verified code returns in the sandbox; what the student would have answered itself is
only counted.
"""

import random
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from ghostd.core.answering import Said
from ghostd.core.canonical import display
from ghostd.core.crystal import Crystal
from ghostd.core.curriculum import VARY, Material, answers_of, by_crystal, chosen, guessed, hold_out, how_to_vary
from ghostd.core.variation import Answered, Form, Pair, Variation, varied
from ghostd.core.warmth import begun, counted, next_temperature
from ghostd.cycles.config import SelfDistillationConfig
from ghostd.cycles.execution import answers
from ghostd.cycles.run import journalled
from ghostd.errors import NotFound
from ghostd.ports import Journal, Sandbox
from ghostd.student_ports import Pupil, Served, Variations

_CHOICES = 16  # proposals of one request
_LATELY = 800  # proposals over which it is judged whether new ones have become rare
_RARE = 0.01
_NUMBER_BYTES = 12  # of each number that a proposal may hold, with what parts it from the next
_ANSWER_BYTES = 64
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Round:
    """What one student did. The held-out questions are the same in every round, and are never taught."""

    number: int
    taught: int  # questions, with their answers
    held_out_right: int
    held_out_guessed: int  # as many were right if it said what is most often the answer to questions of that form
    held_out: int
    proposed: int
    of_known_form: int  # distinct questions among them
    new: int  # and neither known nor held out
    confident: int  # and the student sure enough of them
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
        before = await self.records.variations([form.crystal_id for form in material.forms])
        learnt = {one.question for one in [*material.pairs, *map(_pair, before)]}
        reserved = hold_out(material.forms, learnt, self.config.held_out, generator)
        truth = await self._executed([Proposal(one) for one in reserved], material)
        rounds: list[Round] = []
        async with journalled(self.journal, "self-distillation", f"{len(material.pairs)} known questions") as run:
            for number in range(self.config.rounds + 1):
                known = await self.records.variations([form.crystal_id for form in material.forms])
                last = number == self.config.rounds or len(known) >= self.config.target
                taught = [*material.pairs, *map(_pair, known)]
                barred = {one.question for one in taught} | {one.variation.question for one in truth}
                examples = [] if last else how_to_vary(taught, generator)
                say(f"round {number}: a new student is taught {len(taught)} questions ...")
                passes = self.config.last_passes if last else self.config.passes
                async with self.pupil.taught([*answers_of(taught), *examples], passes) as student:
                    right = [await _right(student, one) for one in truth]
                    wave = Wave(barred, self.config.target - len(known))
                    if not last:
                        say(f"round {number}: it is asked for others, {self.config.asked} times at most ...")
                        await self._ask(student, wave, taught, material.forms, generator)
                    sure = [await self._self_answered(student, one) for one in wave.sure]
                answered = await self._executed(sure, material)
                kept = await self.records.keep_variations(answered)
                rounds.append(
                    Round(
                        number,
                        taught=len(taught),
                        held_out_right=sum(right),
                        held_out_guessed=guessed(taught, truth),
                        held_out=len(truth),
                        proposed=wave.asked,
                        of_known_form=len(wave.questions),
                        new=wave.new,
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

    async def _ask(
        self, student: Served, wave: "Wave", taught: Sequence[Pair], forms: Sequence[Form], generator: random.Random
    ) -> None:
        """Ask for variations of what was taught, all forms alike.

        It ends with enough of them, with the round's proposals spent, or when new ones have become rare: a successor
        that has learnt those will find others.
        """
        by_form = by_crystal(taught)
        tallies = {form: begun(self.config.temperatures) for form in forms}
        while wave.asked < self.config.asked and not wave.over:
            form = generator.choice(forms)
            temperature = next_temperature(tallies[form], generator)
            said = await student.ask(
                VARY + generator.choice(by_form[form.crystal_id]).question,
                most=_NUMBER_BYTES * (len(form.parts) - 1),
                temperature=temperature,
                seed=generator.randrange(1 << 30),
                choices=_CHOICES,
            )
            kept = sum(wave.take(form, one, self.config.confidence) for one in said)
            tallies[form] = counted(tallies[form], temperature, new=kept, old=len(said) - kept)

    async def _self_answered(self, student: Served, one: "Proposal") -> "Proposal":
        (answer,) = await student.ask(one.variation.question, most=_ANSWER_BYTES)
        return replace(one, answer=answer.text.strip())

    async def _executed(self, proposals: Sequence["Proposal"], material: Material) -> list[Answered]:
        """Those that the crystals' code answers, with the answers; each crystal's in a fresh cell."""
        grouped: dict[str, list[Proposal]] = defaultdict(list)
        for one in proposals:
            grouped[one.variation.crystal_id].append(one)
        answered: list[Answered] = []
        for crystal_id, ours in grouped.items():
            crystal = material.crystals[crystal_id]
            given = await answers(self.sandbox, crystal, [one.variation.arguments for one in ours])
            for one, answer in zip(ours, given, strict=True):
                if answer.value:
                    proof, own = (answer.run_key, answer.result_hash), one.answer == display(answer.value)
                    answered.append(Answered(one.variation, answer.value, *proof, one.confidence, own))
        return answered


@dataclass(frozen=True, slots=True)
class Proposal:
    """A question that a student asked, and what it would answer itself."""

    variation: Variation
    confidence: float = 0.0  # mean log-probability of its bytes, in nats
    answer: str = ""


@dataclass(slots=True)
class Wave:
    """The proposals of one round, as they come."""

    barred: AbstractSet[str]  # questions that are known or held out
    wanted: int
    asked: int = 0
    new: int = 0
    questions: set[str] = field(default_factory=set)  # of a known form
    sure: list[Proposal] = field(default_factory=list)
    lately: deque[bool] = field(default_factory=lambda: deque(maxlen=_LATELY))  # whether each was taken

    @property
    def over(self) -> bool:
        """Whether there are enough, or new ones have become rare."""
        dry = len(self.lately) == _LATELY and sum(self.lately) < _RARE * _LATELY
        return dry or len(self.sure) >= self.wanted

    def take(self, form: Form, said: Said, confidence: float) -> bool:
        """Count one proposal; whether it is a new question that the student is sure enough of."""
        self.asked += 1
        self.lately.append(self._takes(form, said, confidence))
        return self.lately[-1]

    def _takes(self, form: Form, said: Said, confidence: float) -> bool:
        variation = varied(form, said.text)
        if variation is None or variation.question in self.questions:
            return False
        self.questions.add(variation.question)
        if variation.question in self.barred:
            return False
        self.new += 1
        if said.confidence is None or said.confidence < confidence:
            return False
        self.sure.append(Proposal(variation, said.confidence))
        return True


def _pair(known: Answered) -> Pair:
    variation = known.variation
    return Pair(variation.crystal_id, variation.lineage, variation.question, variation.arguments, display(known.value))


def sentence(one: Round) -> str:
    """The round in words."""
    return (
        f"round {one.number}: taught {one.taught} questions, {one.held_out_right} of {one.held_out} held out right "
        f"(guessing: {one.held_out_guessed}); "
        f"{one.proposed} proposals, {one.of_known_form} different questions, {one.new} new, "
        f"{one.confident} confident, "
        f"{one.answered} answered right by itself, {one.verified} verified and kept, {one.total} in all"
    )


async def _right(student: Served, truth: Answered) -> bool:
    (said,) = await student.ask(truth.variation.question, most=_ANSWER_BYTES)
    return said.text.strip() == display(truth.value)
