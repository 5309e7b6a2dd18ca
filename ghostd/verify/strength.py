"""How strong an exam is: it has to reject every stub and nearly every mutant that is not equivalent.

A rejection counts only beside a control: the lesson's own code, run last and under the very same limits, has to
pass. Otherwise a crowded machine, or a cell that its own lesson broke, would look like a strong exam.

It plans and weighs; `core.ladder` decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ghostd.core import ladder
from ghostd.core.canonical import tolerant
from ghostd.core.evidence import CallOutcome, Limits, Outcome, Run
from ghostd.core.lesson import Failure
from ghostd.verify.can_fail import Stub, stubs
from ghostd.verify.config import VerificationConfig
from ghostd.verify.mutants import Mutant, sample_mutants
from ghostd.verify.runs import Plan, Subject, Trial, exam_run, passed

_DOMAIN_ERROR = "ValueError"  # an answer like any other; another exception puts an input outside the domain


@dataclass(frozen=True, slots=True)
class Strength:
    """What the stubs and mutants showed."""

    failure: Failure | None
    mutants_killed: int
    mutants_total: int  # non-equivalent ones


NOTHING_TRIED = Strength(failure=None, mutants_killed=0, mutants_total=0)


@dataclass(frozen=True, slots=True)
class StrengthTest:
    """The stubs and mutants of one lesson, as plans that run beside other ones."""

    subject: Subject
    config: VerificationConfig
    limits: Limits  # of one stub or mutant
    inputs: tuple[str, ...]  # generated argument lists
    stubs: tuple[Stub, ...]
    mutants: tuple[Mutant, ...]

    @classmethod
    def of(
        cls, subject: Subject, config: VerificationConfig, limits: Limits, inputs: tuple[str, ...]
    ) -> "StrengthTest":
        """The test of the lesson's exam."""
        impostors = stubs(subject.concept.entry, subject.reading.questions)
        mutants = sample_mutants(subject.lesson.code, config.mutant_cap)
        return cls(subject, config, limits, inputs, tuple(impostors), tuple(mutants))

    def plans(self) -> list[Plan]:
        """Stubs first, then mutants, then the control."""
        named = [(f"stub:{stub.name}", stub.code) for stub in self.stubs]
        named += [(f"mutant:{number}", mutant.code) for number, mutant in enumerate(self.mutants)]
        named.append(("control", self.subject.lesson.code))
        return [Plan("tested", purpose, exam_run(self.subject, code, self.limits)) for purpose, code in named]

    async def judge(
        self, trial: Trial, plans: Sequence[Plan], outcomes: Sequence[Outcome], expected: Outcome
    ) -> Strength:
        """Weigh the outcomes of `plans`; survivors are first compared with what the original made of the generated
        inputs, which is `expected`.
        """
        *fooled, sound = [passed(outcome, plan.run.checks) for plan, outcome in zip(plans, outcomes, strict=True)]
        for plan, outcome, accepted in zip(plans, outcomes, (*fooled, False), strict=True):
            trial.record(plan, outcome, supports=sound and not accepted)
        if not sound:
            return await self._retry(trial, outcomes[-1], expected)
        accepted_stubs = [stub.name for stub, accepted in zip(self.stubs, fooled, strict=False) if accepted]
        survivors = [number for number, accepted in enumerate(fooled[len(self.stubs) :]) if accepted]
        killed = len(self.mutants) - len(survivors)
        failure = ladder.judge_stubs(accepted_stubs)
        if failure:
            return Strength(failure, killed, len(self.mutants))
        different = await self._different(trial, survivors, expected)
        failure = ladder.judge_mutants(
            killed,
            [self.mutants[number].description for number in different],
            self.config.minimum_mutants_killed,
            self.config.minimum_mutants,
        )
        return Strength(failure, killed, killed + len(different))

    async def _retry(self, trial: Trial, control: Outcome, expected: Outcome) -> Strength:
        """Once more under the limits of the lesson's own code; a control that fails there too proves nothing."""
        wide = replace(self, limits=self.config.limits())
        if wide.limits == self.limits:
            ended = f"{control.exit_class.value} {control.exception_type}: {control.exception_message}"
            told = f"the code passed its exam at first and no longer did after its stubs and mutants had run: {ended}"
            return Strength(ladder.failure("tested.control_failed", told), 0, 0)
        plans = wide.plans()
        return await wide.judge(trial, plans, await trial.execute(plans), expected)

    async def _different(self, trial: Trial, survivors: Sequence[int], expected: Outcome) -> Sequence[int]:
        """The survivors that part from the original on some generated input; the others count as equivalent.

        Where no input can be generated nothing is excused, and every survivor counts.
        """
        entry, inputs = self.subject.concept.entry, self.inputs
        if not survivors or not inputs:
            return survivors
        plans = [
            Plan("tested", f"inputs:mutant:{number}", Run(self.mutants[number].code, entry, inputs, limits=self.limits))
            for number in survivors
        ]
        different: list[int] = []
        for number, plan, outcome in zip(survivors, plans, await trial.execute(plans), strict=True):
            parted = _parted(expected, outcome)
            different += [number] if parted else []
            trial.record(plan, outcome, supports=not parted)
        return different


def _parted(expected: Outcome, outcome: Outcome) -> bool:
    """Whether two versions of a function differ on an input of its domain; floats within 12 digits are equal."""
    for position, call in enumerate(expected.calls):
        other = outcome.calls[position] if position < len(outcome.calls) else CallOutcome()
        if call.value:
            if not other.value or tolerant(call.value) != tolerant(other.value):
                return True
        elif call.exception.startswith(_DOMAIN_ERROR) and not other.exception.startswith(_DOMAIN_ERROR):
            return True
    return False
