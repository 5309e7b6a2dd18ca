"""The archive in memory: crystals that are stored, how they stand, and what was revoked; it stores none itself."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ghostd.core.concept import Concept
from ghostd.core.crystal import Crystal, Verdict, VerdictKind
from ghostd.core.evidence import Evidence
from ghostd.core.reverification import (
    Decision,
    Due,
    Image,
    Judgement,
    Policy,
    Revocation,
    Standing,
    has_bad_record,
    is_weak,
    judge,
    state_after_revocation,
)
from ghostd.errors import NotFound
from ghostd.ports import Clock
from ghostd.testing.journal import MemoryJournal


@dataclass(slots=True)
class KnownConcept:
    """A concept and what became of it."""

    concept: Concept
    reason: str  # why it was admitted
    state: str
    changed_at: float
    choice: dict[str, float] = field(default_factory=dict)  # why it was scheduled


@dataclass(slots=True)
class _Check:
    """The last check of a crystal."""

    at: float  # seconds since the epoch
    verdict: VerdictKind
    image: Image | None
    mutants_total: int
    postponed_at: float | None = None  # seconds since the epoch


class MemoryArchive(MemoryJournal):
    """Re-verification's and revocation's share of ports.Archive, as `db.reverifications` and `db.revocation` answer."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.known: dict[str, KnownConcept] = {}  # by slug, the oldest first
        self.stored: dict[str, Crystal] = {}
        self.revoked: dict[str, Revocation] = {}  # by crystal id, in the order of their leaves
        self.replays: dict[str, list[Verdict]] = {}  # by crystal id, the oldest first
        self.judgements: dict[str, list[tuple[Judgement, Due | None]]] = {}  # likewise
        self._parents: dict[str, set[str]] = {}  # by crystal id
        self._checks: dict[str, _Check] = {}

    async def standings(self, policy: Policy, pool: int) -> list[Standing]:  # noqa: ARG002 - memory needs no bound
        """Believed crystals that may be due, the longest unchecked first."""
        believed = sorted(self._checks.keys() - self.revoked.keys(), key=lambda one: (self._checks[one].at, one))
        every = [self._standing(crystal_id) for crystal_id in believed]
        return [one for one in every if _may_be_due(one, policy)]

    async def record_reverification(
        self, crystal_id: str, verdict: Verdict, judgement: Judgement | None = None, due: Due | None = None
    ) -> tuple[str, ...]:
        """Keep what a replay said and what follows from it; the ids that were revoked for it."""
        judgement = judgement or judge([verdict])
        self.replays.setdefault(crystal_id, []).append(verdict)
        self.judgements.setdefault(crystal_id, []).append((judgement, due))
        if judgement.decision is Decision.REVOKE:
            return await self.revoke(crystal_id, judgement.reason, "reverification")
        check = self._checks[crystal_id]
        check.at, check.verdict, check.postponed_at = self._clock.now(), verdict.kind, None
        check.image = _image(verdict.evidence) or check.image
        return ()

    async def postpone(self, crystal_ids: Sequence[str]) -> None:
        """Note that replays of these crystals broke their cells while others did not."""
        for crystal_id in crystal_ids:
            self._checks[crystal_id].postponed_at = self._clock.now()

    async def record_lineage(self, child_id: str, parent_ids: list[str], kind: str) -> None:  # noqa: ARG002 - the store's signature
        """Note which crystals a composite is made of. If one of them was revoked meanwhile, so is the composite."""
        self._parents.setdefault(child_id, set()).update(parent_ids)
        fallen = [self.revoked[one] for one in sorted(parent_ids) if one in self.revoked][:1]
        for one in fallen:
            origin = self.revoked[one.origin_id or one.crystal_id]
            self._withdraw([child_id, *self._descendants(child_id)], origin.reason, origin.crystal_id, one.revoked_by)

    async def revoke(self, crystal_id: str, reason: str, revoked_by: str = "") -> tuple[str, ...]:
        """Withdraw the crystal and everything made of it; the ids that this call withdrew. Raises NotFound."""
        if crystal_id not in self.stored:
            raise NotFound(f"there is no crystal {crystal_id}; `ghostd search` finds what there is")
        return self._withdraw([crystal_id, *self._descendants(crystal_id)], reason, crystal_id, revoked_by)

    async def revocation(self, crystal_id: str) -> Revocation | None:
        """Why the crystal is not believed, None when it is."""
        return self.revoked.get(crystal_id)

    def begin_standing(self, crystal: Crystal, verdict: Verdict) -> None:
        """Note how a new crystal stands."""
        at = crystal.created_at or self._clock.now()
        self._checks[crystal.id] = _Check(at, verdict.kind, _image(verdict.evidence), verdict.mutants_total)

    def _withdraw(self, family: list[str], reason: str, origin_id: str, revoked_by: str) -> tuple[str, ...]:
        new, now = tuple(one for one in family if one not in self.revoked), self._clock.now()
        for one in new:
            why = reason if one == origin_id else f"made of {origin_id}, which was revoked: {reason}"
            origin = "" if one == origin_id else origin_id
            self.revoked[one] = Revocation(one, why, revoked_by, origin, now)
        for slug in {self.stored[one].concept.slug for one in new}:
            ids = [number for number, one in self.stored.items() if one.concept.slug == slug]
            revoked = sum(number in self.revoked for number in ids)
            known = self.known[slug]
            if known.state == "crystal":
                known.state, known.changed_at = state_after_revocation(len(ids) - revoked, revoked), now
        return new

    def _descendants(self, crystal_id: str) -> list[str]:
        found: set[str] = set()
        reached = {crystal_id}
        while reached:
            reached = {child for child, parents in self._parents.items() if parents & reached} - found - {crystal_id}
            found |= reached
        return sorted(found)

    def _standing(self, crystal_id: str) -> Standing:
        crystal, check = self.stored[crystal_id], self._checks[crystal_id]
        failures = [one for one in self.revoked.values() if not one.origin_id]
        siblings = [
            one
            for one in failures
            if self.stored[one.crystal_id].concept.lineage == crystal.concept.lineage
            and self.stored[one.crystal_id].teacher == crystal.teacher
            and one.revoked_at > check.at
        ]
        records = Counter(_record(self.stored[one.crystal_id]) for one in failures)
        return Standing(
            crystal_id=crystal_id,
            unchecked_seconds=self._clock.now() - check.at,
            grade=crystal.grade,
            quality=crystal.quality,
            mutants_total=check.mutants_total,
            verdict=check.verdict,
            image=check.image,
            failed_siblings=len(siblings),
            teacher_failed=records[_record(crystal)],
            postponed_seconds=None if check.postponed_at is None else self._clock.now() - check.postponed_at,
            teacher_crystals=sum(_record(one) == _record(crystal) for one in self.stored.values()),
        )


def _record(crystal: Crystal) -> tuple[str, str]:
    return crystal.teacher, crystal.concept.domain


def _image(found: tuple[Evidence, ...]) -> Image | None:
    place = found[-1].place if found else None
    return Image(place.backend, place.image_id, place.cell_version) if place else None


def _may_be_due(one: Standing, policy: Policy) -> bool:
    doubted = is_weak(one.grade, one.quality, one.mutants_total) or has_bad_record(
        one.teacher_failed, one.teacher_crystals
    )
    return (
        one.verdict in {VerdictKind.REFUTED, VerdictKind.FLAKY}
        or one.failed_siblings > 0
        or one.image not in {None, policy.image}
        or one.unchecked_seconds >= policy.after_seconds
        or (doubted and one.unchecked_seconds >= policy.risky_after_seconds)
    )
