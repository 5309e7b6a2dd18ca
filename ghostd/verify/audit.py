"""The replay of a crystal: does it still do what it recorded, in a fresh cell; it revokes nothing."""

from ghostd.core import ladder
from ghostd.core.attestation import result_hash
from ghostd.core.canonical import tolerant
from ghostd.core.crystal import Crystal
from ghostd.core.evidence import Outcome
from ghostd.core.ladder import Replay
from ghostd.core.lesson import Exam, Failure
from ghostd.verify.claims import ClaimsTest
from ghostd.verify.config import VerificationConfig
from ghostd.verify.deterministic import ELSEWHERE, FIRST
from ghostd.verify.exam import ExamReading, UnfitExam, read_exam
from ghostd.verify.runs import Plan, Subject, Trial, main_run


async def audit(trial: Trial, crystal: Crystal, config: VerificationConfig) -> Failure | None:
    """None when exercises, exam and claims come out as recorded; floats within 12 digits are the same,
    since the last bits of a transcendental function differ between processors.

    Raises SandboxUnavailable when the cell or its engine dies.
    """
    exam = Exam(crystal.exam.checks)  # its laws held on inputs that a later version may generate otherwise
    subject = Subject(crystal.concept, crystal.lesson, exam, _reading(crystal))
    claims = ClaimsTest(subject, config.limits(), config.limits())
    plans = [
        Plan("audited", f"audit:{number}", main_run(subject, config.limits(), variation))
        for number, variation in enumerate((FIRST, ELSEWHERE[-1]))
    ]
    outcomes = await trial.execute([*plans, *claims.plans()])
    cell = trial.cell.place.cell_id
    first, second = (
        Replay(plan.run.variation, result_hash(outcome), outcome, cell)
        for plan, outcome in zip(plans, outcomes, strict=False)
    )
    failure = (
        ladder.judge_replays(first, [second])
        or _judge_exercises(crystal, first.outcome)
        or _drift(ladder.judge_exam(first.outcome, crystal.exam.checks))
    )
    for plan, outcome in zip(plans, outcomes, strict=False):
        trial.record(plan, outcome, supports=failure is None)
    return failure or _judge_claims(trial, crystal, claims, outcomes[len(plans) :])


def _judge_exercises(crystal: Crystal, outcome: Outcome) -> Failure | None:
    for position, solved in enumerate(crystal.exercises):
        call = outcome.calls[position] if position < len(outcome.calls) else None
        if call is None or not call.value or tolerant(call.value) != tolerant(solved.value):
            found = "nothing" if call is None else call.value or call.exception
            told = f"{solved.question}\nrecorded: {solved.value}\nfound: {found}"
            return ladder.failure("audited.drift", told)
    return None


def _judge_claims(trial: Trial, crystal: Crystal, claims: ClaimsTest, outcomes: list[Outcome]) -> Failure | None:
    for recorded, found in zip(crystal.claims, claims.hold(trial, outcomes), strict=True):
        settled = recorded.status in {"verified", "refuted"}
        if settled and found.status != recorded.status:
            told = f"{recorded.claim.text} [{recorded.claim.check}] was {recorded.status}, is {found.status}"
            return ladder.failure("audited.claim", told)
    return None


def _drift(failure: Failure | None) -> Failure | None:
    return ladder.failure("audited.exam", failure.artifact) if failure else None


def _reading(crystal: Crystal) -> ExamReading:
    """The questions of the stored exam; one that today's rules call unfit is still replayed check by check."""
    try:
        return read_exam(crystal.exam, crystal.concept.entry)
    except UnfitExam:
        return ExamReading(asserts=0, questions=(), tautologies=0)
