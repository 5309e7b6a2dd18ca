"""The figures of all candidates as Markdown tables; it computes none."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from trainer.evaluation.summary import COVERAGE, MOST_RISK

_NOTHING: Final = "–"


def report(root: str, candidates: Sequence[dict[str, Any]], told: Mapping[str, int] | None = None) -> str:
    """The whole report. `told`: how many answers some candidates were told, and how many were refused."""
    return "\n".join(_lines(root, candidates, told))


def _lines(root: str, candidates: Sequence[dict[str, Any]], told: Mapping[str, int] | None) -> Iterator[str]:
    suites = _all(candidates)
    yield f"# Evaluation on dataset {root[:16]}"
    yield ""
    yield "Exact match with Wilson's 95 % interval. * the candidate was trained on these very questions."
    yield ""
    yield from _table(
        ["candidate", *suites],
        [[each["name"], *(_match(each["suites"].get(name)) for name in suites)] for each in candidates],
    )
    yield ""
    if told is not None:
        yield from _memory(candidates, told)
    yield "## Each domain"
    yield ""
    yield f"Right of asked; in parentheses the share of wrong answers among the surest {COVERAGE:.0%}."
    for suite in suites:
        domains = sorted({domain for each in candidates for domain in each["suites"][suite]["by_domain"]})
        yield ""
        yield f"### {suite}"
        yield ""
        yield from _table(
            ["domain", *(each["name"] for each in candidates)],
            [[domain, *(_at_home(each["suites"][suite], domain) for each in candidates)] for domain in domains],
        )
    yield ""
    yield "## Bits per byte, phrasings, code"
    yield ""
    yield "Of the wanted answers; consistency over exercises that are asked in more than one form: alike / all right."
    yield ""
    yield from _table(
        ["suite", "candidate", "bits per byte", "alike", "all right", "problems", "pass@1", "pass@5", "pass@10"],
        [[suite, each["name"], *_knowledge(each["suites"][suite])] for suite in suites for each in candidates],
    )
    yield ""
    yield "## Knowing what it does not know"
    yield ""
    yield (
        f"Hallucination: wrong answers among the surest {COVERAGE:.0%}. The last three columns: what a threshold does "
        f"that leaves at most {MOST_RISK:.0%} wrong on validation."
    )
    yield ""
    head = ["suite", "candidate", "confidence", "hallucination", "area under risk", "ECE", "ECE fitted"]
    yield from _table(
        [*head, "abstained", "wrong", "right"],
        [[suite, each["name"], *_confidence(each["suites"][suite])] for suite in suites for each in candidates],
    )
    yield ""
    yield "## Speed"
    yield ""
    yield from _table(
        ["candidate", "bytes a second", "first byte p50 ms", "first byte p95 ms"],
        [[each["name"], *(_figure(value, 1) for value in each["speed"].values())] for each in candidates],
    )
    yield ""


def _all(candidates: Sequence[dict[str, Any]]) -> list[str]:
    """The suites in their order; every candidate was asked the same questions."""
    return list(candidates[0]["suites"]) if candidates else []


def _memory(candidates: Sequence[dict[str, Any]], told: Mapping[str, int]) -> Iterator[str]:
    """What was told beside what was not, over candidates with their memory on and off."""
    groups = list(candidates[0]["memory"])
    yield "## With and without memory"
    yield ""
    yield (
        f"Candidates with their memory on were told {told['answers']} answers of the training split that no lesson "
        f"holds, and not trained; {told['refused']} more they could not tell from something else. Right of asked; in "
        f"parentheses the share of wrong answers among the surest {COVERAGE:.0%}."
    )
    yield ""
    names = [each["name"] for each in candidates]
    rows = []
    for group in groups:
        domains = sorted({domain for each in candidates for domain in each["memory"][group]["by_domain"]})
        every = [_beside(each["memory"][group]) for each in candidates]
        rows.append([f"**{group}**", *every])
        if group == groups[0]:
            rows += [[domain, *(_at_home(each["memory"][group], domain) for each in candidates)] for domain in domains]
    yield from _table(["questions", *names], rows)
    yield ""


def _beside(group: dict[str, Any]) -> str:
    found, wrong = group["exact_match"], group["hallucination_at_coverage"]
    share = _NOTHING if found["value"] is None else f"{found['value']:.1%}"
    return f"{_count(found)}, {share} ({_figure(wrong, 2)})"


def _at_home(suite: dict[str, Any], domain: str) -> str:
    found, wrong = suite["by_domain"].get(domain), suite["hallucination_by_domain"].get(domain)
    return _count(found) if wrong is None else f"{_count(found)} ({_figure(wrong, 2)})"


def _match(suite: dict[str, Any] | None) -> str:
    if suite is None or suite["exact_match"]["value"] is None:
        return _NOTHING
    match = suite["exact_match"]
    low, high = match["interval"]
    return f"{match['value']:.1%} ({low:.0%}–{high:.0%}, n={match['of']}){'*' if suite['studied'] else ''}"


def _count(share: dict[str, Any] | None) -> str:
    return f"{share['count']} of {share['of']}" if share and share["of"] else _NOTHING


def _knowledge(suite: dict[str, Any]) -> list[str]:
    code = suite["code"]
    passes = [_figure(code[f"pass@{k}"], 3) for k in (1, 5, 10)]
    forms = suite["consistency"]
    return [
        _figure(suite["bits_per_byte"], 3),
        _count(forms["agree"]),
        _count(forms["all_right"]),
        str(code["problems"]),
        *passes,
    ]


def _confidence(suite: dict[str, Any]) -> list[str]:
    found = suite["confidence"]
    if found is None:
        return [_NOTHING] * 8
    names = ("hallucination_at_coverage", "area_under_risk", "calibration_error", "calibration_error_fitted")
    abstention = found["abstention"] or {}
    counts = [str(abstention.get(name, _NOTHING)) for name in ("abstained", "hallucinated", "right")]
    return [found["from"], *(_figure(found[name], 3) for name in names), *counts]


def _figure(value: float | None, digits: int) -> str:
    return _NOTHING if value is None else f"{value:.{digits}f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"
