"""Canaries: pieces of a benchmark planted into real crystals, so that what a screening finds can be counted.

The benchmark is made of the textbook's held-out domains and of docstrings and functions of the standard library. The
crystals are made of the other domains, with code that works and values that it returns.
"""

import ast
import builtins
import csv
import hashlib
import importlib
import inspect
import json
import random
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from ghostd.core.canonical import encode
from ghostd.core.concept import Concept
from ghostd.core.crystal import CheckedClaim, Crystal, Grade, SolvedExercise
from ghostd.core.identity import crystal_id
from ghostd.core.lesson import Claim
from ghostd.textbook.catalogue.family import Entry
from ghostd.textbook.index import chapters, concept_at, entry_at
from ghostd.textbook.writing import evaluate, write_exam, write_lesson

MODULES = (
    "argparse", "ast", "bisect", "calendar", "collections", "colorsys", "configparser", "copy", "csv", "difflib", "dis",
    "email.utils", "fractions", "functools", "heapq", "html", "imaplib", "inspect", "ipaddress", "json.decoder",
    "locale", "mimetypes", "ntpath", "optparse", "os", "pathlib", "pickletools", "platform", "posixpath", "pprint",
    "quopri", "random", "reprlib", "shlex", "shutil", "smtplib", "statistics", "string", "tarfile", "tempfile",
    "textwrap", "timeit", "tokenize", "traceback", "turtle", "typing", "urllib.parse", "uuid", "zipfile",
)  # fmt: skip
SHORTEST, LONG = 4, 13  # words
LEAST_LINES = 5  # of a function


@dataclass(frozen=True)
class Items:
    """What the benchmark holds."""

    verbatim: tuple[str, ...]  # 13 words or more
    short: tuple[str, ...]  # 4 to 12 words
    code: tuple[str, ...]  # functions


def held_out(domain: str) -> bool:
    """Whether the domain is in the benchmark and not among the crystals: every fourth, by name.

    Families of one domain share whole sentences, so a family beside a held-out one would not be clean.
    """
    return sorted(chapters()).index(domain) % 4 == 0


def entries(draw: random.Random, each: int, *, benchmark: bool) -> list[tuple[Concept, Entry]]:
    """Up to `each` concepts of every family on one side, with their entries."""
    return [
        (concept_at(family, parameters), entry_at(family, parameters))
        for slug, chapter in chapters().items()
        if held_out(slug) is benchmark
        for family in chapter.families
        for parameters in draw.sample(list(family.parameters), min(each, len(family.parameters)))
    ]


def crystal_of(concept: Concept, entry: Entry) -> Crystal:
    """The crystal that the textbook's right lesson becomes."""
    lesson = write_lesson(entry)
    digest = hashlib.sha256(json.dumps([concept.slug, lesson.explanation, lesson.code]).encode()).hexdigest()
    values = [encode(evaluate(lesson.code, entry, one.arguments)) for one in lesson.exercises]
    made = Crystal(
        id="",
        verification_hash=digest,
        concept=concept,
        lesson=lesson,
        exam=write_exam(entry),
        grade=Grade.TESTED,
        quality=0.9,
        claims=tuple(CheckedClaim(Claim(*one), "verified", encode(True)) for one in entry.claims),
        exercises=tuple(
            SolvedExercise(one.question, one.arguments, value)
            for one, value in zip(lesson.exercises, values, strict=True)
        ),
        teacher="textbook",
    )
    return _named(made)


def items(draw: random.Random, count: int) -> Items:
    """`count` of each kind, half from the textbook and half from the standard library."""
    book = [entry for _, entry in entries(draw, 20, benchmark=True)]
    paragraphs, first_lines, functions = _library()
    verbatim = [text for entry in book for text in (entry.statement, *entry.explanations)]
    short = [
        text for entry in book for text in (*(one for one, _ in entry.exercises), *(one for one, _ in entry.claims))
    ]
    half = count // 2
    return Items(
        verbatim=_some(draw, half, [one for one in verbatim if _words(one) >= LONG], paragraphs),
        short=_some(draw, half, [one for one in short if SHORTEST <= _words(one) < LONG], first_lines),
        code=_some(draw, half, [entry.code for entry in book], functions),
    )


def write_benchmark(folder: Path, chosen: Items) -> None:
    """The items over every kind of file that is read."""
    folder.mkdir(parents=True)
    prose = [*chosen.verbatim, *chosen.short]
    parts = [prose[start::6] for start in range(6)]
    (folder / "questions.jsonl").write_text("".join(json.dumps({"question": one}) + "\n" for one in parts[0]))
    (folder / "questions.json").write_text(json.dumps([{"inputs": [one]} for one in parts[1]]))
    (folder / "notes.md").write_text("# Notes\n\n" + "\n\n".join(_paragraph(one) for one in parts[2]) + "\n")
    (folder / "notes.txt").write_text("\n\n".join(_paragraph(one) for one in parts[3]) + "\n")
    with (folder / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[str(number), one] for number, one in enumerate(parts[4])])
    parquet.write_table(pa.table({"text": parts[5]}), folder / "table.parquet")
    code = [chosen.code[start::3] for start in range(3)]
    (folder / "solutions.py").write_text("\n\n".join(code[0]) + "\n")
    (folder / "solutions.jsonl").write_text("".join(json.dumps({"solution": one}) + "\n" for one in code[1]))
    (folder / "solutions.md").write_text("\n\n".join(f"```python\n{one}\n```" for one in code[2]) + "\n")


def with_prose(host: Crystal, text: str, where: int) -> Crystal:
    """The host with the text in the middle of its explanation, at the end of its statement, or as a question."""
    if where % 3 == 0:
        head, stop, tail = host.lesson.explanation.partition(". ")
        lesson = replace(host.lesson, explanation=f"{head}{stop}{text} {tail}")
        return _named(replace(host, lesson=lesson))
    if where % 3 == 1:
        return _named(replace(host, concept=replace(host.concept, statement=f"{host.concept.statement} {text}")))
    asked = replace(host.exercises[0], question=text)
    return _named(replace(host, exercises=(asked, *host.exercises[1:])))


def with_code(host: Crystal, source: str) -> Crystal:
    """The host with the function in its module, under other names and in another layout."""
    code = f"{host.lesson.code.rstrip()}\n\n\n{disguised(source)}\n"
    return _named(replace(host, lesson=replace(host.lesson, code=code)))


def disguised(source: str) -> str:
    """The same code with every name of its own changed, no docstring, and laid out by another hand."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            node.body = body[1:] or [ast.Pass()]  # type: ignore[attr-defined]  # every node with a list body
    own = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    own |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    declared = {name for node in ast.walk(tree) if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}
    new = {name: f"renamed_{number}" for number, name in enumerate(sorted(own - declared - set(dir(builtins))))}
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.arg = new.get(node.arg, node.arg)
        elif isinstance(node, ast.Name):
            node.id = new.get(node.id, node.id)
        elif isinstance(node, ast.FunctionDef):
            node.name = new.get(node.name, node.name)
    return "# laid out anew\n" + re.sub("^(?: {4})+", _halved, ast.unparse(tree), flags=re.MULTILINE)


def _named(crystal: Crystal) -> Crystal:
    """With the id that its content gives."""
    return replace(crystal, id=crystal_id(crystal.concept, crystal.lesson, crystal.claims, crystal.exercises))


def _halved(indent: re.Match[str]) -> str:
    return " " * (len(indent.group()) // 2)


def by_id(crystals: Sequence[Crystal]) -> Iterator[Crystal]:
    """In the order in which a store gives them."""
    return iter(sorted(crystals, key=lambda one: one.id))


@cache
def _library() -> tuple[list[str], list[str], list[str]]:
    """Paragraphs, first lines and functions of the standard library."""
    paragraphs: dict[str, None] = {}
    first_lines: dict[str, None] = {}
    sources: dict[str, None] = {}
    for name in MODULES:
        module = importlib.import_module(name)
        found = [one for _, one in inspect.getmembers(module, inspect.isfunction) if one.__module__ == module.__name__]
        for kind in (one for _, one in inspect.getmembers(module, inspect.isclass)):
            if kind.__module__ == module.__name__:
                found += [one for one in vars(kind).values() if inspect.isfunction(one)]
        for function in (one for one in found if one.__code__.co_filename == module.__file__):
            text = inspect.getdoc(function) or ""
            for paragraph in text.split("\n\n"):
                joined = " ".join(paragraph.split())
                kept = paragraphs if _words(joined) >= LONG else first_lines
                if _words(joined) >= SHORTEST and ">>>" not in joined:
                    kept[joined] = None
            source = textwrap.dedent(inspect.getsource(function))
            if source.startswith("def ") and len(source.splitlines()) >= LEAST_LINES:
                sources[source] = None
    return list(paragraphs), list(first_lines), list(sources)


def _some(draw: random.Random, half: int, book: list[str], library: list[str]) -> tuple[str, ...]:
    return (*draw.sample(sorted(set(book)), half), *draw.sample(library, half))


def _words(text: str) -> int:
    return len(text.split())


def _paragraph(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if line.strip())
