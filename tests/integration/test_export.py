"""Whole datasets on a real file system: repeatable, atomic, bounded in memory, safe to aim at the wrong folder."""

import asyncio
import dataclasses
import fcntl
import hashlib
import json
import multiprocessing
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from pyarrow import parquet

from ghostd.core.crystal import Grade
from ghostd.core.ledger import root
from ghostd.errors import ExportError, StoreUnavailable
from ghostd.export.dataset import ExportRequest, write_dataset
from ghostd.export.manifest import CrystalRecord, read_manifest
from ghostd.export.staging import Staging
from tests.crystals import crystal, crystals, numbers_by_id, stream

SPLITS = ("train", "validation", "test")


async def export(out, count=60, **choices):
    return await write_dataset(stream(crystals(count)), ExportRequest(out, **choices))


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def json_rows(folder, split):
    return [json.loads(line) for line in (folder / f"jsonl/{split}.jsonl").read_text().split("\n")[:-1]]


async def test_the_same_crystals_give_the_same_bytes(tmp_path):
    await export(tmp_path / "one", 300)
    await export(tmp_path / "two", 300)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_another_process_with_another_hash_seed_gives_the_same_bytes(tmp_path):
    asyncio.run(export(tmp_path / "here", 60))
    program = (
        "import asyncio, sys; from pathlib import Path; from tests.integration.test_export import export;"
        "asyncio.run(export(Path(sys.argv[1]), 60))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-c", program, str(tmp_path / "there")]
    subprocess.run(command, check=True, env=environment, timeout=60)
    assert contents(tmp_path / "here") == contents(tmp_path / "there")


async def test_no_lineage_is_in_two_splits(tmp_path):
    await export(tmp_path / "out", 500)
    lineages = [{row["lineage"] for row in json_rows(tmp_path / "out", split)} for split in SPLITS]
    assert all(lineages)
    assert sum(map(len, lineages)) == len(set().union(*lineages))
    assert sum(map(len, lineages)) == len(read_manifest(tmp_path / "out").splits)


async def test_every_format_holds_the_same_rows(tmp_path):
    report = await export(tmp_path / "out", 120)
    for split in SPLITS:
        from_json = json_rows(tmp_path / "out", split)
        table = parquet.read_table(tmp_path / f"out/data/{split}-00000-of-00001.parquet")
        assert table.to_pylist() == from_json
        assert sum(report.rows[split].values()) == len(from_json)
        documents = (tmp_path / f"out/text/{split}.txt").read_text().split("\n\f\n")
        assert documents.pop() == ""
        assert len(documents) == len({row["crystal"] for row in from_json}) == report.rows[split]["write_code"]


async def test_the_manifest_describes_every_file_and_the_root_is_that_of_the_crystals(tmp_path):
    report = await export(tmp_path / "out", 60)
    manifest = read_manifest(tmp_path / "out")
    files = contents(tmp_path / "out")
    del files["manifest.json"]
    assert {one.path: (one.sha256, one.size) for one in manifest.files} == {
        path: (hashlib.sha256(data).hexdigest(), len(data)) for path, data in files.items()
    }
    listed = [CrystalRecord.model_validate_json(line) for line in files["crystals.jsonl"].splitlines()]
    expected = [(one.id, one.verification_hash, one.concept.lineage) for one in crystals(60)]
    assert [(one.id, one.verification_hash, one.lineage) for one in listed] == expected
    assert report.root == manifest.root == root([one.leaf() for one in listed]).hex()


async def test_grades_and_domains_that_were_not_asked_for_are_passed_over(tmp_path):
    report = await export(tmp_path / "out", 100, min_grade=Grade.CORROBORATED, domain="algorithms")
    wanted = [one for one in crystals(100) if one.grade >= Grade.CORROBORATED and one.concept.domain == "algorithms"]
    assert report.crystals == len(wanted) > 0


async def test_only_the_formats_that_were_asked_for_are_written(tmp_path):
    await export(tmp_path / "out", 60, formats=("text",))
    assert {path.split("/")[0] for path in contents(tmp_path / "out")} == {
        "README.md",
        "crystals.jsonl",
        "manifest.json",
        "records.jsonl",
        "text",
    }


async def test_progress_hears_of_every_crystal(tmp_path):
    heard = []
    await write_dataset(stream(crystals(150)), ExportRequest(tmp_path / "out"), progress=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == 150


async def test_an_earlier_export_is_replaced(tmp_path):
    await export(tmp_path / "out", 60)
    before = contents(tmp_path / "out")
    await export(tmp_path / "out", 80, formats=("jsonl",))
    after = contents(tmp_path / "out")
    assert after.keys() < before.keys()
    assert read_manifest(tmp_path / "out").crystals == 80
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


async def test_a_reader_never_sees_the_folder_missing_or_mixed_while_it_is_replaced(tmp_path):
    out = tmp_path / "out"
    await export(out, 30)
    roots, done = {read_manifest(out).root}, asyncio.Event()

    async def watch():
        while not done.is_set():
            roots.add(read_manifest(out).root)
            await asyncio.sleep(0)

    watcher = asyncio.create_task(watch())
    report = await export(out, 60)
    done.set()
    await watcher
    assert report.root in roots | {read_manifest(out).root}
    assert len(roots) <= 2


async def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "out").mkdir()
    await export(tmp_path / "out")
    assert read_manifest(tmp_path / "out").crystals


@pytest.mark.parametrize("foreign", ["thesis.md", "data/notes.txt"])
async def test_a_folder_with_files_of_somebody_else_is_never_touched(tmp_path, foreign):
    out = tmp_path / "out"
    await export(out)
    (out / foreign).write_text("years of work")
    before = contents(out)
    with pytest.raises(ExportError, match=foreign):
        await export(out, 80)
    assert contents(out) == before


async def test_a_folder_that_is_no_dataset_and_a_file_are_refused(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.bashrc").write_text("alias")
    with pytest.raises(ExportError, match="is not a ghostd dataset; choose another --out"):
        await export(tmp_path / "home")
    with pytest.raises(ExportError, match="is not a folder"):
        await export(tmp_path / "home/.bashrc")
    assert contents(tmp_path) == {"home/.bashrc": b"alias"}


async def test_what_a_dead_process_left_is_swept_up(tmp_path):
    stale = tmp_path / f"out.partial-{os.getpid()}"  # the pid may even be ours: in a container it often is
    stale.mkdir()
    (stale / "spool.jsonl").write_text("half")
    await export(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


async def test_an_export_that_still_runs_is_left_alone(tmp_path):
    other = tmp_path / "out.partial-1"
    other.mkdir()
    lock = os.open(other, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        await export(tmp_path / "out")
    finally:
        os.close(lock)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.partial-1"]


async def test_a_second_export_to_the_same_folder_at_the_same_time_is_refused(tmp_path):
    first = Staging(tmp_path / "out")
    try:
        with pytest.raises(ExportError, match="Another export writes"):
            await export(tmp_path / "out")
    finally:
        first.close()
    await export(tmp_path / "out")


async def test_a_dataset_that_a_crash_left_between_two_renames_comes_back(tmp_path):
    await export(tmp_path / "out")
    before = contents(tmp_path / "out")
    (tmp_path / "out").rename(tmp_path / "out.partial-77.previous")
    with pytest.raises(ExportError):
        await write_dataset(stream([]), ExportRequest(tmp_path / "out"))
    assert contents(tmp_path / "out") == before


async def test_nothing_to_export_is_an_error_that_leaves_nothing(tmp_path):
    with pytest.raises(ExportError, match="lower --min-grade"):
        await write_dataset(stream([]), ExportRequest(tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


async def test_crystals_out_of_order_are_refused(tmp_path):
    backwards = list(crystals(10))[::-1]
    with pytest.raises(ExportError, match="out of order"):
        await write_dataset(stream(backwards), ExportRequest(tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


async def test_an_outage_of_the_store_in_the_middle_leaves_what_was_there(tmp_path):
    await export(tmp_path / "out")
    before = contents(tmp_path)

    async def breaking():
        for one in crystals(200):
            if one.id > "8":
                raise StoreUnavailable
            yield one

    with pytest.raises(StoreUnavailable):
        await write_dataset(breaking(), ExportRequest(tmp_path / "out"))
    assert contents(tmp_path) == before


@pytest.mark.parametrize("heard", [1_024, 4_000])  # in the middle of reading, and when writing has begun
async def test_a_cancelled_export_leaves_what_was_there(tmp_path, heard):
    await export(tmp_path / "out")
    before = contents(tmp_path)
    started = asyncio.Event()
    request = ExportRequest(tmp_path / "out")

    def progress(count):
        if count >= heard:
            started.set()

    task = asyncio.create_task(write_dataset(stream(crystals(4_000)), request, progress=progress))
    await started.wait()
    await asyncio.sleep(0.05)
    assert any("partial" in path.name for path in tmp_path.iterdir())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert contents(tmp_path) == before


@pytest.mark.skipif(os.getuid() != 0, reason="mounting a small tmpfs needs root")
@pytest.mark.parametrize("formats", [("jsonl",), ("parquet",), ("text",), ("jsonl", "parquet", "text")])
@pytest.mark.parametrize("kilobytes", [64, 400])
def test_a_full_disk_leaves_nothing_and_names_the_remedy(tmp_path, formats, kilobytes):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", disk], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mounting a small tmpfs was refused: {mounted.stderr.strip()}")
    try:
        with pytest.raises(
            ExportError, match=r"No space left on device.*free some space there or choose another --out"
        ):
            asyncio.run(export(disk / "out", 400, formats=formats))
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("limit", [1 << 12, 1 << 16, 1 << 18])
def test_a_file_size_limit_leaves_nothing_and_names_the_remedy(tmp_path, limit):
    message = in_a_process_of_its_own(_export_with_file_size_limit, tmp_path / "out", limit)
    assert "File too large" in message
    assert "choose another --out" in message
    assert list(tmp_path.iterdir()) == []


def _export_with_file_size_limit(out, limit, send):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        asyncio.run(export(out, 400))
        send.send("no error")
    except ExportError as error:
        send.send(str(error))


def in_a_process_of_its_own(function, *arguments):
    """Call it with a pipe to send its answer through: limits and peaks are those of a whole process."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=function, args=(*arguments, send))
    process.start()
    send.close()
    answer = receive.recv()  # EOFError when it died
    process.join()
    process.close()
    receive.close()
    return answer


@pytest.mark.slow
@pytest.mark.timeout(600)  # 17 seconds on two idle cores
def test_memory_does_not_grow_with_the_number_of_crystals(tmp_path):
    grown = in_a_process_of_its_own(_export_and_measure, tmp_path, 20_000)
    assert grown < 100, f"the resident set grew by {grown:.0f} MiB"
    assert read_manifest(tmp_path / "out").crystals == 20_000


def _export_and_measure(folder, count, send):
    """Send by how many MiB the peak of the resident set grew over an export of 500."""
    numbers = numbers_by_id(count)  # made beforehand: the memory of the source is not the exporter's
    asyncio.run(export(folder / "warm", 500))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    asyncio.run(write_dataset(stream(map(crystal, numbers)), ExportRequest(folder / "out")))
    send.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def test_datasets_loads_both_forms_of_the_rows_offline(tmp_path):
    python = os.environ.get("DATASETS_PYTHON", ".venv-datasets/bin/python")
    if not Path(python).exists():
        pytest.skip("needs a python with the `datasets` library: deploy/bootstrap datasets, or DATASETS_PYTHON")
    out = tmp_path / "out"
    report = asyncio.run(export(out, 500))
    program = """
import json, sys
from datasets import load_dataset
out = sys.argv[1]
found = {}
for name, path in (("parquet", out), ("jsonl", out + "/jsonl")):
    loaded = load_dataset(path)
    found[name] = {
        split: {
            "rows": len(rows),
            "columns": rows.column_names,
            "roles": sorted({m["role"] for one in rows["messages"] for m in one}),
            "lineages": sorted(set(rows["lineage"])),
            "first": rows[0],
        }
        for split, rows in loaded.items()
    }
print(json.dumps(found))
"""
    environment = {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "hf"),
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
    }
    done = subprocess.run(
        [python, "-c", program, str(out)], capture_output=True, text=True, check=False, env=environment, timeout=110
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["parquet"] == found["jsonl"]
    for split in SPLITS:
        assert found["parquet"][split]["rows"] == sum(report.rows[split].values())
        assert found["parquet"][split]["roles"] == ["assistant", "user"]
        assert found["parquet"][split]["first"] == json_rows(out, split)[0]
    assert not set(found["parquet"]["train"]["lineages"]) & set(found["parquet"]["test"]["lineages"])


async def test_a_row_says_where_it_comes_from(tmp_path):
    one = dataclasses.replace(crystal(0), teacher="model", teacher_licence="Terms")
    await write_dataset(stream([one]), ExportRequest(tmp_path / "out", formats=("jsonl",)))
    row = json_rows(tmp_path / "out", "train")[0]
    assert row["messages"][-1]["role"] == "assistant"
    expected = {"teacher": "model", "teacher_licence": "Terms", "crystal": one.id, "concept": one.concept.title}
    assert {key: row[key] for key in expected} == expected
