"""Which crystals to check again, and what a replay means for one: pure choices over recorded facts, no I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ghostd.core.crystal import Grade, Verdict, VerdictKind

LOW_QUALITY = 0.6
FEW_MUTANTS = 8  # non-equivalent ones that were tried
PATIENCE_SECONDS = 86_400.0  # before a crystal that broke its cell while others were replayed is tried again
RECORD_FAILURES = 2  # of one teacher in one domain, before its other crystals there are doubted
RECORD_SHARE = 0.02  # of the teacher's crystals in that domain


class Reason(StrEnum):
    """Why a crystal is due. The words are stored with the replay and shown as they are."""

    FAILED = "the last replay failed"
    SIBLING = "a crystal of its lineage failed since"
    IMAGE = "the sandbox changed"
    AGE = "long unchecked"
    QUALITY = "low quality"
    MUTANTS = "few mutants"
    GRADE = "weak grade"
    TEACHER = "its teacher failed in this domain"


_WEIGHTS = {Reason.FAILED: 8.0, Reason.SIBLING: 4.0, Reason.IMAGE: 2.0, Reason.AGE: 1.0}
_WEAKNESS = 0.25  # each; all of them together weigh as much as age


@dataclass(frozen=True, slots=True)
class Image:
    """What code runs in: a replay elsewhere than where a crystal was last checked says something new."""

    backend: str  # docker, bubblewrap or trusted
    image_id: str  # sha256 of the image, or of the bound runtime
    cell_version: str  # sha256 of the cell's programs


@dataclass(frozen=True, slots=True)
class Policy:
    """When a crystal is due."""

    after_seconds: float  # since its last check, for every crystal
    risky_after_seconds: float  # the same for a crystal with a weakness
    image: Image  # of today


@dataclass(frozen=True, slots=True)
class Standing:
    """A crystal that is believed, and what is known about how well it stands."""

    crystal_id: str
    unchecked_seconds: float  # since it was stored or last replayed
    grade: Grade
    quality: float  # 0..1
    mutants_total: int  # non-equivalent ones that its exam was tried on
    verdict: VerdictKind  # of the last check
    image: Image | None  # of the last check; None when nothing was executed
    failed_siblings: int = 0  # crystals of its lineage and teacher that failed since the last check
    teacher_failed: int = 0  # crystals of its teacher in its domain that failed, ever
    teacher_crystals: int = 0  # crystals of its teacher in its domain, revoked ones too
    postponed_seconds: float | None = None  # since a replay broke its cell; None when that did not happen last


@dataclass(frozen=True, slots=True)
class Due:
    """A crystal to replay, and why; the reasons are stored with the replay."""

    crystal_id: str
    score: float
    reasons: tuple[Reason, ...]


class Decision(StrEnum):
    """What follows from the replays of one crystal."""

    HELD = "held"
    REPEAT = "repeat"  # nobody is accused on the word of one replay
    REVOKE = "revoke"
    UNDECIDED = "undecided"  # it could not be told; the crystal stands


@dataclass(frozen=True, slots=True)
class Judgement:
    """The decision, and its reason in stable words."""

    decision: Decision
    reason: str


@dataclass(frozen=True, slots=True)
class Revocation:
    """That a crystal is no longer believed."""

    crystal_id: str
    reason: str
    revoked_by: str  # reverification, or the person at the command line; '' where nobody said
    origin_id: str  # the ancestor that failed; '' for a crystal that failed itself
    revoked_at: float  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class KnownRevocations:
    """How far the log of revocations had come at some moment."""

    count: int = 0
    head: str = ""  # leaf hash of the newest one in the ledger, hex; '' when there is none


def is_weak(grade: Grade, quality: float, mutants_total: int) -> bool:
    """Whether something about how the crystal was verified makes it worth checking sooner; it never changes."""
    return bool(_weaknesses(grade, quality, mutants_total))


def has_bad_record(failed: int, crystals: int) -> bool:
    """Whether a teacher failed often enough in a domain that its other crystals there are doubted."""
    return failed >= RECORD_FAILURES and failed >= RECORD_SHARE * crystals


def rank(standings: Iterable[Standing], policy: Policy, limit: int) -> list[Due]:
    """The at most `limit` crystals to replay next, the most urgent first.

    A failed replay, a failed sibling and a changed sandbox make a crystal due at once, weakness after
    `risky_after_seconds`, and age alone after `after_seconds`. Reasons add up, so that what is old as well comes
    before what is merely due; among equals the longest unchecked is first.
    A crystal that broke its cell waits, so that a few of those do not take every run's places.
    """
    due = [one for one in (_due(standing, policy) for standing in standings) if one is not None]
    return sorted(due, key=lambda one: (-one.score, one.crystal_id))[:limit]


def judge(verdicts: Sequence[Verdict]) -> Judgement:
    """What the replays of one crystal decide, given in the order in which they were made.

    One that holds is enough: what is deterministic and wrong fails every time. Two that fail, each alone in a fresh
    cell, revoke. An outage is no verdict and does not come here.
    """
    failures = [one.failure.reason if one.failure else one.kind.value for one in verdicts]
    if verdicts and verdicts[-1].kind is VerdictKind.VERIFIED:
        return Judgement(Decision.HELD, f"{failures[0]} at first, then it held" if len(verdicts) > 1 else "it held")
    if len(verdicts) < 2:  # noqa: PLR2004 - the second opinion
        return Judgement(Decision.REPEAT, failures[-1] if failures else "not replayed yet")
    if any(one.kind is VerdictKind.INCONCLUSIVE for one in verdicts):
        return Judgement(Decision.UNDECIDED, failures[-1])
    return Judgement(Decision.REVOKE, failures[-1])


def state_after_revocation(believed: int, revoked: int) -> str:
    """What becomes of a concept of which so many crystals are still believed, and so many were ever revoked.

    The first time it is open to be learnt again: the teacher may do better. The second time it has failed.
    """
    if believed:
        return "crystal"
    return "open" if revoked <= 1 else "failed"


def _due(standing: Standing, policy: Policy) -> Due | None:
    if standing.postponed_seconds is not None and standing.postponed_seconds < PATIENCE_SECONDS:
        return None
    reasons = []
    if standing.verdict in {VerdictKind.REFUTED, VerdictKind.FLAKY}:
        reasons.append(Reason.FAILED)
    if standing.failed_siblings:
        reasons.append(Reason.SIBLING)
    if standing.image is not None and standing.image != policy.image:
        reasons.append(Reason.IMAGE)
    if standing.unchecked_seconds >= policy.after_seconds:
        reasons.append(Reason.AGE)
    weaknesses = _weaknesses(standing.grade, standing.quality, standing.mutants_total)
    if has_bad_record(standing.teacher_failed, standing.teacher_crystals):
        weaknesses.append(Reason.TEACHER)
    if not reasons and not (weaknesses and standing.unchecked_seconds >= policy.risky_after_seconds):
        return None
    waited = standing.unchecked_seconds / policy.after_seconds
    score = sum(_WEIGHTS[one] for one in reasons) + _WEAKNESS * len(weaknesses) + waited / (1.0 + waited)
    return Due(standing.crystal_id, round(score, 6), (*reasons, *weaknesses))


def _weaknesses(grade: Grade, quality: float, mutants_total: int) -> list[Reason]:
    found = {
        Reason.QUALITY: quality < LOW_QUALITY,
        Reason.MUTANTS: mutants_total < FEW_MUTANTS,
        Reason.GRADE: grade < Grade.TESTED,
    }
    return [reason for reason, present in found.items() if present]
