"""Curiosity: asks the teacher what there is to know around the frontier, and admits what is new."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ghostd.core.frontier import is_saturated, wanted_concepts
from ghostd.cycles.config import CuriosityConfig
from ghostd.cycles.run import journalled
from ghostd.log import logger
from ghostd.ports import Agenda, DomainView, Journal, Store, Teacher

_log = logger("curiosity")
_KNOWN_TITLES = 40  # what one prompt shows of the domain
_MOST_DOUBLINGS = 6  # 63 rounds, two minutes with the usual timer


@dataclass(slots=True)
class Patience:
    """Rounds to sit out after explorations that brought nothing: 1, 3, 7 ... so that a useless teacher costs little."""

    fruitless: int = 0  # explorations in a row
    left: int = 0  # rounds to sit out yet
    refused: Counter[str] = field(default_factory=Counter)  # proposals that were not new, by domain

    def waits(self) -> bool:
        """Whether this round is sat out."""
        waiting = self.left > 0
        self.left -= waiting
        return waiting

    def learn(self, admitted: int) -> None:
        """Take note of what an exploration brought."""
        self.fruitless = 0 if admitted else self.fruitless + 1
        self.left = 2 ** min(self.fruitless, _MOST_DOUBLINGS) - 1


@dataclass(frozen=True, slots=True)
class Curiosity:
    """Keeps enough open concepts ready, thin domains first."""

    teacher: Teacher
    store: Store
    agenda: Agenda
    journal: Journal
    config: CuriosityConfig
    patience: Patience = field(default_factory=Patience)

    async def explore(self) -> dict[str, int]:
        """Refill the backlog if it is low; what was proposed and admitted, empty when nothing was needed."""
        domains = await self.agenda.domains()
        open_concepts = sum(view.open_concepts for view in domains)
        wanted = wanted_concepts(open_concepts, await self.agenda.in_flight(), self.config.backlog)
        if not wanted or self.patience.waits():
            return {}
        async with journalled(self.journal, "curiosity", f"{open_concepts} open concepts, {wanted} wanted") as run:
            if len(domains) < self.config.domains:
                domains = await self._open_domains(domains)
            asked = self._thinnest(domains, -(-wanted // self.config.batch))
            outcomes = await asyncio.gather(*(self._ask(view) for view in asked))
            proposed, admitted = sum(one[0] for one in outcomes), sum(one[1] for one in outcomes)
            self.patience.learn(admitted)
            saturated = is_saturated(admitted, proposed)
            if saturated:
                _log.warning("curiosity.saturated", proposed=proposed, admitted=admitted)
            counts = {"domains": len(asked), "proposed": proposed, "admitted": admitted, "saturated": int(saturated)}
            await self.journal.finish_run(run, "ok", counts, _outcome(admitted, saturated=saturated))
        _log.info("concepts.admitted", **counts)
        return counts

    def _thinnest(self, domains: Sequence[DomainView], count: int) -> list[DomainView]:
        """So many domains, thin ones first; after fruitless explorations others have their turn."""
        order = sorted(domains, key=lambda view: (view.open_concepts, view.concepts, view.domain.slug))
        first = self.patience.fruitless * count % len(order) if order else 0
        return [*order[first:], *order[:first]][:count]

    async def _open_domains(self, known: Sequence[DomainView]) -> list[DomainView]:
        titles = [view.domain.title for view in known]
        reply = await self.teacher.propose_domains(self.config.seeds, titles, self.config.domains - len(known))
        if reply.value is None:
            _log.warning("domains.refused", reason=reply.problem, detail=reply.detail[:200])
        else:
            added = await self.agenda.add_domains(reply.value, f"around {', '.join(self.config.seeds)}")
            _log.info("domains.added", count=added)
        return await self.agenda.domains()

    async def _ask(self, view: DomainView) -> tuple[int, int]:
        domain = view.domain
        known = await self.agenda.known_titles(domain.slug, _KNOWN_TITLES)
        gaps = await self.agenda.missing_prerequisites(domain.slug, 1)
        focus = gaps[0] if gaps else ""
        # what was refused counts as known: else a domain with nothing but duplicates is asked the same for ever
        seen = view.concepts + self.patience.refused[domain.slug]
        reply = await self.teacher.propose_concepts(domain, self.config.batch, seen, known, focus)
        if reply.value is None:
            _log.warning("concepts.refused", domain=domain.slug, reason=reply.problem, detail=reply.detail[:200])
            return 0, 0
        reason = f"gap: {focus} is a missing prerequisite" if focus else f"coverage: {view.concepts} concepts known"
        admissions = await self.store.admit_concepts(reply.value, reason)
        admitted = sum(one.admitted for one in admissions)
        self.patience.refused[domain.slug] += len(admissions) - admitted
        return len(admissions), admitted


def _outcome(admitted: int, *, saturated: bool) -> str:
    if saturated:
        return "novelty has dried up"
    return "backlog refilled" if admitted else "the teacher proposed nothing that could be used"
