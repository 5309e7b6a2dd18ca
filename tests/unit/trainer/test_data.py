"""Rows: nothing leaks, nothing is lost, and a position says all of what comes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.unit.trainer.runs import conversation, corpus, dataset
from trainer.bytes import ASSISTANT, BOUNDARY, BYTES, MIDDLE, PADDING, PREFIX, SUFFIX, USER, decode
from trainer.config import DataConfig
from trainer.data import Position, Rows, validation_batches
from trainer.documents import find_documents
from trainer.encoding import fill_in_the_middle, of_conversation, of_text, read_document
from trainer.errors import DataError


def config(path: Path, **values: object) -> DataConfig:
    return replace(DataConfig(str(path), form="text", context=16, batch=2), **values)  # type: ignore[arg-type]


def test_an_epoch_holds_every_document_once_and_whole(tmp_path: Path) -> None:
    data = config(corpus(tmp_path / "c"), context=97)
    places = find_documents(data).train
    rows = Rows(places, data, lanes=3, seed=5)
    heard: dict[tuple[int, int], list[int]] = {}  # (lane, segment) -> targets
    while rows.epoch() < 1:
        for lane in range(3):
            epoch = rows.positions[lane].epoch
            row = rows.row(lane)
            for target, segment in zip(row[1], row[3], strict=True):
                if epoch == 0:
                    heard.setdefault((lane, int(segment)), []).append(int(target))
    texts = sorted(bytes(x for x in targets if x < BYTES) for targets in heard.values())
    expected = sorted(place.path.read_bytes() for place in places)
    assert set(expected) <= set(texts)


def test_a_row_continues_the_last_one_and_targets_are_the_ids_that_follow(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    folder.mkdir()
    for name in "abc":
        (folder / name).write_text(name * 21)
    rows = Rows(find_documents(config(folder, validation_fraction=0.0)).train, config(folder), lanes=1, seed=0)
    row = np.concatenate([rows.row(0) for _ in range(5)], axis=1)
    inside = row[3, 1:] == row[3, :-1]
    assert (row[0, 1:][inside] == row[1, :-1][inside]).all()
    assert (row[0, 1:][~inside] == BOUNDARY).all()
    assert (row[1, :-1][~inside] == BOUNDARY).all()
    assert len(set(row[3])) == 4  # 80 ids of documents of 22


def test_another_seed_shuffles_anew_and_the_same_seed_repeats(tmp_path: Path) -> None:
    data = config(corpus(tmp_path / "c"))
    places = find_documents(data).train
    first, again, other = (Rows(places, data, 2, seed).take(range(2)).ids for seed in (1, 1, 2))
    assert first.equal(again)
    assert not first.equal(other)


def test_positions_resume_exactly_where_they_were_taken(tmp_path: Path) -> None:
    data = config(corpus(tmp_path / "c"), context=700, middle_fraction=0.5)
    places = find_documents(data).train
    rows = Rows(places, data, 4, seed=3)
    for _ in range(37):  # into the second epoch of some lanes
        rows.take(range(4))
    assert max(position.epoch for position in rows.positions) > 0
    resumed = Rows(places, data, 4, seed=3)
    resumed.positions = [Position(**json.loads(json.dumps(_plain(position)))) for position in rows.positions]
    for _ in range(9):
        one, two = rows.take(range(4)), resumed.take(range(4))
        assert one.ids.equal(two.ids) and one.targets.equal(two.targets)
        assert one.weights.equal(two.weights) and one.segments.equal(two.segments)


def _plain(position: Position) -> dict[str, int]:
    return {name: getattr(position, name) for name in Position.__slots__}


def test_more_lanes_than_documents_share_them(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    folder.mkdir()
    (folder / "only").write_text("some text")
    data = config(folder, validation_fraction=0.0)
    batch = Rows(find_documents(data).train, data, 5, 0).take(range(5))
    assert batch.ids.shape == (5, 16)
    assert (batch.ids == batch.ids[0]).all()


def test_only_answers_are_learnt_and_where_they_end() -> None:
    document = of_conversation(
        [("user", "2+2?"), ("assistant", "4"), ("user", "sure?"), ("assistant", "yes")], "answers"
    )
    learnt = [int(each) for each in document.ids[document.weights > 0]]
    assert learnt == [ord("4"), USER, *b"yes", BOUNDARY]
    assert of_conversation([("user", "a"), ("assistant", "b")], "all").weights[1:].sum() == 5


def test_a_conversation_that_fits_a_row_is_not_cut(tmp_path: Path) -> None:
    rows = [conversation(f"question {number}", "a" * (number % 4)) for number in range(9)]
    data = config(dataset(tmp_path / "d", rows, rows[:1]), form="messages", context=32)
    packed = Rows(find_documents(data).train, data, lanes=1, seed=0)
    for _ in range(20):
        row = packed.row(0)
        begins = [place for place in range(32) if row[0, place] == BOUNDARY]
        assert begins[0] == 0
        ends = [place for place in range(32) if row[1, place] == BOUNDARY]
        assert len(begins) == len(ends) > 0
        assert (row[0, ends[-1] + 1 :] == PADDING).all() and (row[2, ends[-1] + 1 :] == 0).all()


def test_fill_in_the_middle_says_the_same_bytes_in_another_order() -> None:
    text = bytes(range(65, 91))
    for seed in range(20):
        told = fill_in_the_middle(of_text(text), np.random.default_rng(seed)).ids
        cuts = [int(np.flatnonzero(told == special)[0]) for special in (PREFIX, SUFFIX, MIDDLE)]
        prefix, suffix, middle = told[cuts[0] : cuts[1]], told[cuts[1] : cuts[2]], told[cuts[2] :]
        assert decode(prefix) + decode(middle) + decode(suffix) == text


def test_validation_is_a_tenth_by_hash_and_equal_documents_are_never_parted(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    folder.mkdir()
    rows = [{"text": f"document {number // 2}"} for number in range(2000)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    splits = find_documents(config(folder))
    train, held_out = (
        {bytes(decode(read_document(place, "all").ids)) for place in places}
        for places in (splits.train, splits.validation)
    )
    assert not train & held_out
    assert 0.07 < len(held_out) / 1000 < 0.13
    assert find_documents(config(folder)).fingerprint == splits.fingerprint


def test_validation_rows_are_one_pass_and_what_would_come_again_is_padded(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    folder.mkdir()
    for name in "ab":
        (folder / name).write_text(name * 30)
    splits = find_documents(config(folder))
    batches = validation_batches(splits.validation, config(folder))
    assert sum(float(batch.weights.sum()) for batch in batches) == 31
    assert int((batches[-1].ids == PADDING).sum()) == 1


def test_a_datasets_own_split_is_kept_and_its_rows_are_answers(tmp_path: Path) -> None:
    rows = [conversation(f"What is {number}+1?", str(number + 1)) for number in range(5)]
    folder = dataset(tmp_path / "d", rows, [conversation("What is 9+1?", "10", "two")])
    splits = find_documents(config(folder, form="messages"))
    assert (len(splits.train), len(splits.validation)) == (5, 1)
    ids = read_document(splits.validation[0], "answers").ids
    assert [int(ids[1]), int(ids[-4])] == [USER, ASSISTANT]
    assert decode(ids) == b"What is 9+1?10"


def test_a_changed_file_of_a_dataset_is_named_before_the_first_step(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "d", [conversation("a", "b")], [conversation("c", "d")])
    path = folder / "jsonl/train.jsonl"
    path.write_bytes(path.read_bytes().replace(b"b", b"x"))
    with pytest.raises(DataError, match=r"train\.jsonl is not what the manifest says"):
        find_documents(config(folder, form="messages"))
    path.unlink()
    with pytest.raises(DataError, match=r"train\.jsonl is in the manifest but cannot be read"):
        find_documents(config(folder, form="messages"))


def test_a_dataset_without_a_held_out_split_is_split_by_lineage(tmp_path: Path) -> None:
    rows = [conversation(f"q{number}", "a", f"lineage {number % 20}") for number in range(200)]
    splits = find_documents(config(dataset(tmp_path / "d", rows, []), form="messages", validation_fraction=0.3))
    train, held_out = (
        {json.loads(place.path.read_bytes()[place.offset :][: place.length])["lineage"] for place in places}
        for places in (splits.train, splits.validation)
    )
    assert held_out and not train & held_out


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("rows.jsonl", b'{"text": 3}\n', "neither messages nor a text"),
        ("rows.jsonl", b"{\n", "is not JSON"),
        ("empty", b"", "holds no document"),
        ("library.so", b"\x7fELF\0\0", "holds no document"),
        ("one", b"text", "one document only"),
    ],
)
def test_a_folder_with_nothing_to_learn_from_says_so(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=complaint):
        find_documents(config(tmp_path))
    with pytest.raises(DataError, match="is no folder"):
        find_documents(config(tmp_path / "none"))
