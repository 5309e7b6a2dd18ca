"""The composition root: builds the adapters from the settings and hands them in. Nothing else reads the settings."""

import os
import shlex
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ghostd.bundled import cell_version
from ghostd.core.reverification import Image
from ghostd.core.training import TrainingPlan
from ghostd.cycles.calibration import Calibration
from ghostd.cycles.curiosity import Curiosity
from ghostd.cycles.distillation import Distillation
from ghostd.cycles.export import Export
from ghostd.cycles.reverification import Reverification
from ghostd.cycles.self_distillation import SelfDistillation
from ghostd.cycles.training import Training
from ghostd.cycles.verification import Verification
from ghostd.daemon.handlers import Handlers
from ghostd.daemon.health import DaemonState, DataDirectoryLock, write_state
from ghostd.daemon.lifecycle import Daemon
from ghostd.daemon.queue import Queue
from ghostd.db.calls import Calls
from ghostd.db.heads import Heads
from ghostd.db.store import PostgresStore, open_store
from ghostd.errors import ConfigurationError, SandboxError
from ghostd.export.versions import DatasetVersions
from ghostd.ports import Sandbox, Teacher
from ghostd.sandbox.choose import choose_sandbox
from ghostd.sandbox.owner import this_process
from ghostd.settings import Settings
from ghostd.student.pupil import ChildPupil
from ghostd.student.trainer import ChildFolders, ChildTrainer, ghostd_command, lacking
from ghostd.student.workshop import Workshop
from ghostd.teacher.client import OpenAITeacher
from ghostd.teacher.config import BudgetConfig, TeacherConfig
from ghostd.teacher.discover import Discovered, discover
from ghostd.verify.pipeline import Verifier

Say = Callable[[str], None]
_TEXTBOOK_LICENCE = "CC0-1.0"


class SystemClock:
    """The wall clock."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()


@dataclass(frozen=True, slots=True)
class ChosenTeacher:
    """The teacher, and how it was come by."""

    teacher: OpenAITeacher
    sentence: str  # what was chosen, why, and how to change it
    is_textbook: bool


@asynccontextmanager
async def opened_store(settings: Settings, *, exclusive: bool = False) -> AsyncIterator[PostgresStore]:
    """The store, migrated; the embedded Postgres is started for as long if nobody else runs it."""
    store = await open_store(settings.database, settings.data_dir, exclusive=exclusive)
    try:
        yield store
    finally:
        await store.close()


def ledger_of(settings: Settings, store: PostgresStore) -> Heads:
    """The store's ledger with the key that signs it, which is in the data directory wherever the store is."""
    return Heads(store.engine, settings.data_dir, SystemClock())


async def choose_teacher(settings: Settings, store: PostgresStore) -> ChosenTeacher:
    """The configured endpoint, else one that answers on a usual port, else the built-in textbook teacher."""
    config = settings.teacher
    calls = store.calls.capped(config.budget.caps())
    if config.base_url:
        sentence = f"teacher: {config.base_url} (teacher.base_url)"
        return ChosenTeacher(OpenAITeacher(config, calls), sentence, is_textbook=False)
    found = None if settings.textbook.always else await discover()
    if found is not None and (found.models or config.model):
        config = config.model_copy(update={"base_url": found.base_url, "model": config.model or found.models[0]})
        sentence = (
            f"teacher: {config.model} on {found.product} at {found.base_url}, found by looking "
            "(teacher.base_url and teacher.model choose another)"
        )
        return ChosenTeacher(OpenAITeacher(config, calls), sentence, is_textbook=False)
    return _textbook(settings, config, calls, found)


def _textbook(settings: Settings, config: TeacherConfig, calls: Calls, found: Discovered | None) -> ChosenTeacher:
    from ghostd.textbook.app import create_app

    config = config.model_copy(update={"model": "textbook", "licence": _TEXTBOOK_LICENCE})
    why = f"{found.product} at {found.base_url} lists no model" if found else "NO LLM FOUND"
    if settings.textbook.always:
        why = "as textbook.always asks"
    sentence = (
        f"teacher: {why} - using the built-in textbook teacher, a fixed catalogue and no LLM "
        "(start LM Studio, Ollama, vLLM or llama.cpp, or set teacher.base_url)"
    )
    teacher = OpenAITeacher(config, calls, app=create_app(settings.textbook), name="textbook")
    return ChosenTeacher(teacher, sentence, is_textbook=True)


def choose_corroborator(settings: Settings, store: PostgresStore, chosen: ChosenTeacher) -> ChosenTeacher | None:
    """The second teacher, if one is set: at an endpoint of its own, or another model at the teacher's.

    Raises ConfigurationError when it would have to share the built-in textbook's.
    """
    config = settings.corroborator
    if not config.is_another:
        return None
    if not config.base_url and chosen.is_textbook:
        raise ConfigurationError(
            "corroborator.model is set, but the teacher is the built-in textbook, which has no other model; "
            "set corroborator.base_url"
        )
    budget = settings.teacher.budget if config.budget == BudgetConfig() else config.budget
    if not config.base_url:
        key = config.api_key or settings.teacher.api_key
        config = config.model_copy(update={"base_url": chosen.teacher.base_url, "api_key": key})
    what = "solutions and exams" if config.exams else "solutions"
    sentence = f"corroborator: {config.model or 'the model'} at {config.base_url} writes independent {what}"
    teacher = OpenAITeacher(config, store.calls.capped(budget.caps()))
    return ChosenTeacher(teacher, f"{sentence} (corroborator.base_url and corroborator.model)", is_textbook=False)


def calibration_of(settings: Settings, store: PostgresStore, verifier: Verifier) -> Calibration:
    """The cycle that measures the verifier; its teachers are textbooks that err on purpose, in this process."""
    from ghostd.textbook.planting import Planter

    @asynccontextmanager
    async def teach(app: object, seed: int) -> AsyncIterator[Teacher]:
        config = TeacherConfig(model="textbook", licence=_TEXTBOOK_LICENCE, seed=seed)
        teacher = OpenAITeacher(config, store.calibration_calls, app=app, name="textbook")
        try:  # `start` would look for an endpoint and a model; both are here
            yield teacher
        finally:
            await teacher.close()

    return Calibration(verifier, Planter(teach), store, store, SystemClock(), settings.calibration)


def workshop_of(settings: Settings) -> Workshop:
    """Where the students are."""
    return Workshop(settings.data_dir / "students")


def training_of(settings: Settings, store: PostgresStore, *, isolated: bool) -> Training:
    """The cycle that trains the student, as children of this process; code that it writes runs `isolated` or never."""
    grader, variables = grader_of(settings, isolated=isolated)
    return Training(
        datasets=_versions_of(settings, store),
        students=store,
        trainer=ChildTrainer(settings.training.threads, settings.training.niceness, grader, variables),
        folders=ChildFolders(workshop_of(settings), settings.export.seed),
        journal=store,
        config=settings.training,
    )


def grader_of(settings: Settings, *, isolated: bool) -> tuple[str, dict[str, str]]:
    """The command that runs a student's code in the sandbox, '' where that is not isolated, and variables for it."""
    if not isolated:
        return "", {}
    return shlex.join((*ghostd_command(), "execute")), {"GHOSTD_SANDBOX": settings.sandbox.model_dump_json()}


async def isolates(settings: Settings) -> bool:
    """Whether there is a sandbox for code that nobody vouches for."""
    try:
        await choose_sandbox(settings.sandbox, owner=this_process().label(), trusted_teacher=False)
    except SandboxError:
        return False
    return True


def self_distillation_of(settings: Settings, store: PostgresStore, sandbox: Sandbox, folder: Path) -> SelfDistillation:
    """The cycle that lets students vary known questions; they are taught in the folder, which can go afterwards."""
    config = settings.self_distillation
    plan = TrainingPlan(
        recipe=settings.training.recipe,
        steps=config.steps,
        seconds=settings.training.hours * 3600,
        context=settings.training.context,
        batch=config.batch,
        width=config.width,
        layers=config.layers,
        validates=False,
    )
    trainer = ChildTrainer(settings.training.threads, settings.training.niceness)
    return SelfDistillation(ChildPupil(Workshop(folder), trainer, plan), sandbox, store, store, config)


def training_sentence(settings: Settings) -> str:
    """Whether a student will be trained, when, and how to change it."""
    config = settings.training
    if missing := lacking():
        return f"training: off. {missing}"
    if not config.every_crystals:
        return "training: only when `ghostd train --now` asks for it (training.every_crystals)"
    return (
        f"training: a {config.recipe} of {config.size} parameters after every {config.every_crystals} new crystals, "
        f"for {config.hours:g} h at most (training.every_crystals; 0 turns it off)"
    )


def _versions_of(settings: Settings, store: PostgresStore) -> DatasetVersions:
    return DatasetVersions(store, store, settings.data_dir / "datasets", settings.export, ledger_of(settings, store))


@asynccontextmanager
async def opened_sandbox(settings: Settings, *, trusted_teacher: bool, say: Say) -> AsyncIterator[Sandbox]:
    """A started sandbox: reaped, proven and warm."""
    sandbox, sentence = await choose_sandbox(
        settings.sandbox, owner=this_process().label(), trusted_teacher=trusted_teacher, progress=say
    )
    say(f"sandbox: {sentence}")
    await sandbox.start()
    try:
        yield sandbox
    finally:
        await sandbox.stop()


@asynccontextmanager
async def opened_daemon(settings: Settings, say: Say) -> AsyncIterator[tuple[Daemon, PostgresStore]]:
    """Everything that a working daemon needs, opened in order and closed in reverse."""
    clock = SystemClock()
    choices: list[str] = []

    def tell(sentence: str) -> None:
        choices.append(sentence)
        say(sentence)

    async with AsyncExitStack() as stack:
        stack.enter_context(DataDirectoryLock(settings.data_dir))
        tell(f"data: {settings.data_dir} (--data-dir or GHOSTD_DATA_DIR)")
        state = DaemonState(os.getpid(), clock.now(), clock.now(), "starting", "", "", "", choices)
        write_state(settings.data_dir, state)
        store = await stack.enter_async_context(opened_store(settings, exclusive=True))
        tell(store.sentence)
        if store.embedded:
            await store.interrupted_runs_close()  # by a crash: nobody else works on this database
        chosen = await choose_teacher(settings, store)
        tell(chosen.sentence)
        stack.push_async_callback(chosen.teacher.close)
        await chosen.teacher.start()
        second = choose_corroborator(settings, store, chosen)
        if second is not None:
            tell(second.sentence)
            stack.push_async_callback(second.teacher.close)
            await second.teacher.start()
        sandbox = await stack.enter_async_context(
            opened_sandbox(settings, trusted_teacher=chosen.is_textbook and second is None, say=tell)
        )
        verifier = Verifier(sandbox, settings.verification)
        stack.push_async_callback(verifier.close)
        tell(training_sentence(settings))
        queue = Queue(store.conninfo, settings.daemon.stalled_seconds)
        await queue.open()
        stack.push_async_callback(queue.close)
        state.teacher, state.sandbox = chosen.teacher.name, sandbox.backend
        image = Image(sandbox.backend, sandbox.image_id, cell_version())
        state.store = "embedded" if store.embedded else "external"
        distillation = Distillation(
            chosen.teacher,
            store,
            store,
            queue,
            settings.distillation,
            corroborator=second.teacher if second else None,
            examines=settings.corroborator.exams,
        )
        handlers = Handlers(
            curiosity=Curiosity(chosen.teacher, store, store, store, settings.curiosity),
            distillation=distillation,
            verification=Verification(
                verifier,
                store,
                store,
                distillation,
                clock,
                chosen.teacher.licence,
            ),
            reverification=Reverification(verifier, store, store, image, clock, settings.reverification),
            export=Export(_versions_of(settings, store), store, settings.versions),
            calibration=calibration_of(settings, store, verifier),
            training=training_of(settings, store, isolated=sandbox.backend != "trusted"),
            store=store,
            agenda=store,
            sandbox=sandbox,
            queue=queue,
            config=settings.daemon,
        )
        daemon = Daemon(
            handlers, store, clock, state, settings.data_dir, settings.daemon, exclusive_store=store.embedded
        )
        yield daemon, store
