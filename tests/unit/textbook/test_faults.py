"""Every fault is what it says: drawn as told, put where told, and transient where it must be."""

import ast
import json
import subprocess
import sys

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ghostd.textbook.app import create_app
from ghostd.textbook.config import TextbookConfig
from ghostd.textbook.faults import CATCHABLE, WIRE, FaultKind, FaultPlan, is_bad
from ghostd.textbook.index import truth
from ghostd.textbook.spoiling import spoil_exam, spoil_lesson, wrong_code
from ghostd.textbook.writing import evaluate, write_exam, write_lesson

from .test_app import MODULAR, ask, concept_named, messages_for, served

TITLES = [f"concept {number}" for number in range(4000)]
WRONG_CODE = [
    FaultKind.WRONG_FORMULA,
    FaultKind.OFF_BY_ONE,
    FaultKind.WRONG_CONSTANT,
    FaultKind.UNIT_SLIP,
    FaultKind.MISCONCEPTION,
    FaultKind.DEEP_MISCONCEPTION,
    FaultKind.SWALLOWED_ASSERTS,
]
# What one run in a plain process shows of a fault, bounded by rlimits: the end of the process or its output.
ENDS = {
    FaultKind.EARLY_EXIT: (0, False),
    FaultKind.ENDLESS_LOOP: (-24, False),  # SIGXCPU: the CPU limit
    FaultKind.MEMORY_HOG: (1, False),
    FaultKind.NETWORK_ACCESS: (1, False),
    FaultKind.FORK_BOMB: (1, False),
    FaultKind.ALWAYS_EQUAL: (0, True),
}


def passes(code, checks):
    """Whether all checks hold for the code."""
    namespace = {"__name__": "exam"}
    exec(code, namespace)
    try:
        for check in checks:
            exec(check, namespace)
    except (AssertionError, ArithmeticError, LookupError, TypeError, ValueError):
        return False
    return True


def run_bounded(source):
    """The source in a process with small limits and no network, memory or children to spend."""
    bounds = (
        "import resource as r, os; os.setuid(65534) if os.getuid() == 0 else None\n"
        "r.setrlimit(r.RLIMIT_CPU, (1, 2)); r.setrlimit(r.RLIMIT_AS, (200 << 20,) * 2)\n"
        "r.setrlimit(r.RLIMIT_NPROC, (0, 0)); r.setrlimit(r.RLIMIT_NOFILE, (3, 3))\n"
    )
    return subprocess.run(
        [sys.executable, "-S", "-c", f"{bounds}{source}"], capture_output=True, timeout=20, check=False
    )


@given(st.integers(), st.text(), st.integers(0, 5))
def test_a_plan_is_a_function_of_its_arguments(seed, title, repair_round):
    rates = dict.fromkeys(FaultKind, 1 / len(FaultKind))
    first, again = FaultPlan(seed, rates), FaultPlan(seed, rates)
    assert first.fault_for(title, repair_round) == again.fault_for(title, repair_round)


def test_without_rates_there_is_no_fault():
    plan = TextbookConfig().plan()
    assert {plan.fault_for(title) for title in TITLES} == {None}


def test_faults_come_at_the_rates_that_were_asked_for():
    plan = TextbookConfig(faults={FaultKind.OFF_BY_ONE: 0.2, FaultKind.REFUSAL: 0.05}, seed=7).plan()
    drawn = [plan.fault_for(title) for title in TITLES]
    assert drawn.count(FaultKind.OFF_BY_ONE) / len(TITLES) == pytest.approx(0.2, abs=0.025)
    assert drawn.count(FaultKind.REFUSAL) / len(TITLES) == pytest.approx(0.05, abs=0.015)
    assert set(drawn) == {None, FaultKind.OFF_BY_ONE, FaultKind.REFUSAL}


def test_the_shorthand_spreads_evenly_over_all_but_the_uncatchable():
    plan = TextbookConfig(fault_rate=0.5).plan()
    drawn = [plan.fault_for(title) for title in TITLES]
    assert set(drawn) - {None} == CATCHABLE
    assert FaultKind.DEEP_MISCONCEPTION not in drawn
    assert drawn.count(None) / len(TITLES) == pytest.approx(0.5, abs=0.03)


def test_another_seed_commits_other_faults():
    plans = [TextbookConfig(fault_rate=0.5, seed=seed).plan() for seed in (1, 2)]
    one, other = ([plan.fault_for(title) for title in TITLES[:200]] for plan in plans)
    assert one != other


def test_repairs_mend_at_the_repair_rate_and_stay_mended():
    plan = TextbookConfig(faults={FaultKind.OFF_BY_ONE: 1.0}, repair_rate=0.3).plan()
    mended = [sum(plan.fault_for(title, past) is None for title in TITLES) / len(TITLES) for past in range(4)]
    assert mended == pytest.approx([0.0, 0.3, 0.51, 0.657], abs=0.03)
    for title in TITLES[:300]:
        states = [plan.fault_for(title, past) is None for past in range(6)]
        assert states == sorted(states)


def test_rates_above_one_are_refused():
    with pytest.raises(ValidationError, match="more than 1"):
        TextbookConfig(fault_rate=0.6, faults={FaultKind.REFUSAL: 0.6})
    with pytest.raises(ValidationError):
        TextbookConfig(faults={"no_such_fault": 0.1})


@pytest.mark.parametrize("kind", WRONG_CODE)
def test_wrong_code_differs_from_right_code_on_the_right_exam(family, kind):
    entry = family.build(*family.parameters[len(family.parameters) // 3])
    lesson = spoil_lesson(entry, kind)
    assert passes(entry.code, write_exam(entry).checks)
    assert not passes(lesson.code, write_exam(entry).checks)


def test_a_misconception_is_told_in_code_claims_and_explanation_but_not_in_the_exam(family):
    entry = family.build(*family.parameters[0])
    lesson = spoil_lesson(entry, FaultKind.MISCONCEPTION)
    assert spoil_exam(entry, FaultKind.MISCONCEPTION) == write_exam(entry)
    assert passes(lesson.code, [f"assert {claim.check}" for claim in lesson.claims])
    assert lesson.explanation.startswith(entry.explanations[0])
    assert lesson.explanation != entry.explanations[0]
    assert [one.question for one in lesson.exercises] == [question for question, _ in entry.exercises]


def test_a_deep_misconception_passes_its_own_exam_and_fails_the_right_one(family):
    entry = family.build(*family.parameters[0])
    lesson = spoil_lesson(entry, FaultKind.DEEP_MISCONCEPTION)
    assert passes(lesson.code, spoil_exam(entry, FaultKind.DEEP_MISCONCEPTION).checks)
    assert not passes(lesson.code, write_exam(entry).checks)


def test_a_wrong_claim_stands_beside_right_code():
    entry = truth(MODULAR)
    lesson, right = spoil_lesson(entry, FaultKind.WRONG_CLAIM), write_lesson(entry)
    assert lesson.code == right.code
    assert lesson.claims[:-1] == right.claims
    assert not passes(lesson.code, [f"assert {lesson.claims[-1].check}"])


@pytest.mark.parametrize("kind", [FaultKind.TAUTOLOGICAL_EXAM, FaultKind.SWALLOWED_ASSERTS])
def test_a_worthless_exam_passes_code_that_is_wrong(kind):
    entry = truth(MODULAR)
    for wrong in entry.wrong.values():
        assert passes(wrong, spoil_exam(entry, kind).checks)
        assert not passes(wrong, write_exam(entry).checks)


@pytest.mark.parametrize("kind", sorted(set(FaultKind) - WIRE))
def test_every_spoiled_lesson_of_every_family_parses(family, kind):
    entry = family.build(*family.parameters[-1])
    lesson = spoil_lesson(entry, kind)
    ast.parse(lesson.code)
    for check in spoil_exam(entry, kind).checks:
        ast.parse(check)
    name = entry.signature.split("(")[0].removeprefix("def ")
    assert f"def {name}(" in lesson.code


@pytest.mark.parametrize("kind", sorted(ENDS))
@pytest.mark.parametrize("title", [MODULAR, "Powers of 2 modulo 5", "Powers of 5 modulo 9", "Powers of 4 modulo 11"])
def test_hostile_code_does_what_its_fault_says(kind, title):
    status, reached = ENDS[kind]
    code = spoil_lesson(truth(title), kind).code
    done = run_bounded(f"{code}\nassert modular_power(5) == -1\nprint('reached')")
    assert done.returncode == status, done.stderr.decode()[-300:]
    assert (b"reached" in done.stdout) is reached


def test_an_output_flood_writes_more_than_any_limit():
    code = spoil_lesson(truth(MODULAR), FaultKind.OUTPUT_FLOOD).code
    command = [sys.executable, "-S", "-c", f"{code}\nmodular_power(5)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert len(process.stdout.read(32 << 20)) == 32 << 20
        process.kill()


@pytest.mark.parametrize(
    ("kind", "calls"),
    [
        (FaultKind.FLAKY_RANDOM, 40),
        (FaultKind.FLAKY_CLOCK, 40),
        (FaultKind.FLAKY_RARE, 2000),
        (FaultKind.FLAKY_HASH_ORDER, 1),
        (FaultKind.FLAKY_ADDRESS, 40),
    ],
)
@pytest.mark.parametrize("title", [MODULAR, "Powers of 2 modulo 5", "Powers of 5 modulo 9"])
def test_flaky_code_is_right_sometimes_and_wrong_sometimes(kind, calls, title):
    entry = truth(title)
    right = evaluate(entry.code, entry, "5")
    loop = (
        f"import time\nfor _ in range({calls}):\n    print(modular_power(5))\n    time.sleep(0.0007 * ({calls} == 40))"
    )
    source = f"{spoil_lesson(entry, kind).code}\n{loop}"
    runs = [subprocess.run([sys.executable, "-c", source], capture_output=True, check=True) for _ in range(14)]
    seen = {int(line) for run in runs for line in run.stdout.split()}
    assert seen == {right, right + 1}


@pytest.mark.parametrize("kind", sorted(FaultKind))
def test_only_faults_that_leave_nothing_false_behind_are_harmless(kind):
    harmless = {"wrong_claim", "malformed_json", "truncation", "refusal", "http_429", "http_500", "slow_tokens"}
    assert is_bad(kind) is (kind.value not in harmless)
    assert not is_bad(None)


async def test_malformed_answers_are_not_json():
    config = TextbookConfig(faults={FaultKind.MALFORMED_JSON: 1.0})
    for title in (MODULAR, "Powers of 2 modulo 5", "Powers of 5 modulo 9", "Powers of 4 modulo 11"):
        with pytest.raises(json.JSONDecodeError):
            await ask(create_app(config), "lesson", concept=concept_named(title))


async def test_asking_again_counts_as_a_repair():
    config = TextbookConfig(faults={FaultKind.MALFORMED_JSON: 1.0}, repair_rate=1.0)
    more = [{"role": "assistant", "content": "{"}, {"role": "user", "content": "That was not JSON."}]
    lesson = await ask(create_app(config), "lesson", concept=concept_named(MODULAR), more=more)
    assert lesson["code"] == truth(MODULAR).code


async def test_a_repair_task_mends_what_the_plan_says():
    config = TextbookConfig(faults={FaultKind.OFF_BY_ONE: 1.0}, repair_rate=0.5)
    plan, app = config.plan(), create_app(config)
    for past in range(1, 5):
        payload = {"previous": {"explanation": "", "code": ""}, "failure": {"rung": "tested", "reason": "x"}}
        lesson = await ask(app, "repair", concept=concept_named(MODULAR), **payload, round=past)
        assert (lesson["code"] == truth(MODULAR).code) is (plan.fault_for(MODULAR, past) is None)


@pytest.mark.parametrize(("kind", "reason"), [(FaultKind.TRUNCATION, "length"), (FaultKind.REFUSAL, "stop")])
def test_truncation_and_refusal_look_like_those_of_a_real_endpoint(kind, reason):
    app = create_app(TextbookConfig(faults={kind: 1.0}))
    with served(app) as url, openai.OpenAI(base_url=url, api_key="unused", max_retries=0) as client:
        asked = messages_for("lesson", concept=concept_named(MODULAR))
        choice = client.chat.completions.create(model="textbook", messages=asked).choices[0]
    assert choice.finish_reason == reason
    assert bool(choice.message.refusal) is (kind is FaultKind.REFUSAL)
    with pytest.raises(json.JSONDecodeError):
        json.loads(choice.message.content)


@pytest.mark.parametrize("kind", [None, *FaultKind])
async def test_an_independent_solution_is_right_unless_the_error_is_believed(kind):
    faults = {} if kind is None else {kind: 1.0}
    solution = await ask(create_app(TextbookConfig(faults=faults)), "solution", concept=concept_named(MODULAR))
    entry = truth(MODULAR)
    believed = kind is FaultKind.DEEP_MISCONCEPTION
    assert solution == {"code": wrong_code(entry, kind) if believed else entry.alternative}
