"""What `ghostd doctor` looks at: each part is tried for real, and what fails names what mends it."""

import shutil
from dataclasses import dataclass

from ghostd.app import choose_teacher, opened_sandbox, opened_store
from ghostd.core.evidence import Run
from ghostd.db.store import PostgresStore
from ghostd.errors import ConfigurationError, GhostdError, SandboxError
from ghostd.settings import Settings
from ghostd.student.doctor import trainer_sentence
from ghostd.student.trainer import lacking

_LEAST_FREE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that works, or does not."""

    what: str
    ok: bool
    found: str
    remedy: str = ""
    needed: bool = True  # ghostd cannot work without it
    exit_code: int = 1


async def diagnose(settings: Settings) -> list[Finding]:
    """Look at disk, Postgres, teacher, sandbox and trainer, in this order."""
    findings = [_disk(settings)]
    trusted = False
    try:
        async with opened_store(settings) as store:
            findings.append(Finding("Postgres", ok=True, found=store.sentence))
            teacher, trusted = await _teacher(settings, store)
            findings.append(teacher)
    except GhostdError as error:
        findings.append(
            Finding("Postgres", ok=False, found=type(error).__name__, remedy=str(error), exit_code=error.exit_code)
        )
    findings.append(await _sandbox(settings, trusted_teacher=trusted))
    findings.append(await _trainer())
    return findings


def _disk(settings: Settings) -> Finding:
    folder = settings.data_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    enough = free >= _LEAST_FREE_BYTES
    remedy = "" if enough else "free some space or choose another --data-dir"
    return Finding(
        "disk", enough, f"{free / 1e9:.1f} GB free at {folder}", remedy, exit_code=ConfigurationError.exit_code
    )


async def _teacher(settings: Settings, store: PostgresStore) -> tuple[Finding, bool]:
    chosen = await choose_teacher(settings, store)
    try:
        await chosen.teacher.start()
    except GhostdError as error:
        return Finding("teacher", ok=False, found=chosen.sentence, remedy=str(error), exit_code=error.exit_code), False
    finally:
        await chosen.teacher.close()
    remedy = "start an LLM or set teacher.base_url" if chosen.is_textbook else ""
    return Finding("teacher", ok=True, found=chosen.sentence, remedy=remedy), chosen.is_textbook


async def _trainer() -> Finding:
    if missing := lacking():
        return Finding("trainer", ok=False, found="not installed", remedy=missing, needed=False)
    try:
        found = await trainer_sentence()
    except GhostdError as error:
        return Finding("trainer", ok=False, found="does not run", remedy=str(error), needed=False)
    remedy = "install a C compiler (gcc), or name one in CC: training is several times faster" if found.slow else ""
    return Finding("trainer", ok=True, found=found.sentence, remedy=remedy, needed=False)


async def _sandbox(settings: Settings, *, trusted_teacher: bool) -> Finding:
    sentences: list[str] = []
    try:
        async with opened_sandbox(settings, trusted_teacher=trusted_teacher, say=sentences.append) as sandbox:
            async with sandbox.cell() as cell:
                (outcome,) = await cell.run([Run("def twice(n):\n    return 2 * n\n", "twice", calls=("21",))])
            found = (
                f"{'; '.join(sentences)}: twice(21) = {outcome.calls[0].value}"
                if outcome.ok
                else outcome.exception_message
            )
            return Finding(
                "sandbox",
                outcome.ok,
                found,
                "" if outcome.ok else "see sandbox/README.md",
                exit_code=SandboxError.exit_code,
            )
    except GhostdError as error:
        return Finding("sandbox", ok=False, found="; ".join(sentences), remedy=str(error), exit_code=error.exit_code)
