"""From graded answers to the figures of one candidate: values that JSON knows; it writes nothing."""

import math
from collections.abc import Sequence
from typing import Any, Final

from trainer.evaluation import risk
from trainer.evaluation.candidate import Candidate
from trainer.evaluation.examine import Graded
from trainer.evaluation.measures import Consistency, Share, consistency, pass_at, quantile, share
from trainer.evaluation.questions import Suite
from trainer.evaluation.telling import Telling, Told

COVERAGE: Final = 0.8  # at which the hallucination rate is told
MOST_RISK: Final = 0.05  # of wrong answers, that the threshold allows on validation
_AT: Final = (1, 5, 10)  # the k of pass@k


def summary(candidate: Candidate, graded: Sequence[Graded], telling: Telling | None = None) -> dict[str, Any]:
    """All figures of one candidate; what cannot be known is None. `telling` groups the questions by what was told."""
    validation = _judged([each for each in graded if each.question.suite is Suite.VALIDATION])
    limit = risk.threshold(validation, MOST_RISK) if validation else None
    calibrator = risk.calibrated(validation) if validation else None
    suites = {}
    for suite in Suite:
        inside = [each for each in graded if each.question.suite is suite]
        if inside:
            forms = _forms(inside, graded if suite is Suite.PARAPHRASES else inside)
            suites[suite.value] = {
                **_knowledge(inside),
                "consistency": {"agree": _share(forms.agree), "all_right": _share(forms.all_right)},
                "studied": suite in candidate.studied,
                "confidence": _confidence(inside, limit, calibrator),
            }
    found = {"name": candidate.name, "suites": suites, "threshold": _number(limit), "speed": _speed(graded)}
    return found if telling is None else {**found, "memory": _memory(graded, telling)}


def _memory(graded: Sequence[Graded], telling: Telling) -> dict[str, Any]:
    """By what of a question was told; the training split alone, for nothing else can be told."""
    groups = {}
    for group in Told:
        inside = [
            each
            for each in graded
            if telling.of(each.question) is group and each.question.suite not in {Suite.LINEAGES, Suite.VALIDATION}
        ]
        if inside:
            groups[group.value] = {**_knowledge(inside), "hallucination_at_coverage": _hallucination(inside)}
    return groups


def _hallucination(graded: Sequence[Graded]) -> float | None:
    """The share of wrong answers among the surest."""
    judged = _judged(graded)
    return _number(risk.risk_at(COVERAGE, judged)) if judged else None


def _knowledge(graded: Sequence[Graded]) -> dict[str, Any]:
    valued = [each for each in graded if not each.question.tests]
    code = [each for each in graded if each.question.tests and each.right is not None]
    domains = sorted({each.question.domain for each in valued})
    kinds = sorted({each.question.kind for each in valued})
    at_home = {name: [each for each in valued if each.question.domain == name] for name in domains}
    known = [(each.nats, each.wanted_bytes) for each in graded if each.nats is not None]
    counts = [(each.samples, each.passed) for each in code]
    return {
        "exact_match": _share(_right(valued)),
        "by_domain": {name: _share(_right(inside)) for name, inside in at_home.items()},
        "hallucination_by_domain": {name: _hallucination(inside) for name, inside in at_home.items()},
        "by_kind": {name: _share(_right([e for e in valued if e.question.kind == name])) for name in kinds},
        "bits_per_byte": _number(sum(n for n, _ in known) / math.log(2) / sum(b for _, b in known)) if known else None,
        "code": {"problems": len(code), **{f"pass@{k}": _number(pass_at(k, counts)) for k in _AT}},
    }


def _forms(inside: Sequence[Graded], among: Sequence[Graded]) -> Consistency:
    """Of the exercises inside, in all their forms among the graded: a paraphrase is compared with what was seen."""
    exercises = {each.question.exercise for each in inside}
    return consistency(
        (each.question.exercise, each.said, bool(each.right)) for each in among if each.question.exercise in exercises
    )


def _confidence(
    graded: Sequence[Graded], limit: float | None, calibrator: risk.Calibrator | None
) -> dict[str, Any] | None:
    judged = _judged(graded)
    if not judged:
        return None
    raw = [(math.exp(min(0.0, c)) if _told(graded) else c, right) for c, right in judged]
    applied = risk.abstain(judged, limit) if limit is not None else None
    return {
        "from": "log-probability" if _told(graded) else "agreement",
        "hallucination_at_coverage": _number(risk.risk_at(COVERAGE, judged)),
        "area_under_risk": _number(risk.area(judged)),
        "calibration_error": _number(risk.calibration_error(raw)),
        "calibration_error_fitted": _number(risk.calibration_error([(calibrator(c), right) for c, right in judged]))
        if calibrator
        else None,
        "abstention": None
        if applied is None
        else {"abstained": applied.abstained, "hallucinated": applied.hallucinated, "right": applied.right},
        "curve": [[round(point.coverage, 6), round(point.risk, 6)] for point in risk.risk_coverage(judged)],
    }


def _judged(graded: Sequence[Graded]) -> list[risk.Judged]:
    """Only answers that are values: how sure one is of a program is another question."""
    return [
        (each.confidence, bool(each.right))
        for each in graded
        if each.confidence is not None and not each.question.tests
    ]


def _told(graded: Sequence[Graded]) -> bool:
    return all(each.log_probability is not None for each in graded if not each.question.tests)


def _speed(graded: Sequence[Graded]) -> dict[str, float | None]:
    answers = [each.answer for each in graded]
    said = sum(len(answer.text.encode()) for answer in answers)
    first = [answer.first_byte_seconds for answer in answers if answer.first_byte_seconds is not None]
    seconds = sum(answer.seconds for answer in answers)
    return {
        "bytes_per_second": _number(said / seconds) if seconds > 0 else None,
        "first_byte_ms_p50": _number(1000 * quantile(first, 0.5)),
        "first_byte_ms_p95": _number(1000 * quantile(first, 0.95)),
    }


def _right(graded: Sequence[Graded]) -> Share:
    return share(bool(each.right) for each in graded)


def _share(found: Share) -> dict[str, Any]:
    low, high = found.interval
    return {"count": found.count, "of": found.of, "value": _number(found.value), "interval": [low, high]}


def _number(value: float | None) -> float | None:
    """JSON has no NaN and no infinity."""
    return None if value is None or not math.isfinite(value) else value
