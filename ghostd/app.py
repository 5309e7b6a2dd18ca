"""The composition root: builds the adapters from the settings and hands them in. Nothing else reads the settings."""

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from ghostd.cycles.curiosity import Curiosity
from ghostd.cycles.distillation import Distillation
from ghostd.cycles.export import Export
from ghostd.cycles.verification import Verification
from ghostd.daemon.handlers import Handlers
from ghostd.daemon.health import DaemonState, DataDirectoryLock, write_state
from ghostd.daemon.lifecycle import Daemon
from ghostd.daemon.queue import Queue
from ghostd.db.calls import Calls
from ghostd.db.store import PostgresStore, open_store
from ghostd.export.versions import DatasetVersions
from ghostd.ports import Sandbox
from ghostd.sandbox.choose import choose_sandbox
from ghostd.sandbox.owner import this_process
from ghostd.settings import Settings
from ghostd.teacher.client import OpenAITeacher
from ghostd.teacher.config import TeacherConfig
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
        sandbox = await stack.enter_async_context(
            opened_sandbox(settings, trusted_teacher=chosen.is_textbook, say=tell)
        )
        verifier = Verifier(sandbox, settings.verification)
        stack.push_async_callback(verifier.close)
        queue = Queue(store.conninfo)
        await queue.open()
        stack.push_async_callback(queue.close)
        state.teacher, state.sandbox = chosen.teacher.name, sandbox.backend
        state.store = "embedded" if store.embedded else "external"
        distillation = Distillation(chosen.teacher, store, store, queue, settings.distillation)
        handlers = Handlers(
            curiosity=Curiosity(chosen.teacher, store, store, store, settings.curiosity),
            distillation=distillation,
            verification=Verification(
                verifier,
                store,
                store,
                store,
                store,
                distillation,
                clock,
                chosen.teacher.licence,
                settings.reverification,
            ),
            export=Export(
                DatasetVersions(store, store, settings.data_dir / "datasets", settings.export), store, settings.versions
            ),
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
