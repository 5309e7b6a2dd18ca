"""The check of a GPU, tried without one: the kernels on the host pass, planted faults do not, stages fail alone."""

import dataclasses

import pytest
import torch
from torch import Tensor

from bench.gpu import __main__ as check
from bench.gpu import correctness, report, subjects
from trainer.ops import loader
from trainer.ops.cuda.compile import has_kernels
from trainer.ops.selective_scan import gated

SCAN = next(subject for subject in subjects.all_subjects() if subject.name == "selective_scan")


def test_every_operator_with_kernels_is_checked() -> None:
    names = [subject.name for subject in subjects.all_subjects()]
    assert names == [*filter(has_kernels, loader.OPERATORS), "gated_scan"]


@pytest.mark.parametrize("subject", subjects.all_subjects(), ids=lambda subject: subject.name)
def test_the_kernels_emulated_on_the_host_pass(subject: subjects.Subject, monkeypatch) -> None:
    monkeypatch.setattr(loader, "rung_for", loader.rung_for)  # to be put back
    monkeypatch.setattr(gated, "_as_one_operator", gated._as_one_operator)
    subjects.emulate()
    few = dataclasses.replace(subject, awkward=[(2, 33, *[5] * (len(subject.large) - 2)), subject.awkward[0]])
    monkeypatch.setattr(correctness, "all_subjects", lambda: [few])
    rows = [*correctness.agreement("cpu")]
    assert [(row.verdict, row.seen) for row in rows if row.verdict != "ok"] == []
    assert len(rows) == len(subjects.DTYPES)


def _unwritten(*inputs: Tensor) -> tuple[Tensor, Tensor]:
    y, final = SCAN.operator(*inputs)
    fresh = torch.empty_like(y)
    fresh[:, 1:] = y[:, 1:]
    return fresh, final


def _rounded(*inputs: Tensor) -> tuple[Tensor, Tensor]:
    y, final = SCAN.operator(*inputs)
    return y.to(torch.float16).to(y.dtype), final


def _writes_beside(*inputs: Tensor) -> tuple[Tensor, Tensor]:
    u = inputs[0].detach()
    torch.as_strided(u, (1,), (1,), u.storage_offset() + u.numel())[0] = 0
    return SCAN.operator(*inputs)


@pytest.mark.parametrize("fault", [_unwritten, _rounded, _writes_beside])
def test_a_fault_is_seen(fault, monkeypatch) -> None:
    wrong = dataclasses.replace(SCAN, operator=fault, awkward=[(2, 33, 5, 4)])
    monkeypatch.setattr(correctness, "all_subjects", lambda: [wrong])
    assert "FAILED" in {row.verdict for row in correctness.agreement("cpu")}


def test_a_stage_that_does_not_end_is_stopped_and_reported() -> None:
    (row,) = check._apart("agreement", "cpu", left=1.5)
    assert (row.verdict, row.seen) == ("FAILED", "stopped after 2 s")


def test_a_stage_that_breaks_is_reported(monkeypatch) -> None:
    monkeypatch.setitem(check.STAGES, "unheard of", check.Stage(correctness.agreement, 30))
    (row,) = check._apart("unheard of", "cpu", left=30)
    assert row.verdict == "FAILED"
    assert "invalid choice" in row.seen


def test_the_table_is_markdown_and_the_figures_survive_a_file(tmp_path) -> None:
    rows = [
        report.judged("scan", "agrees", held=True, seen="1e-7 | limit", error=1e-7),
        report.missing("fla", "time", "-"),
    ]
    report.write(rows, tmp_path / "rows.json")
    assert report.read(tmp_path / "rows.json") == rows
    assert report.table([("timings", rows[0])]).splitlines()[-1] == "| timings | scan | agrees | ok | 1e-7 / limit |"
