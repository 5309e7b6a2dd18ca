"""Keeps benchmark content out of a dataset: screens the crystals on their way, and says what was dropped and why.

A crystal is dropped whole: its explanation, code and exercises say the same thing. The report names places in the
benchmark and never quotes it, because a quotation would carry it into the dataset.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ghostd.core import contamination
from ghostd.core.contamination import Match, Place, Rule
from ghostd.core.crystal import Crystal
from ghostd.export.benchmark_files import Reading, read_benchmark, split_fences
from ghostd.export.document import document
from ghostd.export.rows import rows

REPORT = "decontamination.json"
_COMMON_LINEAGES = 10  # a short passage found in more than these, and in more than this share, is common language
_COMMON_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Finding:
    """A crystal that repeats the benchmark."""

    crystal: str  # id
    concept: str  # title
    lineage: str
    matches: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """What the screening of all crystals came to."""

    screened: int  # crystals
    passages: int  # of the benchmark
    files: tuple[str, ...]
    skipped: tuple[str, ...]  # files whose kind is not known
    dropped: tuple[Finding, ...]  # in the order of the crystals' ids
    common: tuple[tuple[Place, int], ...]  # short passages of so many lineages that they count for nothing

    def by_rule(self) -> dict[str, int]:
        """How many crystals each rule found; one crystal may count for several."""
        counts = Counter(rule for one in self.dropped for rule in {match.rule for match in one.matches})
        return {rule.value: counts[rule] for rule in Rule}

    def encode(self) -> str:
        """The text of `decontamination.json`."""
        found = [{**asdict(one), "matches": [_plain(match) for match in one.matches]} for one in self.dropped]
        plain = {
            "screened": self.screened,
            "dropped": len(self.dropped),
            "by_rule": self.by_rule(),
            "benchmark": {"files": self.files, "skipped": self.skipped, "passages": self.passages},
            "rules": _thresholds(),
            "common_short_passages": [{**asdict(place), "lineages": count} for place, count in self.common],
            "crystals": found,
        }
        return json.dumps(plain, indent=1, ensure_ascii=False) + "\n"

    def section(self) -> Iterator[str]:
        """The lines of the card's section."""
        yield "## Decontamination"
        yield ""
        yield (
            f"{len(self.dropped)} of {self.screened} crystals repeated one of {self.passages} passages in "
            f"{len(self.files)} benchmark files and were left out with all of their rows; `{REPORT}` names them."
        )
        yield ""
        yield "| rule | crystals |"
        yield "| --- | --- |"
        yield from (f"| {rule} | {count} |" for rule, count in self.by_rule().items())
        yield ""
        yield "Benchmarks that were not given, translations and paraphrases are not found."


@dataclass(slots=True)
class Screen:
    """Looks at every crystal once; of those without a match it keeps the lineage alone."""

    reading: Reading
    include_unverified_claims: bool
    _screened: int = 0
    _lineages: set[str] = field(default_factory=set)
    _suspects: list[Finding] = field(default_factory=list)

    def look(self, crystals: Iterable[Crystal]) -> None:
        """Compare what would be exported of the crystals with the benchmark."""
        for crystal in crystals:
            self._screened += 1
            self._lineages.add(crystal.concept.lineage)
            prose, code = _passages(crystal, include_unverified_claims=self.include_unverified_claims)
            matches = self.reading.benchmark.matches(prose, code)
            if matches:
                concept = crystal.concept
                self._suspects.append(Finding(crystal.id, concept.title, concept.lineage, tuple(matches)))

    def settle(self) -> Findings:
        """Which crystals to drop, once all were seen: only then it is known which short passages are common."""
        having: defaultdict[Place, set[str]] = defaultdict(set)  # the variants of one concept count once
        for one in self._suspects:
            for match in one.matches:
                if match.rule is Rule.SHORT:
                    having[match.place].add(one.lineage)
        bound = max(_COMMON_LINEAGES, _COMMON_SHARE * len(self._lineages))
        common = {place: len(lineages) for place, lineages in having.items() if len(lineages) > bound}
        dropped = []
        for one in self._suspects:
            kept = tuple(match for match in one.matches if match.rule is not Rule.SHORT or match.place not in common)
            if kept:
                dropped.append(Finding(one.crystal, one.concept, one.lineage, kept))
        reading = self.reading
        return Findings(
            screened=self._screened,
            passages=len(reading.benchmark.places),
            files=reading.files,
            skipped=reading.skipped,
            dropped=tuple(dropped),
            common=tuple(sorted(common.items())),
        )


def screen(folder: Path, *, include_unverified_claims: bool) -> Screen:
    """A screen against the benchmark files in the folder. Raises ExportError; see `read_benchmark`."""
    return Screen(read_benchmark(folder), include_unverified_claims)


def _passages(crystal: Crystal, *, include_unverified_claims: bool) -> tuple[list[str], list[str]]:
    """Prose and code of everything that would be written of the crystal, each piece once."""
    code = crystal.lesson.code.strip()
    prose: dict[str, None] = {}
    blocks = dict.fromkeys([code, "\n".join(crystal.exam.checks)])
    texts = [document(crystal), crystal.lesson.explanation, *(one.claim.text for one in crystal.claims)]
    for row in rows(crystal, include_unverified_claims=include_unverified_claims):
        texts += [row.prompt, row.completion]
    for text in texts:
        words, fenced = split_fences(text)
        prose[words.replace(code, "\n")] = None
        blocks.update(dict.fromkeys(block.strip() for block in fenced))
    return list(prose), list(blocks)


def _plain(match: Match) -> dict[str, str | int]:
    return {"rule": match.rule.value, "file": match.place.file, "line": match.place.line}


def _thresholds() -> dict[str, dict[str, float]]:
    """The numbers behind each rule, so that a report can be read without the program."""
    return {
        Rule.NGRAM: {"words": contamination.NGRAM_WORDS, "passages_of_boilerplate": contamination.BOILERPLATE_PASSAGES},
        Rule.SHORT: {
            "least_words": contamination.SHORTEST_WORDS,
            "least_meaningful_words": contamination.MEANINGFUL_WORDS,
            "common_lineages": _COMMON_LINEAGES,
            "common_share": _COMMON_SHARE,
        },
        Rule.FUNCTION: {"least_tokens": contamination.FUNCTION_TOKENS},
        Rule.FINGERPRINTS: {
            "tokens": contamination.FINGERPRINT_TOKENS,
            "window": contamination.WINDOW,
            "least_fingerprints": contamination.LEAST_FINGERPRINTS,
            "containment": contamination.CONTAINMENT,
        },
    }
