"""The dataset card: README.md with the YAML front matter that `datasets` and the hub read; it invents no licence."""

from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from ghostd.core.split import Split
from ghostd.export.manifest import Choices
from ghostd.export.rows import Kind, Label
from ghostd.export.tally import Tally

_PATHS = {"parquet": "data/{split}-*.parquet", "jsonl": "jsonl/{split}.jsonl", "text": "text/{split}.txt"}
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10**7, "1M<n<10M"))
_HUB_LICENCES = {  # identifiers that the hub knows, as far as teachers are likely to name them
    "apache-2.0", "mit", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc0-1.0", "odc-by", "bsd-3-clause", "gpl-3.0",
    "llama3", "llama3.1", "llama3.2", "llama3.3", "gemma", "openrail", "unknown",
}  # fmt: skip
_KINDS = {
    Kind.EXPLAIN: "explain the concept",
    Kind.COMPUTE: "answer an exercise; the value is what the code returned",
    Kind.WRITE_CODE: "write the code from the statement",
    Kind.PREDICT_OUTPUT: "say what a call of the code returns",
    Kind.JUDGE: "say whether a claim is true",
    Kind.VARIATION: "answer an exercise about numbers that a student chose; the value is what the code returned",
}


def card(tally: Tally, choices: Choices, ghostd_version: str, notes: Iterable[str] = ()) -> str:
    """The whole text of README.md, with further lines at its end. It depends on nothing but its arguments."""
    front_matter = yaml.safe_dump(_front_matter(tally, choices), sort_keys=True)
    return f"---\n{front_matter}---\n\n{_body(tally, choices, ghostd_version, notes)}"


def _front_matter(tally: Tally, choices: Choices) -> dict[str, Any]:
    # `datasets` reads all configurations of one folder with one reader, so only one format can be named here.
    loaded = next(name for name in _PATHS if name in choices.formats)
    files = [{"split": split.value, "path": _PATHS[loaded].format(split=split)} for split in tally.splits]
    return {
        "configs": [{"config_name": "default", "data_files": files}],
        "language": ["en"],
        "pretty_name": f"ghostd crystals{': ' + choices.domain if choices.domain else ''}",
        "size_categories": [_size(tally)],
        "tags": ["ghostd", "synthetic", "verified-by-execution", *sorted(tally.domains)],
        "task_categories": ["text-generation", "question-answering"],
        **_licence(choices.licence, sorted({licence for _, licence in tally.teachers})),
    }


def _size(tally: Tally) -> str:
    return next((name for bound, name in _SIZES if tally.row_count() < bound), "n>10M")


def _licence(chosen: str, teachers: Sequence[str]) -> dict[str, str]:
    """The licence that was chosen; else the one that all teachers share; else no claim is made."""
    name = chosen or (teachers[0] if len(teachers) == 1 else "")
    if not name:
        return {"license": "other" if any(teachers) else "unknown"}
    if name.lower() in _HUB_LICENCES:
        return {"license": name.lower()}
    return {"license": "other", "license_name": name}


def _body(tally: Tally, choices: Choices, ghostd_version: str, notes: Iterable[str]) -> str:
    return "\n".join(
        [
            "# Truth crystals",
            "",
            f"{tally.crystals} concepts that ghostd {ghostd_version} asked a teacher model about, turned into code,",
            f"executed in a sandbox and tried to break; {tally.row_count()} rows were made of what survived.",
            f"Merkle root over the crystals (RFC 6962): `{tally.tree.root().hex()}`.",
            "",
            "## Load it",
            "",
            *_loading(choices),
            "",
            "## What is in it",
            "",
            *_table(("split", "crystals", *Kind), _split_rows(tally)),
            "",
            *(f"- `{kind}`: {meaning}" for kind, meaning in _KINDS.items()),
            "",
            *_labels(tally),
            "",
            "Whole lineages (all variants of one parent concept) are in one split, by the hash of the lineage's name.",
            "",
            *_table(("grade", "crystals"), sorted(tally.grades.items())),
            "",
            *_table(("domain", "crystals"), sorted(tally.domains.items())),
            "",
            "## Teachers and licences",
            "",
            *_table(
                ("teacher", "licence of what it writes", "crystals"),
                [(name, licence or "not stated", count) for (name, licence), count in sorted(tally.teachers.items())],
            ),
            "",
            "A teacher's terms may bind whoever trains on its words; ghostd records them and grants nothing itself.",
            "",
            _VERIFIED_AND_LIMITS.strip(),
            "",
            *((*lines, "") if (lines := tuple(notes)) else ()),
        ]
    )


def _loading(choices: Choices) -> Iterable[str]:
    """How each format that was written is read."""
    yield "```python"
    yield "from datasets import load_dataset"
    yield 'rows = load_dataset("path/to/this/folder")'
    if {"parquet", "jsonl"} <= set(choices.formats):
        yield 'rows = load_dataset("path/to/this/folder/jsonl")  # the same rows from JSON Lines'
    if "text" in choices.formats:
        yield 'documents = open("text/train.txt", encoding="utf-8").read().split("\\n\\f\\n")[:-1]'
    yield "```"
    yield ""
    yield "`manifest.json` names every file with its SHA-256; `ghostd audit path/to/this/folder` checks them all."


def _labels(tally: Tally) -> Iterable[str]:
    refuted, unverified = tally.row_count(Label.REFUTED), tally.row_count(Label.UNVERIFIED)
    yield (
        f"`label` is `refuted` in {refuted} rows of kind `judge`: execution contradicted the claim that they quote, "
        'and they answer "False." Nothing refuted is stated as true anywhere.'
    )
    if unverified:
        yield f"`label` is `unverified` in {unverified} rows: no check exists for their claim, and they answer so."


def _split_rows(tally: Tally) -> Iterable[tuple[object, ...]]:
    for split in Split:
        yield (split.value, tally.crystals_by_split[split], *(tally.rows[split, kind] for kind in Kind))


def _table(head: Sequence[str], lines: Iterable[Sequence[object]]) -> Iterable[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for line in lines:
        yield f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |"


_VERIFIED_AND_LIMITS = """
## How it was verified

Each grade includes those before it. *executed*: the code ran to its end in a sandbox without a network and every
check was reached. *reproducible*: it gave the same results under other hash seeds, start times and places, and in
another container. *tested*: an exam that was written without seeing the code passed, and was shown to be able to
fail: it rejected stubs and mutants of the code. *corroborated*: an independent solution agreed. *audited*: a blind
replay on a later day agreed. Every value in this dataset was returned by an execution; no value is the teacher's word.

## Known limits

- Statements, explanations and questions are a model's prose. Claims were executed; the other sentences were not.
- A misconception that the statement, the code and the exam all share is not found below the grade *corroborated*.
- True claims outnumber refuted ones by far: balance the `judge` rows before you train a classifier on them.
- Splits follow lineages, not rows, so shares differ from 80/10/10 where lineages differ in size. A dataset with so few
  lineages that a split would be empty takes one from the largest split.
- A concept that combines two others has a lineage of its own, so its parents may stand in another split.
"""
