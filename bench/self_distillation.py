"""Ten known questions to a thousand verified variations: prints what each round brought, and a JSON line.

    python bench/self_distillation.py [--recipe transformer] [--domain number-theory] [--target 1000] [--rounds 8]

A textbook lesson is answered by its own code in the real sandbox; the students are really trained, each from nothing.
"Held out" are questions of the known forms whose numbers no student is ever taught: before is round 0.
"""

import argparse
import asyncio
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from ghostd.app import opened_sandbox, opened_store, self_distillation_of
from ghostd.core.concept import Concept
from ghostd.core.crystal import Crystal, Grade, SolvedExercise, Stage, Verdict, VerdictKind
from ghostd.core.evidence import Run
from ghostd.core.identity import crystallise
from ghostd.core.lesson import Exam, Exercise, Lesson
from ghostd.core.variation import Pair, form_of
from ghostd.cycles.config import SelfDistillationConfig, TrainingConfig
from ghostd.db.store import PostgresStore
from ghostd.ports import Sandbox
from ghostd.settings import Settings
from ghostd.textbook import index


def families(domain: str) -> list[tuple[Concept, Lesson]]:
    """Lessons of the textbook on one domain, '' for all, whose questions have a form."""
    found = []
    for chapter in index.chapters().values():
        if domain not in {"", chapter.domain.slug}:
            continue
        for family in chapter.families:
            entry = index.entry_at(family, family.parameters[0])
            pairs = [Pair("", "", question, arguments, "") for question, arguments in entry.exercises]
            if form_of(pairs) is not None:
                concept = Concept(chapter.domain.slug, entry.title, entry.statement, entry.signature, family.title)
                exercises = tuple(Exercise(question, arguments) for question, arguments in entry.exercises)
                found.append((concept, Lesson(entry.explanations[0], entry.code, (), exercises)))
    return found


async def stored(store: PostgresStore, sandbox: Sandbox, concept: Concept, lesson: Lesson) -> Crystal:
    """The crystal of a lesson whose answers are executed; its ladder is the campaign's affair."""
    async with sandbox.cell() as cell:
        (outcome,) = await cell.run([Run(lesson.code, concept.entry, tuple(one.arguments for one in lesson.exercises))])
    solved = tuple(
        SolvedExercise(one.question, one.arguments, call.value)
        for one, call in zip(lesson.exercises, outcome.calls, strict=True)
    )
    verdict = Verdict(VerdictKind.VERIFIED, Grade.TESTED, Stage.TESTED, None, (), (), solved, 0.9)
    crystal = crystallise(concept, lesson, Exam(), verdict, "textbook", "CC0-1.0", 0.0)
    await store.admit_concepts([concept], "for the benchmark")
    attempt = await store.open_attempt(concept, "textbook")
    await store.record_lesson(attempt.id, lesson, Exam())
    await store.crystallise(attempt.id, crystal, verdict)
    return crystal


async def main(options: argparse.Namespace, home: Path) -> None:
    """Runs it in a data directory that is removed afterwards."""
    settings = Settings(
        data_dir=home,
        training=TrainingConfig(recipe=options.recipe),
        self_distillation=SelfDistillationConfig(
            pairs=options.pairs,
            target=options.target,
            rounds=options.rounds,
            asked=options.asked,
            passes=options.passes,
            last_passes=options.last_passes,
        ),
    )
    began = time.monotonic()
    async with (
        opened_store(settings) as store,
        opened_sandbox(settings, trusted_teacher=True, say=print) as sandbox,
    ):
        crystals = [await stored(store, sandbox, *one) for one in families(options.domain)[: options.crystals]]
        cycle = self_distillation_of(settings, store, sandbox, home / "pupils")
        rounds = await cycle.run(crystals, options.seed, print)
    print(
        "\n| round | taught | held out | guessed | proposed | known form | new | confident | own answer | kept | all |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for one in rounds:
        held = f"{one.held_out_right} of {one.held_out} | {one.held_out_guessed}"
        print(f"| {one.number} | {one.taught} | {held} | {one.proposed} | {one.of_known_form} | {one.new} | "
              f"{one.confident} | {one.answered} | {one.verified} | {one.total} |")  # fmt: skip
    print(json.dumps({"rounds": [asdict(one) for one in rounds], "seconds": round(time.monotonic() - began, 1)}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default=TrainingConfig().recipe)
    parser.add_argument("--domain", default="number-theory", help="of the known questions; '' for any")
    usual = SelfDistillationConfig()
    for name, default in [
        ("crystals", 8),
        ("pairs", usual.pairs),
        ("target", usual.target),
        ("rounds", usual.rounds),
        ("asked", usual.asked),
        ("passes", usual.passes),
        ("last-passes", usual.last_passes),
        ("seed", 0),
    ]:
        parser.add_argument(f"--{name}", type=type(default), default=default)
    with tempfile.TemporaryDirectory(prefix="ghostd-bench-") as folder:
        Path(folder).chmod(0o755)
        asyncio.run(main(parser.parse_args(), Path(folder)))
