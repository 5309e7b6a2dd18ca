"""The passages of a folder of benchmark files (jsonl, json, csv, parquet, py, md, txt); it decides no match.

Every string of a record is a passage of its own, and so is every paragraph of text. Fenced blocks and strings that are
Python count as code.
"""

import ast
import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ghostd.core.contamination import Benchmark, Place, looks_like_code
from ghostd.core.dedup_code import parse
from ghostd.errors import ExportError

_FENCED = re.compile(r"^(`{3,}|~{3,})[^\n]*\n(.*?)^\1[`~]*[ \t]*$", re.MULTILINE | re.DOTALL)
_PARAGRAPH = re.compile(r"(?:^.*\S.*$\n?)+", re.MULTILINE)
_LONGEST_CELL = 1 << 26  # characters of a CSV cell


@dataclass(frozen=True, slots=True)
class Reading:
    """A benchmark folder, read."""

    benchmark: Benchmark
    files: tuple[str, ...]  # that were read
    skipped: tuple[str, ...]  # whose kind is not known


def read_benchmark(folder: Path) -> Reading:
    """Index every file below the folder. Raises ExportError for a folder without any, and for one that is broken."""
    if not folder.is_dir():
        raise ExportError(f"There is no folder {folder}; name one that holds benchmark files with --decontaminate.")
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not _hidden(path.relative_to(folder)))
    benchmark, files, skipped = Benchmark(), [], []
    for path in paths:
        name = path.relative_to(folder).as_posix()
        read = _READERS.get(path.suffix.lower())
        if read is None:
            skipped.append(name)
            continue
        files.append(name)
        try:
            for line, text in read(path):
                _add(benchmark, Place(name, line), text, code=path.suffix.lower() == ".py")
        except OSError as error:
            raise ExportError(f"{path} cannot be read ({error.strerror or error}); check its permissions.") from error
        except (ValueError, csv.Error) as error:  # neither JSON, CSV nor Parquet, or not UTF-8
            raise ExportError(f"{path} is not a whole {path.suffix[1:]} file ({error}); mend or remove it.") from error
    if not benchmark.places:
        kinds = ", ".join(sorted(suffix[1:] for suffix in _READERS))
        raise ExportError(f"{folder} holds no text to compare with; put benchmark files there ({kinds}).")
    return Reading(benchmark, tuple(files), tuple(skipped))


def split_fences(text: str) -> tuple[str, list[str]]:
    """The text without its fenced blocks, and what stands in them."""
    return _FENCED.sub("\n", text), [found.group(2) for found in _FENCED.finditer(text)]


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _add(benchmark: Benchmark, place: Place, text: str, *, code: bool) -> None:
    if code or looks_like_code(text):
        benchmark.add_code(place, text)
        return
    prose, blocks = split_fences(text)
    benchmark.add_prose(place, prose)
    for block in blocks:
        if looks_like_code(block):
            benchmark.add_code(place, block)
        else:
            benchmark.add_prose(place, block)


def _strings(value: Any) -> Iterator[str]:
    """Every string within a record, in order; a function's beginning and its body in the next field also as one."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for before, inner in zip(("", *value.values()), value.values(), strict=False):
            if isinstance(before, str) and isinstance(inner, str) and "def " in before and inner[:1] in {" ", "\t"}:
                yield before + inner
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _json_lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error
            yield from ((number, text) for text in _strings(record))


def _json(path: Path) -> Iterator[tuple[int, str]]:
    document = json.loads(path.read_text(encoding="utf-8"))
    for number, record in enumerate(document if isinstance(document, list) else [document], start=1):
        yield from ((number, text) for text in _strings(record))


def _csv(path: Path) -> Iterator[tuple[int, str]]:
    csv.field_size_limit(_LONGEST_CELL)
    with path.open(encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines, strict=True)
        for row in rows:
            yield from ((rows.line_num, cell) for cell in row)


def _parquet(path: Path) -> Iterator[tuple[int, str]]:
    from pyarrow import parquet

    number = 0
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=1024):
            for record in batch.to_pylist():
                number += 1
                yield from ((number, text) for text in _strings(record))


def _python(path: Path) -> Iterator[tuple[int, str]]:
    """Each function and class where it stands, and the module as a whole."""
    source = path.read_text(encoding="utf-8")
    tree = parse(source)
    for node in tree.body if tree is not None else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, ast.unparse(node)
    yield 1, source


def _paragraphs(path: Path) -> Iterator[tuple[int, str]]:
    """Each paragraph and, in Markdown too, each fenced block."""
    text = path.read_text(encoding="utf-8")
    for found in _FENCED.finditer(text):
        yield text.count("\n", 0, found.start()) + 1, found.group()
    blanked = _FENCED.sub(lambda found: "\n" * found.group().count("\n"), text)
    for found in _PARAGRAPH.finditer(blanked):
        yield blanked.count("\n", 0, found.start()) + 1, found.group()


_READERS: dict[str, Callable[[Path], Iterator[tuple[int, str]]]] = {
    ".jsonl": _json_lines,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
    ".py": _python,
    ".md": _paragraphs,
    ".txt": _paragraphs,
}
