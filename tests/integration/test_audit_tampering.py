"""Every way we know to tamper with an exported dataset: each is found, and what was altered is named.

`forged` mends the manifest after the change, as an attacker would who knows the format but has no key.
"""

import asyncio
import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import parquet

from ghostd.core.leaf import crystal_entry
from ghostd.core.ledger import Frontier, leaf_hash
from ghostd.core.signed import DatasetStatement, SignedHead, TreeHead
from ghostd.errors import ExportError
from ghostd.export.audit import Audit, audit_dataset, read_crystals
from ghostd.export.dataset import ExportRequest, write_dataset
from ghostd.export.manifest import CrystalRecord
from ghostd.export.proofs import HeadDocument, ProofRecord, Seal, encode_crystal
from tests.crystals import stream
from tests.ledgers import TestLog, reals, with_teacher

Tampering = Callable[[Path], object]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A dataset of 60 crystals out of a ledger of 80, and the log that signed it."""
    folder = tmp_path_factory.mktemp("tampering")
    crystals = reals(80)
    log = TestLog(folder / "key", crystals)
    asyncio.run(write_dataset(stream(crystals[:60]), ExportRequest(folder / "out"), log))
    return folder / "out", log


@pytest.fixture
def copy(exported, tmp_path):
    shutil.copytree(exported[0], tmp_path / "copy")
    return tmp_path / "copy"


def lines(path: Path) -> list[str]:
    return path.read_text().split("\n")[:-1]


def write_lines(path: Path, content: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in content))


def edit_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}, indent=1, sort_keys=True) + "\n")


def edit_line(file: Path, number: int, /, **changes: object) -> None:
    content = lines(file)
    content[number] = json.dumps({**json.loads(content[number]), **changes})
    write_lines(file, content)


def mend(folder: Path) -> None:
    """Make the manifest agree with the files again: hashes, sizes, root and number of crystals."""
    document = json.loads((folder / "manifest.json").read_text())
    for record in document["files"]:
        content = (folder / record["path"]).read_bytes()
        record["sha256"], record["size"] = hashlib.sha256(content).hexdigest(), len(content)
    tree = Frontier()
    for line in lines(folder / "crystals.jsonl"):
        tree.append(CrystalRecord.model_validate_json(line).leaf())
    edit_json(folder / "manifest.json", files=document["files"], root=tree.root().hex(), crystals=tree.size)


def swap(path: Path, one: int, other: int) -> None:
    content = lines(path)
    content[one], content[other] = content[other], content[one]
    write_lines(path, content)


def drop_line(path: Path, number: int) -> None:
    content = lines(path)
    del content[number]
    write_lines(path, content)


def double_line(path: Path, number: int) -> None:
    content = lines(path)
    write_lines(path, [*content[: number + 1], *content[number:]])


def edit_row(folder: Path) -> None:
    edit_line(folder / "jsonl/train.jsonl", 3, answer="42")


def foreign_row(folder: Path) -> None:
    row = json.loads(lines(folder / "jsonl/train.jsonl")[0])
    write_lines(
        folder / "jsonl/train.jsonl",
        [*lines(folder / "jsonl/train.jsonl"), json.dumps({**row, "crystal": "f" * 64})],
    )


def edit_parquet(folder: Path) -> None:
    path = folder / "data/train-00000-of-00001.parquet"
    table = parquet.read_table(path)
    rows = table.to_pylist()
    rows[5]["messages"][1]["content"] = "The moon is made of cheese."
    parquet.write_table(type(table).from_pylist(rows, schema=table.schema), path)


def edit_text(folder: Path) -> None:
    path = folder / "text/train.txt"
    path.write_text(path.read_text().replace("return", "give", 1))


def swap_split_files(folder: Path) -> None:
    for form in ("jsonl/{}.jsonl", "text/{}.txt"):
        one, other = folder / form.format("train"), folder / form.format("test")
        aside = folder / "aside"
        one.rename(aside)
        other.rename(one)
        aside.rename(other)


def drop_everywhere(folder: Path) -> None:
    """Take one crystal out of every file, manifest included."""
    victim = json.loads(lines(folder / "crystals.jsonl")[0])
    for name in ("crystals.jsonl", "records.jsonl", "proofs.jsonl"):
        write_lines(folder / name, [line for line in lines(folder / name) if json.loads(line)["id"] != victim["id"]])
    path = folder / f"jsonl/{victim['split']}.jsonl"
    gone = [json.loads(line) for line in lines(path) if json.loads(line)["crystal"] == victim["id"]]
    write_lines(path, [line for line in lines(path) if json.loads(line)["crystal"] != victim["id"]])
    table_path = folder / f"data/{victim['split']}-00000-of-00001.parquet"
    table = parquet.read_table(table_path)
    kept = [row for row in table.to_pylist() if row["crystal"] != victim["id"]]
    parquet.write_table(type(table).from_pylist(kept, schema=table.schema), table_path)
    text = folder / f"text/{victim['split']}.txt"
    explained = json.loads(path.read_text().split("\n", 1)[0])["concept"]  # the first document now is this one's
    documents = text.read_text().split("\n\f\n")
    text.write_text("\n\f\n".join(documents[next(i for i, one in enumerate(documents) if one.startswith(explained)) :]))
    document = json.loads((folder / "manifest.json").read_text())
    for row in gone:
        document["rows"][victim["split"]][row["kind"]] -= 1
    edit_json(folder / "manifest.json", rows=document["rows"])


def change_crystal(folder: Path, **changes: object) -> None:
    """Another crystal under the old id, with rows_hash and grade mended in the listing."""
    edit_line(folder / "records.jsonl", 7, **changes)


def downgrade(folder: Path) -> None:
    number = next(n for n, line in enumerate(lines(folder / "records.jsonl")) if json.loads(line)["grade"] == 3)
    edit_line(folder / "records.jsonl", number, grade=5)
    edit_line(folder / "crystals.jsonl", number, grade="audited")


def relicense(folder: Path) -> None:
    """Give the crystals of a teacher without a licence one, in the records."""
    content = [json.loads(line) for line in lines(folder / "records.jsonl")]
    write_lines(folder / "records.jsonl", [json.dumps({**one, "teacher_licence": "MIT"}) for one in content])


def swap_proofs(folder: Path) -> None:
    one, other = (json.loads(lines(folder / "proofs.jsonl")[number]) for number in (0, 1))
    edit_line(folder / "proofs.jsonl", 0, leaf=other["leaf"], path=other["path"])
    edit_line(folder / "proofs.jsonl", 1, leaf=one["leaf"], path=one["path"])


def edit_choices(folder: Path, **changes: object) -> None:
    document = json.loads((folder / "manifest.json").read_text())
    edit_json(folder / "manifest.json", choices={**document["choices"], **changes})


def edit_counts(folder: Path) -> None:
    document = json.loads((folder / "manifest.json").read_text())
    document["rows"]["train"]["judge"] += 1
    edit_json(folder / "manifest.json", rows=document["rows"])


def edit_splits(folder: Path) -> None:
    document = json.loads((folder / "manifest.json").read_text())
    lineage = next(name for name, split in document["splits"].items() if split == "test")
    edit_json(folder / "manifest.json", splits={**document["splits"], lineage: "train"})


def forget_file(folder: Path, path: str) -> None:
    """Remove a file and its line of the manifest."""
    (folder / path).unlink()
    document = json.loads((folder / "manifest.json").read_text())
    edit_json(folder / "manifest.json", files=[one for one in document["files"] if one["path"] != path])


def truncate(folder: Path, path: str) -> None:
    content = (folder / path).read_bytes()
    (folder / path).write_bytes(content[: len(content) // 2])


UNMENDED: dict[str, tuple[Tampering, str]] = {
    "a value in a row": (edit_row, "jsonl/train.jsonl: changed since the export"),
    "a file removed": (lambda folder: (folder / "text/test.txt").unlink(), "text/test.txt: missing"),
    "a file added": (
        lambda folder: (folder / "jsonl/more.jsonl").write_text("{}\n"),
        "more.jsonl: not in the manifest",
    ),
    "a file truncated": (lambda folder: truncate(folder, "text/train.txt"), "text/train.txt: it holds"),
    "a Parquet file truncated": (
        lambda folder: truncate(folder, "data/train-00000-of-00001.parquet"),
        "data/train-00000-of-00001.parquet: after crystal none it cannot be read",
    ),
    "the card": (lambda folder: (folder / "README.md").write_text("license: mit"), "README.md: changed"),
    "the seal removed": (lambda folder: (folder / "seal.json").unlink(), "seal.json: missing, so nobody vouches"),
    "the seal's signature": (
        lambda folder: edit_json(folder / "seal.json", signature="0" * 128),
        "seal.json: its signature is not",
    ),
    "the seal's number of crystals": (
        lambda folder: edit_json(folder / "seal.json", crystals=61),
        "manifest.json: 60 crystals, and 61 were signed",
    ),
    "the head's size": (
        lambda folder: edit_json(folder / "head.json", size=79),
        "head.json: its signature is not over",
    ),
    "the head's root": (lambda folder: edit_json(folder / "head.json", root="0" * 64), "head.json: its signature"),
    "the head's timestamp": (lambda folder: edit_json(folder / "head.json", timestamp=1), "head.json: its signature"),
    "the head's signature": (
        lambda folder: edit_json(folder / "head.json", signature="1" * 128),
        "head.json: its signature",
    ),
    "the head's public key": (
        lambda folder: edit_json(folder / "head.json", public_key="2" * 64),
        "head.json: its key id is not that of its public key",
    ),
    "the head made unreadable": (lambda folder: (folder / "head.json").write_text("{"), "head.json: not what ghostd"),
    "a proof removed": (lambda folder: drop_line(folder / "proofs.jsonl", 3), "has no proof"),
}
FORGED: dict[str, tuple[Tampering, str]] = {
    "a value in a row": (edit_row, "jsonl/train.jsonl: the rows of crystal"),
    "two rows swapped": (lambda folder: swap(folder / "jsonl/train.jsonl", 0, 1), "jsonl/train.jsonl: the rows of"),
    "a row removed": (lambda folder: drop_line(folder / "jsonl/train.jsonl", 4), "jsonl/train.jsonl: the rows of"),
    "a row doubled": (lambda folder: double_line(folder / "jsonl/train.jsonl", 4), "jsonl/train.jsonl: the rows of"),
    "a foreign row": (foreign_row, "crystal ffffffffffff does not belong here"),
    "rows far apart swapped": (lambda folder: swap(folder / "jsonl/train.jsonl", 0, 100), "stands here twice"),
    "Parquet alone": (edit_parquet, "data/train-00000-of-00001.parquet: the rows of crystal"),
    "text alone": (edit_text, "text/train.txt: the document of crystal"),
    "the files of two splits swapped": (swap_split_files, "jsonl/test.jsonl: crystal"),
    "a crystal dropped everywhere": (drop_everywhere, "manifest.json: 59 crystals, and 60 were signed"),
    "a crystal dropped from the records": (
        lambda folder: drop_line(folder / "records.jsonl", 5),
        "records.jsonl: crystal",
    ),
    "a crystal dropped from the listing": (
        lambda folder: drop_line(folder / "crystals.jsonl", 5),
        "is not in crystals.jsonl",
    ),
    "a crystal doubled": (
        lambda folder: double_line(folder / "crystals.jsonl", 5),
        "crystals.jsonl: line 7: crystal",
    ),
    "crystals reordered": (lambda folder: swap(folder / "crystals.jsonl", 1, 2), "is out of order"),
    "a crystal's quality": (
        lambda folder: change_crystal(folder, quality=1.0),
        "is not shown to be in the signed ledger",
    ),
    "a crystal's exam": (lambda folder: change_crystal(folder, exam={"checks": ["assert True"]}), "signed ledger"),
    "a crystal's time": (lambda folder: change_crystal(folder, created_at=1.0), "signed ledger"),
    "a crystal's claims": (lambda folder: change_crystal(folder, claims=[]), "does not give its id"),
    "a crystal's verification hash": (
        lambda folder: change_crystal(folder, verification_hash="3" * 64),
        "has the verification_hash 333333333333",
    ),
    "a grade": (downgrade, "signed ledger"),
    "the teachers' licences": (relicense, "signed ledger"),
    "proofs swapped": (swap_proofs, "proofs.jsonl: crystal"),
    "a proof that is none": (
        lambda folder: edit_line(folder / "proofs.jsonl", 2, path="AAAA"),
        "has a proof that is none",
    ),
    "a proof of a foreign crystal": (
        lambda folder: edit_line(folder / "proofs.jsonl", 2, id="f" * 64),
        "crystal ffffffffffff is not in the dataset",
    ),
    "the counts": (edit_counts, "manifest.json: it counts"),
    "the splits": (edit_splits, "manifest.json: the splits are not those"),
    "the licence": (lambda folder: edit_choices(folder, licence="MIT"), "manifest.json: not the one that was signed"),
    "the seed of the splits": (lambda folder: edit_choices(folder, seed=7), "manifest.json: the splits are not those"),
    "a file forgotten": (
        lambda folder: forget_file(folder, "text/test.txt"),
        "manifest.json: not the one that was signed",
    ),
}


def audited(folder: Path, trusted: bytes | None = None) -> Audit:
    return audit_dataset(folder, trusted=trusted)


def test_an_untouched_dataset_passes_with_and_without_the_key(exported):
    folder, log = exported
    assert audited(folder).problems == audited(folder, log.key.public_key).problems == ()


@pytest.mark.parametrize("kind", UNMENDED)
def test_what_was_altered_is_named(copy, kind):
    tamper, named = UNMENDED[kind]
    tamper(copy)
    assert named in " ".join(audited(copy).problems)


@pytest.mark.parametrize("kind", FORGED)
def test_what_was_altered_is_named_although_the_manifest_was_mended(copy, kind):
    tamper, named = FORGED[kind]
    tamper(copy)
    mend(copy)
    problems = " ".join(audited(copy).problems)
    assert named in problems
    assert "manifest.json: not the one that was signed." in problems


def test_a_manifest_that_is_gone_or_of_another_format_is_an_error_that_says_so(copy):
    path = copy / "manifest.json"
    path.write_text(path.read_text().replace('"format_version": 1', '"format_version": 2'))
    with pytest.raises(ExportError, match="format_version"):
        audited(copy)
    path.unlink()
    with pytest.raises(ExportError, match="is not a whole ghostd dataset"):
        audited(copy)


def test_a_dataset_signed_anew_as_a_whole_is_found_by_who_knows_the_key_and_by_nobody_else(exported, copy, tmp_path):
    """Whoever replaces crystals, ledger and key alike makes a dataset of his own: only the key tells it apart."""
    _, log = exported
    shutil.rmtree(copy)
    impostors = [with_teacher(one, "impostor") for one in read_crystals(exported[0])]
    forger = TestLog(tmp_path / "forger", impostors)
    asyncio.run(write_dataset(stream(impostors), ExportRequest(copy), forger))
    assert audited(copy).ok
    problems = " ".join(audited(copy, log.key.public_key).problems)
    assert f"signed by {forger.key.key_id[:12]}, not by the given key {log.key.key_id[:12]}" in problems


def test_an_old_head_of_the_right_key_does_not_vouch_for_later_crystals(exported, copy):
    """A head over other leaves, signed by the right key, shows nothing of the crystals of this dataset."""
    _, log = exported
    head = TreeHead(1, leaf_hash(b"earlier"), 1_600_000_000_000, log.key.key_id)
    old = SignedHead(head, log.key.public_key, log.key.sign(head.statement))
    (copy / "head.json").write_text(HeadDocument.of(old).encode())
    assert "is not shown to be in the signed ledger" in " ".join(audited(copy, log.key.public_key).problems)


def test_a_foreign_crystal_with_everything_mended_but_the_ledger_is_named(exported, copy):
    """The attacker even has the right seal made: the ledger never committed to this crystal."""
    _, log = exported
    crystals = list(read_crystals(copy))
    changed = dataclasses.replace(crystals[4], teacher="impostor")
    write_lines(copy / "records.jsonl", [encode_crystal(changed if n == 4 else one) for n, one in enumerate(crystals)])
    mend(copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    digest = hashlib.sha256((copy / "manifest.json").read_bytes()).hexdigest()
    statement = DatasetStatement(digest, 60, manifest["root"])
    seal = Seal(
        manifest=digest,
        crystals=60,
        root=manifest["root"],
        public_key=log.key.public_key.hex(),
        signature=log.key.sign(statement.statement).hex(),
    )
    (copy / "seal.json").write_text(seal.encode())
    problems = audited(copy, log.key.public_key).problems
    assert f"proofs.jsonl: crystal {changed.id[:12]} is not shown to be in the signed ledger" in " ".join(problems)


def test_a_dataset_without_a_ledger_is_called_unsigned(tmp_path):
    asyncio.run(write_dataset(stream(reals(20)), ExportRequest(tmp_path / "out")))
    assert "seal.json: missing, so nobody vouches for this dataset." in audited(tmp_path / "out").problems


def test_the_export_refuses_a_crystal_that_is_not_the_one_in_the_ledger(tmp_path):
    crystals = reals(20)
    log = TestLog(tmp_path / "key", crystals)
    crystals[3] = with_teacher(crystals[3], "impostor")
    with pytest.raises(ExportError, match=rf"{crystals[3].id[:12]} is not the one that the ledger committed to"):
        asyncio.run(write_dataset(stream(crystals), ExportRequest(tmp_path / "out"), log))
    assert not (tmp_path / "out").exists()


def test_the_same_crystals_and_head_give_the_same_bytes(exported, tmp_path):
    folder, log = exported
    asyncio.run(write_dataset(stream(reals(80)[:60]), ExportRequest(tmp_path / "again"), log))
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert files == sorted(p.relative_to(tmp_path / "again") for p in (tmp_path / "again").rglob("*") if p.is_file())
    assert all((folder / path).read_bytes() == (tmp_path / "again" / path).read_bytes() for path in files)


def test_every_field_of_a_crystal_is_in_its_leaf():
    one = reals(1)[0]
    for field in dataclasses.fields(one):
        other = dataclasses.replace(one, **{field.name: None})
        assert (
            field.name in {"id", "verification_hash"}
            or crystal_entry(other) != crystal_entry(one)
            or (getattr(one, field.name) is None)
        )


def test_a_proof_is_read_back_as_it_was_written():
    path = [bytes([number]) * 32 for number in range(5)]
    assert ProofRecord.of("a", 3, path).hashes() == path
