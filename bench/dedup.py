"""Near-duplicates in a growing store: `python bench/dedup.py [ENTRIES]`, 50,000 unless told.

The textbook's catalogue, in which every concept is another one, is admitted to a fresh Postgres, with variants of other
numbers until there are enough entries; then its lessons. Gates come before the clock: nothing of the catalogue may
be refused (precision), and of reworded concepts and re-dressed lessons as many must be found as a comparison with
every entry finds (recall). Prints a table and, as its last line, the same figures as JSON.
"""

import asyncio
import itertools
import json
import random
import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from ghostd.core.concept import Concept
from ghostd.core.dedup import THRESHOLD, concept_sketch, concept_text, jaccard, lesson_sketch, same_fact
from ghostd.db import sketches
from ghostd.db.config import StoreConfig
from ghostd.db.store import PostgresStore, open_store
from ghostd.textbook.catalogue.family import Entry
from ghostd.textbook.index import chapters, concept_at, entry_at

BATCH = 50  # concepts in one proposal, about what a teacher answers
PROBES = 1_000
LEAST_RECALL = 0.98  # of what a comparison with every entry finds
REWORDINGS = (
    ("Return ", "Compute "), ("returns", "gives"), ("accepts", "takes"), ("integer", "whole number"),
    ("list", "sequence"), ("of the", "of all the"), ("number of", "count of"), ("is the", "equals the"),
)  # fmt: skip


def catalogue() -> Iterator[tuple[Concept, Entry]]:
    """Every concept of the textbook with its entry."""
    for chapter in chapters().values():
        for family in chapter.families:
            for parameters in family.parameters:
                yield concept_at(family, parameters), entry_at(family, parameters)


def variants(known: list[Concept]) -> Iterator[Concept]:
    """The same statements about other numbers, without an end."""
    for turn in itertools.count(1):
        for one in known:
            mark = f" (case {turn * 1_000_003})"
            yield replace(one, title=one.title + mark, statement=one.statement + mark)


def reworded(concept: Concept, draw: random.Random) -> Concept:
    """The same concept in other words: one or two synonyms, and a title with an article or in other words."""
    fitting = [pair for pair in REWORDINGS if pair[0] in concept.statement]
    statement = concept.statement
    for old, new in draw.sample(fitting, min(len(fitting), draw.choice((1, 2)))):
        statement = statement.replace(old, new, 1)
    return replace(concept, title=f"The {concept.title[0].lower()}{concept.title[1:]}", statement=statement)


def redressed(code: str) -> str:
    """The same function with another name and other words around it."""
    name = re.search(r"def (\w+)", code)
    renamed = re.sub(rf"\b{name.group(1)}\b", "renamed_function", code) if name else code
    return f'"""Another module."""\n# another author\n{renamed}'


async def admitted(store: PostgresStore, concepts: list[Concept]) -> tuple[int, float, float]:
    """How many were refused, and admissions a second overall and in the last tenth."""
    refused, marks = 0, [time.perf_counter()]
    for batch in (concepts[start : start + BATCH] for start in range(0, len(concepts), BATCH)):
        answers = await store.admit_concepts(batch, "benchmark")
        refused += sum(not one.admitted and one.duplicate_of != one.concept.slug for one in answers)
        marks.append(time.perf_counter())
    tenth = max(1, len(marks) // 10)
    return refused, len(concepts) / (marks[-1] - marks[0]), tenth * BATCH / (marks[-1] - marks[-1 - tenth])


async def concepts_part(store: PostgresStore, known: list[Concept], entries: int) -> dict[str, object]:
    """Admit, then look up rewordings one by one."""
    everything = [*known, *itertools.islice(variants(known), max(0, entries - len(known)))]
    refused, overall, last = await admitted(store, everything)
    if refused:
        raise SystemExit(f"precision: {refused} of {len(everything)} different concepts were refused")
    draw = random.Random(7)
    probes = [reworded(one, draw) for one in draw.sample(known, PROBES)]
    texts = [concept_text(one.title, one.statement) for one in probes]
    drawn = [concept_sketch(text) for text in texts]
    found, seconds = [], 0.0
    async with store.engine.transaction() as connection:
        for one in drawn:
            started = time.perf_counter()
            found.append((await sketches.near(connection, "concept", [one]))[0])
            seconds += time.perf_counter() - started
    by_numbers = defaultdict(list)  # a concept with other numbers is never the same, so brute force may leave it out
    for one in everything:
        text = concept_text(one.title, one.statement)
        by_numbers[tuple(re.findall(r"\d+", text))].append(text)
    missed = total = 0
    for text, near in zip(texts, found, strict=True):
        alike = by_numbers[tuple(re.findall(r"\d+", text))]
        if any(same_fact(text, other) and jaccard(text, other) >= THRESHOLD for other in alike):
            total += 1
            missed += not any(same_fact(text, one.text) and jaccard(text, one.text) >= THRESHOLD for one in near)
    return _figures(
        "concepts", len(everything), overall=overall, last=last, lookups=PROBES / seconds, total=total, missed=missed
    )


async def lessons_part(store: PostgresStore, entries: list[tuple[Concept, Entry]], count: int) -> dict[str, object]:
    """Remember lessons under made-up crystal ids, then look up the same functions in other clothes."""
    lessons = []
    for number, (_, entry) in enumerate(itertools.islice(itertools.cycle(entries), count)):
        turn = number // len(entries)
        told = f" This is variant {turn}." if turn else ""
        code = f"{entry.code}\nTURN = {turn}\n" if turn else entry.code
        lessons.append((f"{number:064x}", entry.explanations[number % len(entry.explanations)] + told, code))
    seconds, repeated = 0.0, 0
    marks = []
    for start in range(0, count, BATCH):
        batch = [(owner, lesson_sketch(text, code)) for owner, text, code in lessons[start : start + BATCH]]
        async with store.engine.transaction() as connection:
            for owner, drawn in batch:
                started = time.perf_counter()
                repeated += bool(await sketches.repeated_lesson(connection, drawn))
                await sketches.remember_lesson(connection, owner, drawn)
                seconds += time.perf_counter() - started
        marks.append(seconds)
    if repeated:
        raise SystemExit(f"precision: {repeated} of {count} different lessons were called repeated")
    draw, missed, looked = random.Random(8), 0, 0.0
    async with store.engine.transaction() as connection:
        for owner, text, code in draw.sample(lessons, PROBES):
            drawn = lesson_sketch(f"In short: {text}", redressed(code))
            if jaccard(drawn.explanation.text, lesson_sketch(text, code).explanation.text) < THRESHOLD:
                raise SystemExit(f"the benchmark's own rewording of {owner} changes too much")
            started = time.perf_counter()
            missed += await sketches.repeated_lesson(connection, drawn) != owner
            looked += time.perf_counter() - started
    tenth = max(1, len(marks) // 10)
    last = tenth * BATCH / (marks[-1] - marks[-1 - tenth]) if len(marks) > tenth else count / seconds
    return _figures(
        "lessons", count, overall=count / seconds, last=last, lookups=PROBES / looked, total=PROBES, missed=missed
    )


def _figures(
    kind: str, entries: int, *, overall: float, last: float, lookups: float, total: int, missed: int
) -> dict[str, object]:
    recall = 1 - missed / total
    if recall < LEAST_RECALL:
        raise SystemExit(f"recall of {kind}: {missed} of {total} duplicates were not found")
    return {
        "kind": kind,
        "entries": entries,
        "false_refusals": 0,
        "duplicates": total,
        "recall": round(recall, 4),
        "inserts_per_second": round(overall),
        "inserts_per_second_last_tenth": round(last),
        "lookups_per_second": round(lookups),
    }


async def main() -> None:
    """Both parts on one embedded server."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    entries = list(catalogue())[:count]
    with tempfile.TemporaryDirectory(prefix="ghostd-bench-") as folder:
        Path(folder).chmod(0o755)
        async with await open_store(StoreConfig(), Path(folder), exclusive=True) as store:
            results = [await concepts_part(store, [concept for concept, _ in entries], count)]
            results.append(await lessons_part(store, entries, count))
    print(" ".join(f"{name:>29}" for name in results[0]))
    for one in results:
        print(" ".join(f"{value!s:>29}" for value in one.values()))
    print(json.dumps({"bench": "dedup", "results": results}))


if __name__ == "__main__":
    asyncio.run(main())
