"""Checks of the daemon on an endpoint whose every answer is noise: it goes on, believes none, counts all."""

import itertools
import math
from collections import Counter

from interop_daemon import Installation, Period, in_each

ANSWER_TOKENS = 128
PROMPT_PRICE, COMPLETION_PRICE = 2.5, 10.0  # for a million tokens
BUDGET_SECONDS = 40.0
_ALLOWANCE = 40_000  # tokens: about a dozen calls
_QUIET_SECONDS = 10.0
_CAP = "teacher.budget.daily_tokens"
_PROBLEMS = {"truncated", "malformed", "empty", "refusal"}
_TEACHER = {
    "GHOSTD_TEACHER__MAX_TOKENS": str(ANSWER_TOKENS),
    "GHOSTD_TEACHER__CONCURRENCY": "2",
    "GHOSTD_DAEMON__TEACHER_WORKERS": "2",
    "GHOSTD_DAEMON__GRACE_SECONDS": "120",  # calls in flight at the end are answered, however slow the machine
    "GHOSTD_TEACHER__PROMPT_PRICE": str(PROMPT_PRICE),
    "GHOSTD_TEACHER__COMPLETION_PRICE": str(COMPLETION_PRICE),
    "GHOSTD_CURIOSITY__BACKLOG": "1300",  # more than twice what is open, so that concepts are asked for from the start
    "GHOSTD_CURIOSITY__BATCH": "100",
    "GHOSTD_CURIOSITY__DOMAINS": "14",  # two more than the textbook knows, so that domains are asked for too
}
_LEARNING = {
    "GHOSTD_CURIOSITY__BACKLOG": "600",  # open concepts: more than can be distilled in the time
    "GHOSTD_CURIOSITY__BATCH": "50",
    "GHOSTD_TEACHER__MAX_TOKENS": "32768",
    "GHOSTD_DISTILLATION__IN_FLIGHT": "6",  # so that few lessons of the textbook are left to verify beside the noise
}


def live_on_noise(installation: Installation, seconds: float) -> Period:
    """Some open concepts and five crystals from the textbook, then so long on noise."""
    installation.learn(5, **_LEARNING)
    return installation.live("noise", seconds, **_TEACHER)


def live_on_a_budget(installation: Installation) -> Period:
    """The same again, with a cap that a dozen calls reach."""
    cap = {"GHOSTD_TEACHER__BUDGET__DAILY_TOKENS": str(cap_after(installation.snapshot().knowledge["spend"]["tokens"]))}
    return installation.live("budget", BUDGET_SECONDS, **_TEACHER, **cap)


def cap_after(spent: int) -> int:
    """The cap in tokens that was set after so many had been spent."""
    return spent + _ALLOWANCE


def check_it_goes_on(period: Period) -> str:
    """It works and asks until the end, ends by itself with 0, and no exception gets loose."""
    assert period.exit_code == 0, f"exit code {period.exit_code}: {period.log[-2000:]}"
    assert "Traceback" not in period.log, period.log[period.log.index("Traceback") :][:3000]
    assert period.working_seconds > 0.95 * period.seconds, f"worked for {period.working_seconds:.0f} s"
    assert period.midway.get("phase") == "working", period.midway
    quarters = in_each(4, [call["at"] for call in period.calls], period.began, period.seconds)
    assert all(quarters), f"calls in each quarter: {quarters}"
    return f"{period.working_seconds:.0f} s in {period.midway['sandbox']}, exit 0, calls by quarter {quarters}"


def check_every_answer_is_rejected(period: Period) -> str:
    """Each call ends as failed with a reason, and each finished attempt of this teacher with one."""
    assert period.calls
    reasons = Counter(call["error"].partition(":")[0] for call in period.calls)
    assert {call["status"] for call in period.calls} == {"failed"}, Counter(call["status"] for call in period.calls)
    assert set(reasons) <= _PROBLEMS, reasons
    finished = Counter(one["reason"] for one in period.attempts if one["verdict"])
    assert finished, "no attempt was finished"
    assert {one["rung"] for one in period.attempts if one["verdict"]} == {"distillation"}, period.attempts
    assert {reason.partition(".")[2] for reason in finished} <= _PROBLEMS, finished
    shown = {one["reason"]: one["count"] for one in period.after.knowledge["rejections"] if one["stage"] == "asked"}
    assert all(shown.get(reason) == count for reason, count in finished.items()), (shown, finished)
    kinds = Counter(call["kind"] for call in period.calls)
    assert {"domains", "concepts", "lesson", "exam"} <= set(kinds), kinds
    return f"{_listed(kinds)}; {_listed(reasons)}; attempts lost to {_listed(finished)}"


def check_nothing_is_stored(period: Period) -> str:
    """No crystal, no concept and no domain comes of noise."""
    assert period.after.crystals == 0, period.after.crystals
    assert {one["stage"] for one in period.attempts} == {"asked"}, Counter(one["stage"] for one in period.attempts)
    concepts = [snapshot.knowledge["concepts"] for snapshot in (period.before, period.after)]
    domains = [snapshot.knowledge["domains"] for snapshot in (period.before, period.after)]
    assert concepts[0] == concepts[1], concepts
    assert len(domains[0]) == len(domains[1]), domains
    return f"0 crystals of {len(period.attempts)} attempts, still {concepts[1]} concepts in {len(domains[1])} domains"


def check_the_waterfall_adds_up(period: Period) -> str:
    """Every attempt was asked, and at each stage it went on, was lost or is under way."""
    knowledge = period.after.knowledge
    rows = knowledge["waterfall"]
    assert rows[0]["passed"] == knowledge["attempts"] == period.after.all_attempts, (rows[0], period.after.all_attempts)
    for here, following in itertools.pairwise(rows):
        assert here["passed"] == following["passed"] + here["lost"] + here["open"], (here, following)
        assert min(here["lost"], here["open"]) >= 0, here
    lost = sum(row["lost"] for row in rows)
    explained = sum(one["count"] for one in knowledge["rejections"])
    assert lost == explained, (lost, knowledge["rejections"])
    unfinished = sum(not one["verdict"] for one in period.attempts)
    return f"{rows[0]['passed']} asked = {rows[-1]['passed']} stored + {lost} lost + {unfinished} open"


def check_calls_and_tokens_are_counted(period: Period) -> str:
    """The status, the table and the server's own access log agree on what was asked and what it took."""
    spend = period.after.knowledge["spend"]
    calls, prompt, completion, _ = period.after.all_calls
    assert (spend["calls"], spend["prompt_tokens"], spend["completion_tokens"]) == (calls, prompt, completion), spend
    answered = sum(call["http_status"] == 200 for call in period.calls)
    assert answered == period.served.count(200) > 0, (answered, Counter(period.served))
    assert all(call["measured"] for call in period.calls), "a call without the server's token count"
    assert all(0 < call["completion_tokens"] <= ANSWER_TOKENS for call in period.calls)
    tokens = spend["tokens"] - period.before.knowledge["spend"]["tokens"]
    assert tokens == sum(call["prompt_tokens"] + call["completion_tokens"] for call in period.calls) > 0, tokens
    return f"{len(period.calls)} calls in status, table and access log; {tokens:,} tokens, all measured"


def check_the_cost_is_right(period: Period) -> str:
    """What the status says was spent is what the server counted, at the prices set."""
    said = period.after.knowledge["spend"]["cost"] - period.before.knowledge["spend"]["cost"]
    prompt = sum(call["prompt_tokens"] for call in period.calls)
    completion = sum(call["completion_tokens"] for call in period.calls)
    due = (prompt * PROMPT_PRICE + completion * COMPLETION_PRICE) / 1_000_000
    assert due > 0
    assert math.isclose(said, due, rel_tol=1e-9), (said, due)
    return f"{said:.6f} = ({prompt:,} x {PROMPT_PRICE:g} + {completion:,} x {COMPLETION_PRICE:g}) / 10^6"


def check_the_cap_holds(period: Period) -> str:
    """Calls are made below the cap; it is never passed, and once it is near nothing reaches the server."""
    spent, cap = period.after.knowledge["spend"]["tokens"], cap_after(period.before.knowledge["spend"]["tokens"])
    assert period.calls, "no call was made below the cap"
    assert spent <= cap, f"{spent:,} tokens spent under a cap of {cap:,}"
    total = len(period.after.served)
    quiet = period.served_at[-1][0] - min(at for at, served in period.served_at if served == total)
    assert quiet >= _QUIET_SECONDS, f"the last call came {quiet:.0f} s before the end"
    assert len(period.served) == len(period.calls), (len(period.served), len(period.calls))
    return f"{len(period.calls)} calls, {cap - spent:,} of {_ALLOWANCE:,} tokens left, then {quiet:.0f} s of silence"


def check_the_cap_is_named(period: Period) -> str:
    """The daemon stays up, its status or its log names the setting, and it ends with 0."""
    assert period.exit_code == 0, f"exit code {period.exit_code}: {period.log[-2000:]}"
    assert "Traceback" not in period.log, period.log[period.log.index("Traceback") :][:3000]
    assert period.midway.get("phase") == "working", period.midway
    assert period.working_seconds > 0.95 * period.seconds, f"worked for {period.working_seconds:.0f} s"
    runs = period.after.knowledge["runs"]
    said = {"alarm": period.midway["alarm"], "status": " ".join(run["reason"] for run in runs), "log": period.log}
    where = [name for name, text in said.items() if _CAP in text]
    assert where, f"{_CAP} is named nowhere"
    assert all(run["status"] != "running" for run in runs), f"cycle runs without an end: {runs}"
    return f"up for {period.working_seconds:.0f} s, {_CAP} named in {' and '.join(where)}, no run left open"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


NOISE_CHECKS = (
    check_it_goes_on,
    check_every_answer_is_rejected,
    check_nothing_is_stored,
    check_the_waterfall_adds_up,
    check_calls_and_tokens_are_counted,
    check_the_cost_is_right,
)
BUDGET_CHECKS = (check_the_cap_holds, check_the_cap_is_named, check_the_waterfall_adds_up)
