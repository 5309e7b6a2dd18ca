"""`ghostd train` and `ghostd eval`: a new student, and how a student does in the frozen exam."""

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ghostd.cli.common import ConfigOption, DataDirOption, JsonOption, print_json, run, settings_for
from ghostd.errors import NotFound, TrainerMissing

if TYPE_CHECKING:
    from ghostd.core.training import TrainingRun
    from ghostd.cycles.training import Training
    from ghostd.db.store import PostgresStore
    from ghostd.settings import Settings

ModelOption = Annotated[str, typer.Option(help="champion, or the number of a student.")]
_LOOK_SECONDS = 1.0


def train(
    context: typer.Context,
    now: Annotated[bool, typer.Option("--now", help="Train though too little is new.")] = False,
    retry: Annotated[int | None, typer.Option(metavar="N", help="Go on with student N, where it failed.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Train a student on what is known, examine it, and promote it if it beats the champion. Ctrl-C saves and stops."""
    settings = settings_for(context, config, data_dir)
    told, student = run(_train(settings, now=now, retry=retry))
    if as_json:
        print_json({"said": told, "student": _document(student) if student else None})
        return
    typer.echo(f"ghostd: {told}")


async def _train(settings: "Settings", *, now: bool, retry: int | None) -> "tuple[str, TrainingRun | None]":
    """What to say, and the student that came of it."""
    from ghostd.app import isolates, opened_store, training_of
    from ghostd.daemon.health import is_running

    async with opened_store(settings) as store:
        cycle = training_of(settings, store, isolated=await isolates(settings))
        if lacking := cycle.trainer.missing():
            raise TrainerMissing(lacking)
        if retry is not None:
            student = await cycle.reopen(retry)
        elif now or await store.unfinished_training() is not None or not (waits := await _waits_for(store, settings)):
            student = await store.request_training(settings.training.recipe)
        else:
            return f"{waits} are new since the last training; `ghostd train --now` trains anyway", None
        if is_running(settings.data_dir):
            seconds = settings.daemon.train_every_seconds
            return f"the daemon takes student {student.id} up within {seconds:g} s; `ghostd status` shows it", student
        return await _here(cycle, store, student)


async def _waits_for(store: "PostgresStore", settings: "Settings") -> str:
    """What is new, if that is too little to train on; else ''."""
    fresh, every = await store.crystals_since_training(), settings.training.every_crystals
    if every and fresh >= every:
        return ""
    return f"{fresh} of {every} crystals" if every else f"{fresh} crystals"


async def _here(cycle: "Training", store: "PostgresStore", student: "TrainingRun") -> "tuple[str, TrainingRun]":
    """Train in this process, with a progress bar."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, cycle.trainer.interrupt)
    watching = asyncio.create_task(_watch(store, student.id))
    try:
        counts = await cycle.carry_out(student)
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
    ended = await store.training_run(student.id)
    if not counts:
        return f"student {student.id} was saved; `ghostd train` goes on with it", ended
    verdict = "is the champion" if ended.promoted else "does not replace the champion"
    return f"student {student.id} {verdict}: {ended.metrics['verdict']}", ended


async def _watch(store: "PostgresStore", run_id: int) -> None:
    """Draw how far the run is, until cancelled."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    from ghostd.cli.student_line import how_far
    from ghostd.monitor.training import progress_of

    columns = TextColumn("student {task.description}"), BarColumn(), TextColumn("{task.fields[words]}")
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(str(run_id), total=None, words="")
        while True:
            found = await asyncio.to_thread(progress_of, await store.training_run(run_id))
            bar.update(task, completed=found["step"], total=found["steps"] or None, words=how_far(found))
            await asyncio.sleep(_LOOK_SECONDS)


def evaluate(
    context: typer.Context,
    model: ModelOption = "champion",
    endpoint: Annotated[str, typer.Option(help="Ask this OpenAI-compatible base URL too.")] = "",
    endpoint_model: Annotated[str, typer.Option(help="The model at --endpoint.")] = "",
    baselines: Annotated[bool, typer.Option(help="Also an n-gram model and the untrained student.")] = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Put the frozen exam to a student, beside any endpoint; prints the table and names the folder of the report."""
    settings = settings_for(context, config, data_dir)
    beside = ["--endpoint", endpoint, "--model", endpoint_model] if endpoint else []
    run(_evaluate(settings, model, [*beside, *(["--baselines"] if baselines else [])]))


async def _evaluate(settings: "Settings", model: str, options: list[str]) -> None:
    from ghostd.app import grader_of, isolates, opened_store, workshop_of
    from ghostd.student.child import command, show_child
    from ghostd.student.exam import frozen_exam

    async with opened_store(settings) as store:
        student = await student_named(store, model)
    exam = frozen_exam(workshop_of(settings).exams)
    if exam is None:
        raise NotFound("There is no exam yet; the first `ghostd train` fixes it.")
    grader, variables = grader_of(settings, isolated=await isolates(settings))
    execute = ["--execute", grader] if grader else []
    out = f"{student.folder}/evaluation-by-hand"
    asked = command("eval", student.folder, "--dataset", exam.folder, "--out", out, *options, *execute)
    await show_child(asked, threads=settings.training.threads, variables=variables)
    typer.echo(f"ghostd: the whole report is in {out}", err=True)


async def student_named(store: "PostgresStore", name: str) -> "TrainingRun":
    """The champion, or the student of that number. Raises NotFound."""
    if name == "champion":
        champion = await store.champion()
        if champion is None:
            raise NotFound("There is no champion yet; `ghostd train --now` trains one.")
        return champion
    if not name.isascii() or not name.isdigit():
        raise NotFound(f"'{name}' is no student; name champion or a number, such as 1.")
    return await store.training_run(int(name))


def _document(student: "TrainingRun") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(student)
