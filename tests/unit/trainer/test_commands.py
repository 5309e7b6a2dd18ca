"""Commands are found by their files, and to parse a command line nothing heavy is imported."""

import argparse
import pkgutil
import subprocess
import sys

import pytest

from tests.unit.trainer.runs import ROOT
from trainer import commands
from trainer.commands import bench

HEAVY = ("torch", "numpy", "httpx", "matplotlib", "starlette", "uvicorn")


@pytest.mark.parametrize("package", [commands, bench])
def test_every_file_is_a_command_of_its_name(package) -> None:
    subparsers = argparse.ArgumentParser().add_subparsers()
    commands.add_all(package, subparsers)
    files = [module.name for module in pkgutil.iter_modules(package.__path__)]
    assert sorted(subparsers.choices) == sorted(name.replace("_", "-") for name in files)


def test_the_command_that_was_named_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[argparse.Namespace] = []
    monkeypatch.setattr("trainer.commands.doctor.run", lambda arguments: seen.append(arguments) or 7)
    arguments = argparse.Namespace(command="doctor")
    assert commands.run(commands, "doctor", arguments) == 7
    assert seen == [arguments]


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, trainer.__main__\n"
        "sys.argv = ['trainer', '--help']\n"
        "try:\n    trainer.__main__.main()\n"
        "except SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stderr.strip() == "[]"
    assert "{" in done.stdout and "bench" in done.stdout
