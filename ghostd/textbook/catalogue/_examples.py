"""Adds worked examples to the statements of families, so that no two statements say the same; it alters nothing else."""

import functools
from ast import literal_eval
from collections.abc import Callable
from dataclasses import replace

from ghostd.textbook.catalogue.family import Entry, Family, compiled

_SHOWN = 2
_LONGEST = 60  # characters of an argument list that a reader takes in at a glance


def illustrated(families: tuple[Family, ...]) -> tuple[Family, ...]:
    """The same families; every statement ends with the answers to its first short exercises."""
    return tuple(replace(family, build=_with_examples(family.build)) for family in families)


def _with_examples(build: Callable[..., Entry]) -> Callable[..., Entry]:
    @functools.wraps(build)
    def illustrate(*parameters: object) -> Entry:
        entry = build(*parameters)
        name = entry.signature.removeprefix("def ").partition("(")[0]
        function = compiled(entry.code, name)
        chosen = [arguments for _, arguments in entry.exercises if len(arguments) <= _LONGEST][:_SHOWN]
        shown = [f"{name}({arguments}) returns {function(*literal_eval(f'({arguments},)'))!r}" for arguments in chosen]
        return replace(entry, statement=f"{entry.statement} For example, {' and '.join(shown)}.")

    return illustrate
