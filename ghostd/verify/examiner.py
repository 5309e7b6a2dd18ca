"""The rungs that execute, in one cell: executed, reproducible (but for the replays elsewhere) and tested.

It hands runs to the cell in as few batches as the decisions allow and collects the evidence; what the
outcomes mean is decided by `core.ladder`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from ghostd.core import ladder
from ghostd.core.attestation import result_hash
from ghostd.core.crystal import CheckedClaim, SolvedExercise
from ghostd.core.evidence import Outcome
from ghostd.core.ladder import Replay
from ghostd.core.lesson import Failure
from ghostd.verify.answers import contradicts
from ghostd.verify.claims import ClaimsTest
from ghostd.verify.config import VerificationConfig
from ghostd.verify.deterministic import FIRST, in_cell_variations
from ghostd.verify.runs import Plan, Subject, Trial, main_run
from ghostd.verify.strength import NOTHING_TRIED, Strength, StrengthTest


@dataclass(frozen=True, slots=True)
class Findings:
    """What the cell showed. `failure` is the first rung's that failed, None when all passed."""

    failure: Failure | None
    first: Replay  # what the replays in another container have to agree with
    claims: tuple[CheckedClaim, ...] = ()
    exercises: tuple[SolvedExercise, ...] = ()
    strength: Strength = NOTHING_TRIED


async def examine(trial: Trial, subject: Subject, config: VerificationConfig) -> Findings:
    """Climb until a rung fails. Raises SandboxUnavailable when the cell or its engine dies."""
    main = Plan("executed", "exercise", main_run(subject, config.limits(), FIRST))
    (outcome,) = await trial.execute([main])
    first = Replay(FIRST, result_hash(outcome), outcome, trial.cell.place.cell_id)
    failure = ladder.judge_execution(outcome, subject.exercise_arguments)
    exam_failure = failure or ladder.judge_exam(outcome, subject.exam.checks)
    trial.record(main, outcome, supports=exam_failure is None)
    if failure:
        return Findings(ladder.blame_chance(failure, outcome), first)

    # Everything that the next decisions need, in one batch; an exam that failed needs no stubs and mutants.
    limits = config.mutant_limits(outcome.cpu_seconds)
    replays = _replay_plans(subject, config)
    claims = ClaimsTest(subject, config.limits(), limits)
    strength_test = None if exam_failure else StrengthTest.of(subject, config, limits)
    impostors = strength_test.plans() if strength_test else []
    checked = claims.plans()
    outcomes = iter(await trial.execute([*replays, *checked, *impostors]))

    flaky = _judge_replays(trial, first, replays, list(islice(outcomes, len(replays))))
    held = claims.hold(trial, list(islice(outcomes, len(checked))))
    exercises = _solved(subject, outcome)
    failure = flaky or _judge_answers(subject, exercises) or exam_failure
    if failure or strength_test is None:
        return Findings(failure, first, held, exercises)
    strength = await strength_test.judge(trial, impostors, list(outcomes))
    if strength.failure:
        return Findings(strength.failure, first, held, exercises, strength)
    believed = await claims.falsify(trial, held, strength_test)
    return Findings(ladder.judge_claims(believed), first, believed, exercises, strength)


def _replay_plans(subject: Subject, config: VerificationConfig) -> list[Plan]:
    variations = in_cell_variations(config.replays)
    return [
        Plan("reproducible", f"replay:{number}", main_run(subject, config.limits(), variation))
        for number, variation in enumerate(variations)
    ]


def _judge_replays(trial: Trial, first: Replay, plans: Sequence[Plan], outcomes: Sequence[Outcome]) -> Failure | None:
    replays = []
    for plan, outcome in zip(plans, outcomes, strict=True):
        replay = Replay(plan.run.variation, result_hash(outcome), outcome, trial.cell.place.cell_id)
        trial.record(plan, outcome, supports=replay.result_hash == first.result_hash and not outcome.taints)
        replays.append(replay)
    return ladder.judge_replays(first, replays)


def _solved(subject: Subject, outcome: Outcome) -> tuple[SolvedExercise, ...]:
    pairs = zip(subject.lesson.exercises, outcome.calls, strict=False)
    return tuple(SolvedExercise(exercise.question, exercise.arguments, call.value) for exercise, call in pairs)


def _judge_answers(subject: Subject, exercises: Sequence[SolvedExercise]) -> Failure | None:
    for exercise, solved in zip(subject.lesson.exercises, exercises, strict=False):
        if contradicts(exercise.answer, solved.value):
            told = f"{exercise.question}\nanswer given: {exercise.answer}\nthe code returns: {solved.value}"
            return ladder.failure("executed.contradiction", told)
    return None
