"""The store in memory: ports.Store, Agenda, Journal and Archive as on Postgres, for one process and one run."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace

from ghostd.core.concept import Concept, Domain, slugify
from ghostd.core.crystal import Crystal, Grade, Stage, Verdict, VerdictKind
from ghostd.core.dedup import Known, LessonSketch, concept_text, decide_concept, decide_lesson, lesson_sketch
from ghostd.core.evidence import Evidence
from ghostd.core.frontier import Candidate, Choice
from ghostd.core.lesson import Exam, Failure, Lesson
from ghostd.errors import NotFound
from ghostd.ports import Admission, AttemptRecord, Clock, DomainView
from ghostd.testing.archive import KnownConcept, MemoryArchive

_STATES = ("open", "scheduled", "crystal", "failed", "duplicate")
_SHORTEST_PREFIX = 4  # of a crystal's id


class MemoryStore(MemoryArchive):
    """Every method answers as `db.store.PostgresStore` does; what tests look at is public."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.attempts: dict[int, AttemptRecord] = {}
        self.evidence: dict[int, tuple[Evidence, ...]] = {}  # by attempt
        self._domains: dict[str, Domain] = {}
        self._answered_at: dict[int, float] = {}

    async def admit_concepts(self, concepts: Sequence[Concept], reason: str) -> list[Admission]:
        """Add those that are new, in order; one answer per proposal. Missing domains are added as well."""
        return [self._admit(concept, reason) for concept in concepts]

    async def open_attempt(
        self, concept: Concept, teacher: str, repair_round: int = 0, parent_id: int | None = None
    ) -> AttemptRecord:
        """A new attempt, or the unfinished one with the same concept, round and parent. Raises NotFound."""
        known = self._find(concept.slug)
        for one in self.attempts.values():
            if (one.concept, one.repair_round, one.parent_id, one.verdict) == (concept, repair_round, parent_id, ""):
                return one
        number = len(self.attempts) + 1
        attempt = AttemptRecord(number, known.concept, teacher, repair_round, parent_id, Stage.ASKED, "", None, None)
        self.attempts[number] = attempt
        known.changed_at = self._clock.now()
        return attempt

    async def load_attempt(self, attempt_id: int) -> AttemptRecord:
        """The attempt as it stands. Raises NotFound."""
        if attempt_id not in self.attempts:
            raise NotFound(f"there is no attempt {attempt_id}")
        return self.attempts[attempt_id]

    async def stranded_attempts(self, older_than_seconds: float) -> list[int]:
        """Attempts with a lesson and no verdict whose lesson is that old, the oldest first."""
        before = self._clock.now() - older_than_seconds
        waiting = (number for number, one in self.attempts.items() if one.lesson is not None and not one.verdict)
        return [number for number in waiting if self._answered_at[number] <= before]

    async def record_lesson(self, attempt_id: int, lesson: Lesson, exam: Exam) -> bool:
        """Keep the teacher's answer; False when the attempt is finished or has one already."""
        attempt = await self.load_attempt(attempt_id)
        if attempt.verdict or attempt.lesson is not None:
            return False
        self.attempts[attempt_id] = replace(attempt, lesson=lesson, exam=exam, stage=Stage.PARSED)
        self._answered_at[attempt_id] = self._clock.now()
        return True

    async def reject(
        self, attempt_id: int, stage: Stage, verdict: str, failure: Failure, evidence: Sequence[Evidence]
    ) -> bool:
        """Finish the attempt with the reason; False when it was finished before."""
        return self._finish(attempt_id, stage, verdict or VerdictKind.INCONCLUSIVE, failure, evidence)

    async def crystallise(self, attempt_id: int, crystal: Crystal, verdict: Verdict) -> bool:
        """Store the crystal and finish the attempt; False when it was finished, or as a duplicate."""
        attempt = await self.load_attempt(attempt_id)
        if attempt.verdict:
            return False
        known = self._find(attempt.concept.slug)
        twin = self._twin(crystal, attempt.concept)
        if twin:
            failure = Failure("novel", "duplicate", twin)
            known.state = known.state if known.state == "crystal" else "duplicate"
            self._finish(attempt_id, Stage.TESTED, "duplicate", failure, verdict.evidence)
            return False
        self.stored[crystal.id] = crystal
        self.begin_standing(crystal, verdict)
        known.state = "crystal"
        return self._finish(attempt_id, Stage.STORED, verdict.kind, None, verdict.evidence)

    async def crystals(
        self, min_grade: Grade = Grade.TESTED, domain: str = "", include_revoked: bool = False
    ) -> AsyncIterator[Crystal]:
        """All crystals by ascending id."""
        hidden = set() if include_revoked else set(self.revoked)
        for number in sorted(self.stored.keys() - hidden):
            crystal = self.stored[number]
            if self._graded(crystal, min_grade) and domain in {"", crystal.concept.domain}:
                yield crystal

    async def crystal_count(self) -> int:
        """Crystals that are believed."""
        return len(self.stored.keys() - self.revoked.keys())

    async def add_domains(self, domains: Sequence[Domain], reason: str) -> int:  # noqa: ARG002 - the port's signature
        """Add those whose slug is new; how many were."""
        new = {one.slug: one for one in domains if one.slug not in self._domains}
        self._domains |= new
        return len(new)

    async def domains(self) -> list[DomainView]:
        """Every domain with its figures, the oldest first."""
        return [self._view(domain) for domain in self._domains.values()]

    async def frontier(self, limit: int) -> list[Candidate]:
        """Open concepts, oldest first within each domain, at most `limit` in all, domains in turn."""
        places: Counter[str] = Counter()
        queued: list[tuple[int, str, Concept]] = []
        for concept in self._in_state("open"):
            places[concept.domain] += 1
            queued.append((places[concept.domain], concept.domain, concept))
        queued.sort(key=lambda one: one[:2])
        return [self._candidate(concept) for _, _, concept in queued[:limit]]

    async def schedule(self, choices: Sequence[Choice]) -> list[str]:
        """Move the chosen concepts from open to scheduled, with the reason; the slugs that moved, in order."""
        moved = []
        for one in choices:
            known = self.known.get(one.slug)
            if known is not None and known.state == "open":
                known.state, known.changed_at = "scheduled", self._clock.now()
                known.choice = {"score": one.score, **one.reason}
                moved.append(one.slug)
        return moved

    async def concept(self, slug: str) -> Concept:
        """The concept of that slug. Raises NotFound."""
        return self._find(slug).concept

    async def mark(self, slug: str, state: str) -> None:
        """Set the concept's state. Raises NotFound, and ValueError for an unknown state."""
        if state not in _STATES:
            raise ValueError(f"{state!r} is none of {_STATES}")
        known = self._find(slug)
        known.state, known.changed_at = state, self._clock.now()

    async def reopen_stalled(self, older_than_seconds: float) -> int:
        """Scheduled concepts without an unfinished attempt, unchanged for that long, become open again; how many."""
        before = self._clock.now() - older_than_seconds
        busy = {one.concept.slug for one in self.attempts.values() if not one.verdict}
        stalled = [
            known
            for slug, known in self.known.items()
            if known.state == "scheduled" and known.changed_at < before and slug not in busy
        ]
        for known in stalled:
            known.state, known.changed_at = "open", self._clock.now()
        return len(stalled)

    async def in_flight(self) -> int:
        """Concepts that are scheduled and not yet crystal or failed."""
        return len(list(self._in_state("scheduled")))

    async def known_titles(self, domain: str, limit: int) -> list[str]:
        """The titles learnt of most recently, the newest first."""
        titles = [one.concept.title for one in self.known.values() if one.concept.domain == domain]
        return titles[::-1][:limit]

    async def missing_prerequisites(self, domain: str, limit: int) -> list[str]:
        """Titles that concepts of the domain build on and that no concept or parent bears, the most wanted first."""
        borne = {name for one in self.known.values() for name in _names(one.concept)}
        wanted: Counter[str] = Counter()
        titles: dict[str, str] = {}
        for one in self.known.values():
            for slug, title in _needs(one.concept).items() if one.concept.domain == domain else ():
                if slug not in borne:
                    wanted[slug] += 1
                    titles[slug] = min(title, titles.get(slug, title))
        return [titles[slug] for slug in sorted(wanted, key=lambda slug: (-wanted[slug], slug))][:limit]

    async def get(self, crystal_id: str) -> Crystal:
        """The crystal of that id, unique beginning of an id, or concept slug; revoked ones too. Raises NotFound."""
        found = [one for one in self.stored.values() if one.concept.slug == crystal_id]
        found = sorted(found, key=lambda one: (one.id in self.revoked, -one.created_at))[:1]
        if len(crystal_id) >= _SHORTEST_PREFIX:
            found += [one for number, one in self.stored.items() if number.startswith(crystal_id)]
        if len(found) > 1:
            raise NotFound(f"more than one crystal begins with {crystal_id}; write more of it")
        if not found:
            raise NotFound(f"there is no crystal {crystal_id}; `ghostd search` finds what there is")
        return found[0]

    def _find(self, slug: str) -> KnownConcept:
        if slug not in self.known:
            raise NotFound(f"there is no concept {slug}; `ghostd search` finds what there is")
        return self.known[slug]

    def _admit(self, concept: Concept, reason: str) -> Admission:
        if concept.slug in self.known:
            return Admission(concept, admitted=False, duplicate_of=concept.slug, similarity=1.0)
        texts = [Known(slug, _text(one.concept)) for slug, one in self.known.items()]
        decision = decide_concept(_text(concept), texts)
        if not decision.duplicate_of:
            title = concept.domain.replace("-", " ").capitalize()
            self._domains.setdefault(concept.domain, Domain(concept.domain, title))
            self.known[concept.slug] = KnownConcept(concept, reason, "open", self._clock.now())
        return Admission(concept, not decision.duplicate_of, decision.duplicate_of, decision.similarity)

    def _finish(
        self, attempt_id: int, stage: Stage, verdict: str, failure: Failure | None, evidence: Sequence[Evidence]
    ) -> bool:
        if attempt_id not in self.attempts:
            raise NotFound(f"there is no attempt {attempt_id}")
        attempt = self.attempts[attempt_id]
        if attempt.verdict:
            return False
        self.attempts[attempt_id] = replace(attempt, stage=stage, verdict=str(verdict), failure=failure)
        self.evidence[attempt_id] = tuple(evidence)
        self._find(attempt.concept.slug).changed_at = self._clock.now()
        return True

    def _twin(self, crystal: Crystal, concept: Concept) -> str:
        """The believed crystal that says the same, or one of the same words even if it was revoked."""
        believed = [one for number, one in self.stored.items() if number not in self.revoked]
        standing = [one.id for one in believed if one.concept.slug == concept.slug]
        if crystal.id in self.stored or standing:
            return crystal.id if crystal.id in self.stored else standing[0]
        said = _knowledge(crystal)
        drawn = {number: _knowledge(one) for number, one in self.stored.items()}
        codes = [Known(number, one.code.text) for number, one in drawn.items()]
        barring = [
            Known(number, one.explanation.text)
            for number, one in drawn.items()
            if number not in self.revoked or one.explanation.text == said.explanation.text
        ]
        return decide_lesson(said, codes, barring).duplicate_of

    def _graded(self, crystal: Crystal, minimum: Grade) -> bool:
        replays = self.replays.get(crystal.id, [])
        audited = bool(replays) and replays[-1].kind is VerdictKind.VERIFIED
        return crystal.grade >= minimum or (minimum is Grade.AUDITED and audited)

    def _in_state(self, state: str) -> Iterator[Concept]:
        return (known.concept for known in self.known.values() if known.state == state)

    def _view(self, domain: Domain) -> DomainView:
        states = Counter(one.state for one in self.known.values() if one.concept.domain == domain.slug)
        verdicts = Counter(one.verdict for one in self.attempts.values() if one.concept.domain == domain.slug)
        return DomainView(
            domain,
            concepts=states.total(),
            open_concepts=states["open"],
            crystals=states["crystal"],
            attempts=verdicts.total() - verdicts[""],
            verified=verdicts[VerdictKind.VERIFIED],
        )

    def _candidate(self, concept: Concept) -> Candidate:
        learnt = {name for one in self._in_state("crystal") for name in _names(one)}
        needs = _needs(concept)
        view = self._view(self._domains[concept.domain])
        return Candidate(
            slug=concept.slug,
            domain=concept.domain,
            lineage=concept.lineage,
            prerequisites_met=sum(slug in learnt for slug in needs) / len(needs) if needs else 1.0,
            domain_crystals=view.crystals,
            domain_attempts=view.attempts,
            domain_verified=view.verified,
            lineage_crystals=sum(one.lineage == concept.lineage for one in self._in_state("crystal")),
        )


def _text(concept: Concept) -> str:
    return concept_text(concept.title, concept.statement)


def _knowledge(crystal: Crystal) -> LessonSketch:
    return lesson_sketch(crystal.lesson.explanation, crystal.lesson.code)


def _names(concept: Concept) -> set[str]:
    return {slugify(concept.title), concept.lineage.partition("/")[2]}


def _needs(concept: Concept) -> dict[str, str]:
    """Titles of the prerequisites by their slugs."""
    return {slugify(title): title for title in concept.prerequisites if slugify(title)}
