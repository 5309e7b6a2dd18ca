"""The catalogue as one book: which domains, families and titles exist; it knows nothing of requests or faults."""

import functools
import importlib
import itertools
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass

from ghostd.core.concept import Concept, Domain, slugify
from ghostd.errors import NotFound
from ghostd.textbook import catalogue
from ghostd.textbook.catalogue.family import Entry, Family, Parameters

Place = tuple[Family, Parameters]  # where a concept stands in the catalogue


@dataclass(frozen=True, slots=True)
class Chapter:
    """One domain with its families, in the order in which they are taught: prerequisites first."""

    domain: Domain
    families: tuple[Family, ...]

    @property
    def concepts(self) -> int:
        """How many concepts the chapter holds."""
        return sum(len(family.parameters) for family in self.families)


@dataclass(frozen=True, slots=True)
class Summary:
    """How large the catalogue is."""

    domains: int
    families: int
    concepts: int
    by_domain: tuple[tuple[str, int, int], ...]  # (slug, families, concepts)


@functools.cache
def chapters() -> dict[str, Chapter]:
    """Every chapter by its domain's slug: each module of the catalogue that names a DOMAIN is one."""
    modules = [
        importlib.import_module(f"{catalogue.__name__}.{found.name}")
        for found in pkgutil.iter_modules(catalogue.__path__)
        if not found.name.startswith("_") and found.name != "family"
    ]
    return {module.DOMAIN.slug: Chapter(module.DOMAIN, _taught_in_order(module.FAMILIES)) for module in modules}


def _taught_in_order(families: tuple[Family, ...]) -> tuple[Family, ...]:
    """Prerequisites within the chapter first, otherwise in the order of the file."""
    inside = {family.slug: family for family in families}
    ordered: dict[str, Family] = {}

    def place(family: Family, above: tuple[str, ...]) -> None:
        if family.slug in above:
            raise ValueError(f"{family.slug} is its own prerequisite, through {' > '.join(above)}")
        for slug in family.prerequisites:
            if slug in inside:
                place(inside[slug], (*above, family.slug))
        ordered.setdefault(family.slug, family)

    for family in families:
        place(family, ())
    return tuple(ordered.values())


@functools.cache
def family_titles() -> dict[str, str]:
    """Title of each family by its slug, over the whole catalogue."""
    return {family.slug: family.title for chapter in chapters().values() for family in chapter.families}


@functools.cache
def family_of(slug: str) -> Family:
    """The family of that slug. Raises NotFound."""
    for chapter in chapters().values():
        for family in chapter.families:
            if family.slug == slug:
                return family
    raise NotFound(f"the textbook has no family {slug!r}")


def chapter_named(slug: str, title: str = "") -> Chapter | None:
    """The chapter of that slug or title; None when the textbook has none."""
    wanted = {slug, slugify(title)}
    return next(
        (one for one in chapters().values() if {one.domain.slug, slugify(one.domain.title)} & wanted),
        None,
    )


@functools.cache
def _rounds(slug: str) -> tuple[Place, ...]:
    """The domain's concepts round by round: one of each family, then the next of each; nothing is built."""
    families = chapters()[slug].families
    longest = max(len(family.parameters) for family in families)
    return tuple(
        (family, family.parameters[turn])
        for turn in range(longest)
        for family in families
        if turn < len(family.parameters)
    )


def reading_order(slug: str, start: int = 0) -> Iterator[Place]:
    """The domain's concepts in a fixed order from `start` on, and then those before it."""
    order = _rounds(slug)
    start = min(start, len(order))
    return itertools.chain(itertools.islice(order, start, None), itertools.islice(order, start))


def focused_order(slug: str, focus: str, start: int = 0) -> Iterator[Place]:
    """The concepts of the domain's families that the focus names; none without one.

    As many rounds are skipped as `start` concepts of the whole domain take, and come last.
    """
    families = chapters()[slug].families
    wanted = slugify(focus)
    named = [family for family in families if (wanted and slugify(family.title) in wanted) or wanted == family.slug]
    found = find(focus, slug) if wanted and not named else None
    if found is not None and found[0] in families:
        named = [found[0]]
    for family in named:
        turn = start // len(families) % len(family.parameters)
        yield from ((family, parameters) for parameters in (*family.parameters[turn:], *family.parameters[:turn]))


@functools.lru_cache(maxsize=4096)
def _built(slug: str, parameters: Parameters) -> Entry:
    return family_of(slug).build(*parameters)


def entry_at(family: Family, parameters: Parameters) -> Entry:
    """The family's entry for the parameters; recent ones are kept."""
    return _built(family.slug, parameters)


def concept_at(family: Family, parameters: Parameters) -> Concept:
    """The entry as a concept of the graph: the family is its parent, the families before it its prerequisites."""
    entry = entry_at(family, parameters)
    titles = family_titles()
    before = tuple(titles[slug] for slug in family.prerequisites)
    return Concept(family.domain, entry.title, entry.statement, entry.signature, family.title, before)


@functools.cache
def _titles(slug: str) -> dict[str, Place]:
    """Place of each concept of a domain by the slug of its title."""
    return {
        slugify(family.build(*parameters).title): (family, parameters)
        for family in chapters()[slug].families
        for parameters in family.parameters
    }


def find(title: str, domain: str = "") -> Place | None:
    """Where the concept of that title stands; a domain, when known, is searched first. None when there is none."""
    wanted = slugify(title)
    order = sorted(chapters(), key=lambda slug: slug != domain)
    return next((place for slug in order if (place := _titles(slug).get(wanted))), None)


def truth(title: str, domain: str = "") -> Entry:
    """The right entry for a title. Raises NotFound."""
    place = find(title, domain)
    if place is None:
        raise NotFound(f"the textbook has no concept titled {title!r}")
    return entry_at(*place)


def catalogue_summary() -> Summary:
    """How many domains, families and concepts there are; nothing is built."""
    rows = tuple((slug, len(chapter.families), chapter.concepts) for slug, chapter in sorted(chapters().items()))
    return Summary(len(rows), sum(row[1] for row in rows), sum(row[2] for row in rows), rows)
