"""The rungs that execute, in one cell: executed, reproducible (but for the replays elsewhere) and tested.

It hands runs to the cell in as few batches as the decisions allow and collects the evidence; what the
outcomes mean is decided by `core.ladder`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from ghostd.core import ladder
from ghostd.core.attestation import result_hash
from ghostd.core.crystal import CheckedClaim, SolvedExercise
from ghostd.core.evidence import CallOutcome, Outcome, Run
from ghostd.core.ladder import Replay
from ghostd.core.lesson import Failure
from ghostd.verify.answers import contradicts
from ghostd.verify.claims import ClaimsTest
from ghostd.verify.config import VerificationConfig
from ghostd.verify.deterministic import FIRST, in_cell_variations
from ghostd.verify.inputs import generate_inputs
from ghostd.verify.runs import Plan, Subject, Trial, main_run
from ghostd.verify.strength import NOTHING_TRIED, Strength, StrengthTest

_ASKED_OF_LAWS = 8  # of the exam's own argument lists, the edges first as a rule; the other inputs are generated


@dataclass(frozen=True, slots=True)
class Findings:
    """What the cell showed. `failure` is the first rung's that failed, None when all passed."""

    failure: Failure | None
    first: Replay  # what the replays in another container have to agree with
    claims: tuple[CheckedClaim, ...] = ()
    exercises: tuple[SolvedExercise, ...] = ()
    strength: Strength = NOTHING_TRIED
    properties: tuple[CheckedClaim, ...] = ()
    answers: Mapping[str, CallOutcome] = field(default_factory=dict)  # by argument list; the chosen ones first


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
    inputs = generate_inputs(subject.reading.questions, config.generated_inputs, subject.lesson.code.encode())
    asked = tuple(question.arguments for question in subject.reading.questions)
    claims = ClaimsTest(subject, config.limits(), limits, (*asked[:_ASKED_OF_LAWS], *inputs))
    strength_test = None if exam_failure else StrengthTest.of(subject, config, limits, inputs)
    impostors = strength_test.plans() if strength_test else []
    checked = claims.plans()
    generated = _generated_plan(subject, inputs, config)
    outcomes = iter(await trial.execute([*replays, *checked, generated, *impostors]))

    flaky = _judge_replays(trial, first, replays, list(islice(outcomes, len(replays))))
    held = claims.hold(trial, list(islice(outcomes, len(checked))))
    expected = next(outcomes)
    trial.record(generated, expected, supports=True)
    exercises = _solved(subject, outcome)
    laws = len(subject.lesson.claims)  # where they begin
    flaky = flaky or ladder.judge_history(main.run.calls, outcome)
    failure = flaky or _judge_answers(subject, exercises) or exam_failure or ladder.judge_properties(held[laws:])
    findings = Findings(failure, first, held[:laws], exercises, properties=held[laws:])
    if failure or strength_test is None:
        return findings
    strength = await strength_test.judge(trial, impostors, list(outcomes), expected)
    if strength.failure:
        return replace(findings, failure=strength.failure, strength=strength)
    believed = await claims.falsify(trial, held, strength_test)
    return replace(
        findings,
        failure=ladder.judge_claims(believed[:laws]),
        claims=believed[:laws],
        strength=strength,
        properties=believed[laws:],
        answers=_answers(main, outcome) | _answers(generated, expected),
    )


def _generated_plan(subject: Subject, inputs: tuple[str, ...], config: VerificationConfig) -> Plan:
    """The lesson's own code on the generated argument lists, which others are compared with."""
    run = Run(subject.lesson.code, subject.concept.entry, calls=inputs, limits=config.limits())
    return Plan("tested", "inputs", run)


def _answers(plan: Plan, outcome: Outcome) -> dict[str, CallOutcome]:
    pairs = zip(plan.run.calls, outcome.calls, strict=False)
    return {arguments: call for arguments, call in pairs if call.value or call.exception}


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
