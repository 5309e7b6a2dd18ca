"""The commands of `python -m trainer`, one file each; a folder is a command whose files are its own subcommands.

A file offers `add(commands)`, which adds its parser to argparse's subparsers under the file's name (`_` becomes `-`),
and `run(arguments)`, which returns the exit code. Files are found by name, so there is no list to edit; torch and
everything that needs it are imported inside `run`.
"""

import argparse
import importlib
import pkgutil
from types import ModuleType
from typing import Any


def add_all(package: ModuleType, commands: Any) -> None:
    """Adds the parser of every file of the package, in the order of their names."""
    for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        _imported(package, found.name).add(commands)


def run(package: ModuleType, command: str, arguments: argparse.Namespace) -> int:
    """Runs the package's file that the command names; returns its exit code."""
    code: int = _imported(package, command.replace("-", "_")).run(arguments)
    return code


def _imported(package: ModuleType, name: str) -> ModuleType:
    """The package's file. A file may be named `add` or `run`: its import must not hide the package's own functions."""
    own = {offered: getattr(package, offered) for offered in ("add", "run") if hasattr(package, offered)}
    module = importlib.import_module(f"{package.__name__}.{name}")
    for offered, function in own.items():
        setattr(package, offered, function)
    return module
