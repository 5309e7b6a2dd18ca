"""`ghostd dream --from-student`: a student makes new questions of known ones, and execution answers them."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from ghostd.cli.common import ConfigOption, DataDirOption, JsonOption, print_json, run, settings_for
from ghostd.errors import ConfigurationError, TrainerMissing

if TYPE_CHECKING:
    from ghostd.cycles.self_distillation import Round
    from ghostd.settings import Settings

_CRYSTALS = 1000  # the newest, among which questions are chosen


def dream(
    context: typer.Context,
    from_student: Annotated[bool, typer.Option("--from-student", help="Let a student propose the questions.")] = False,
    domain: Annotated[str, typer.Option(help="Only crystals of this domain (its slug).")] = "",
    seed: Annotated[int | None, typer.Option(help="Hold the same questions out again.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Teach a student a few known questions, keep the variations that it finds and execution answers, and repeat."""
    if not from_student:
        raise ConfigurationError("Dreams of one's own accord are the daemon's; ask for a student's: --from-student.")
    settings = settings_for(context, config, data_dir)
    rounds = run(_dream(settings, domain, int(time.time()) if seed is None else seed, quiet=as_json))
    if as_json:
        from dataclasses import asdict

        print_json([asdict(one) for one in rounds])
        return
    before, after = rounds[0], rounds[-1]
    typer.echo(
        f"ghostd: {after.total} verified variations; of {after.held_out} held-out questions "
        f"{before.held_out_right} were right before and {after.held_out_right} after, "
        f"{after.held_out_guessed} would be by the most frequent answers"
    )


async def _dream(settings: "Settings", domain: str, seed: int, *, quiet: bool) -> "list[Round]":
    from ghostd.app import opened_sandbox, opened_store, self_distillation_of
    from ghostd.student.trainer import lacking

    if missing := lacking():
        raise TrainerMissing(missing)
    async with opened_store(settings) as store:
        crystals = await store.search("", domain, _CRYSTALS)
        trusted = all(one.teacher == "textbook" for one in crystals)
        with TemporaryDirectory(prefix="ghostd-pupils-") as folder:
            async with opened_sandbox(settings, trusted_teacher=trusted, say=lambda _: None) as sandbox:
                cycle = self_distillation_of(settings, store, sandbox, Path(folder))
                return await cycle.run(crystals, seed, (lambda _: None) if quiet else typer.echo)
