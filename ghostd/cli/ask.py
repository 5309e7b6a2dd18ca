"""`ghostd ask`: the student's answer with the crystals that it can be checked against, or that it does not know."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostd.cli.common import ConfigOption, DataDirOption, JsonOption, print_json, run, settings_for
from ghostd.cli.train import ModelOption, student_named
from ghostd.errors import TrainerMissing

if TYPE_CHECKING:
    from ghostd.core.answering import Ground, Said, Source
    from ghostd.settings import Settings

_SOURCES = 3


def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="What to ask the student.")],
    model: ModelOption = "champion",
    as_json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Ask the student. It answers what it is sure of and a crystal is about, and says when it does not know."""
    from ghostd.core.answering import Ground

    settings = settings_for(context, config, data_dir)
    said, ground, sources = run(_ask(settings, question, model))
    answered = ground is Ground.ANSWERED and said is not None
    if as_json:
        print_json(
            {
                "answer": said.text if answered and said else None,
                "ground": ground.value,
                "confidence": said.confidence if said else None,
                "crystals": [
                    {"id": one.crystal_id, "concept": one.concept, "title": one.title, "coverage": one.coverage}
                    for one in sources
                ],
            }
        )
        return
    typer.echo(said.text.strip() if answered and said else f"I do not know. {_why(ground)}")
    for one in sources:
        typer.echo(f"  see {one.crystal_id[:12]}  {one.title}  (`ghostd show {one.crystal_id[:12]}`)")


async def _ask(settings: "Settings", question: str, model: str) -> "tuple[Said | None, Ground, tuple[Source, ...]]":
    from ghostd.app import opened_store
    from ghostd.core.answering import Ground, decide, nearest
    from ghostd.cycles.training import score_from
    from ghostd.student.client import served
    from ghostd.student.trainer import lacking

    async with opened_store(settings) as store:
        student = await student_named(store, model)
        sources = nearest(await store.about(question, 20))[:_SOURCES]
    if not sources:  # nobody could check an answer, so it is not asked for
        return None, Ground.NOTHING_NEAR, ()
    if missing := lacking():
        raise TrainerMissing(missing)
    async with served(Path(student.folder), settings.training.threads) as served_student:
        (said,) = await served_student.ask(question)
    score = score_from(student.metrics)
    return said, decide(said, score.threshold if score else None, sources), sources


def _why(ground: "Ground") -> str:
    from ghostd.core.answering import Ground

    return {
        Ground.NOTHING_NEAR: "No crystal is about it.",
        Ground.UNSURE: "I am less sure than I was of the right answers in my exam. What is verified about it:",
        Ground.UNCALIBRATED: "In my exam I was never reliably right, however sure I was. What is verified about it:",
        Ground.EMPTY: "I have no words for it. What is verified about it:",
        Ground.ANSWERED: "",
    }[ground]
