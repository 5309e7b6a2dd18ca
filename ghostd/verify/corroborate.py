"""The witness: an independent solution, run on every argument list that the lesson answered; it decides nothing.

Which argument lists these are, and why some differences are no disagreement, is in README.md.
"""

from collections.abc import Mapping, Sequence

from ghostd.core import ladder
from ghostd.core.crystal import Corroboration
from ghostd.core.evidence import CallOutcome, Outcome, Run
from ghostd.core.ladder import Comparison
from ghostd.core.lesson import Failure, Solution
from ghostd.ports import Solve
from ghostd.verify.answers import same_value
from ghostd.verify.config import VerificationConfig
from ghostd.verify.inputs import holds_float
from ghostd.verify.runs import Plan, Subject
from ghostd.verify.static import inspect_code

_ASKS = 2  # a solution that cannot be run, or does not answer, is asked for once more


class Witness:
    """Calls independent solutions of one lesson's concept, at most two, and weighs what came of running one.

    `answers` holds what the lesson's code made of each argument list: exercises and the exam's questions first.
    """

    def __init__(
        self, subject: Subject, answers: Mapping[str, CallOutcome], solve: Solve, config: VerificationConfig
    ) -> None:
        self._subject = subject
        self._answers = answers
        self._solve = solve
        self._config = config
        self._asked = 0
        self._solution = Solution("")
        self.failure: Failure | None = None  # why there is no corroboration; None while there may be one
        self.corroboration: Corroboration | None = None

    async def call(self) -> Plan | None:
        """The run of the next solution that can be run at all; None, with a `failure`, when there is none.

        Raises what the teacher raises: an outage is no verdict.
        """
        while self._asked < _ASKS:
            solution = await self._solve(self._asked)
            self._asked += 1
            if solution is None:
                self.failure = ladder.failure("corroborated.no_solution", "no independent solution could be had")
                continue
            unfit = inspect_code(self._subject.concept, solution.code)
            if unfit:
                self.failure = ladder.failure("corroborated.solution_broken", unfit.artifact)
                continue
            self._solution = solution
            entry, limits = self._subject.concept.entry, self._config.limits()
            run = Run(solution.code, entry, calls=tuple(self._answers), limits=limits)
            return Plan("corroborated", "solution", run)
        return None

    def weigh(self, outcome: Outcome) -> bool:
        """Whether the solution's outcome settles the matter, as `failure` or `corroboration`; else call the next."""
        broken = ladder.judge_solution(outcome, self._subject.exercise_arguments)
        if broken:
            self.failure = broken
            return self._asked >= _ASKS
        comparisons = self._compare(outcome)
        self.failure = ladder.judge_corroboration(comparisons, self._config.minimum_agreements)
        agreed = sum(one.agrees is True for one in comparisons)
        compared = sum(one.agrees is not None for one in comparisons)
        self.corroboration = None if self.failure else Corroboration(self._solution, agreed, compared)
        return True

    def agrees(self, outcome: Outcome) -> bool:
        """Whether the outcome speaks for the lesson; weighing it changes nothing here."""
        if ladder.judge_solution(outcome, self._subject.exercise_arguments):
            return False
        return ladder.judge_corroboration(self._compare(outcome), 0) is None

    def _compare(self, outcome: Outcome) -> tuple[Comparison, ...]:
        asked = {question.arguments for question in self._subject.reading.questions}
        asked.update(self._subject.exercise_arguments)
        return compare(self._answers, outcome, asked)


def compare(answers: Mapping[str, CallOutcome], outcome: Outcome, asked: set[str]) -> tuple[Comparison, ...]:
    """Both sides of every argument list. `asked` names those that lesson or exam chose; the others were generated.

    Where both returned, the values decide. Where the exam's own list makes only the solution fail, the statement
    covers that list, so this is a difference; anywhere else an exception may only mean that the list lies outside
    the domain, and decides nothing.
    """
    return tuple(
        Comparison(
            arguments,
            lesson.value or lesson.exception,
            solution.value or solution.exception or "nothing",
            _relation(lesson, solution, chosen=arguments in asked),
            rough=arguments not in asked and holds_float(arguments),
        )
        for (arguments, lesson), solution in zip(answers.items(), _padded(outcome, len(answers)), strict=True)
    )


def _padded(outcome: Outcome, length: int) -> Sequence[CallOutcome]:
    missing = length - len(outcome.calls)
    return (*outcome.calls[:length], *(CallOutcome() for _ in range(missing)))


def _relation(lesson: CallOutcome, solution: CallOutcome, *, chosen: bool) -> bool | None:
    if lesson.value and solution.value:
        return same_value(lesson.value, solution.value)
    if not chosen or not (solution.value or solution.exception):  # outside the domain, or out of time
        return None
    return bool(lesson.exception and solution.exception)
