"""The client against a scripted endpoint in this process: what it sends, what it makes of what comes back."""

import asyncio
import json
import re

import pytest
import stamina
from starlette.responses import JSONResponse, PlainTextResponse

from ghostd.core.lesson import Failure, Lesson, Solution
from ghostd.errors import ConfigurationError, TeacherRejected, TeacherUnavailable
from ghostd.teacher.client import OpenAITeacher
from ghostd.teacher.config import TeacherConfig
from ghostd.teacher.ledger import MemoryCallStore

from .endpoint import CONCEPT, DOMAIN, EXAM, LESSON, Endpoint, completion, failure, rung_of, teacher_for


@pytest.fixture(autouse=True)
def no_waiting_between_retries():
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


def payload_of(body):
    blocks = re.findall(r"```json\n(.*?)\n```", body["messages"][1]["content"], re.DOTALL)
    assert len(blocks) == 1
    return json.loads(blocks[0])


async def test_every_kind_of_question_carries_its_task_line_and_exactly_one_payload():
    answers = {
        "domains": {"domains": [{"title": "Graph theory", "description": "Nodes."}]},
        "concepts": {"concepts": []},
        "lesson": LESSON,
        "exam": EXAM,
        "solution": {"code": LESSON["code"]},
        "repair": LESSON,
    }

    def answer(body, _):
        task = body["messages"][0]["content"].splitlines()[0]
        return completion(json.dumps(answers[task.removeprefix("Task: ")]))

    endpoint = Endpoint(answer)
    teacher = teacher_for(endpoint)
    await teacher.propose_domains(["physics"], ["Physics"], 3)
    await teacher.propose_concepts(DOMAIN, 5, 41, [f"title {number}" for number in range(41)], "primes")
    await teacher.write_lesson(CONCEPT)
    await teacher.write_exam(CONCEPT)
    await teacher.write_solution(CONCEPT)
    await teacher.repair_lesson(CONCEPT, Lesson("why", "code"), Failure("tested", "exam.assertion", "trace"), 1)
    await teacher.close()
    stated = {
        "domain": CONCEPT.domain,
        "title": CONCEPT.title,
        "statement": CONCEPT.statement,
        "signature": CONCEPT.signature,
    }
    domains, concepts, lesson, exam, solution, repair = map(payload_of, endpoint.bodies)
    assert domains == {"seeds": ["physics"], "known": ["Physics"], "count": 3}
    assert concepts["domain"] == {"slug": DOMAIN.slug, "title": DOMAIN.title, "description": DOMAIN.description}
    assert (concepts["count"], concepts["known_count"], concepts["focus"]) == (5, 41, "primes")
    assert len(concepts["known_titles"]) == 40
    assert lesson == exam == solution == {"concept": stated}
    assert repair == {
        "concept": stated,
        "previous": {"explanation": "why", "code": "code"},
        "failure": {"rung": "tested", "reason": "exam.assertion", "artifact": "trace"},
        "round": 1,
    }
    names = [body["response_format"]["json_schema"]["name"] for body in endpoint.bodies]
    assert names == ["domains", "concepts", "lesson", "exam", "solution", "lesson"]


@pytest.mark.parametrize(
    ("text", "code", "problem"),
    [
        ('{"code": "def square(n):\\n    return n * n\\n"}', "def square(n):\n    return n * n\n", ""),
        ('{"code": "```python\\ndef square(n):\\n    return n * n\\n```"}', "def square(n):\n    return n * n", ""),
        ('{"code": "  "}', None, "malformed"),
        ('{"explanation": "It squares."}', None, "malformed"),
    ],
)
async def test_a_solution_is_code_under_the_name_of_who_wrote_it(text, code, problem):
    endpoint = Endpoint(lambda body, number: completion(text))
    teacher = teacher_for(endpoint, reasks=0)
    reply = await teacher.write_solution(CONCEPT)
    await teacher.close()
    assert reply.problem == problem
    assert reply.value == (None if code is None else Solution(code, "tiny"))


async def test_the_same_solution_is_never_paid_for_twice_and_another_one_is():
    endpoint = Endpoint(
        lambda body, number: completion(json.dumps({"code": f"def square(n): return n * n  # {number}"}))
    )
    teacher = teacher_for(endpoint)
    first, again, other = [await teacher.write_solution(CONCEPT, number) for number in (0, 0, 1)]
    await teacher.close()
    assert first.value == again.value != other.value
    assert [payload_of(body).get("round") for body in endpoint.bodies] == [None, 1]


async def test_laws_come_with_the_exam_and_may_be_missing():
    exams = [{**EXAM, "properties": ["```python\nassert square(-n) == square(n)\n```", " "]}, EXAM]
    endpoint = Endpoint(lambda body, number: completion(json.dumps(exams[number - 1])))
    teacher = teacher_for(endpoint)
    first, second = [await teacher.write_exam(CONCEPT, number) for number in (0, 1)]
    await teacher.close()
    assert first.value is not None and first.value.properties == ("assert square(-n) == square(n)",)
    assert second.value is not None and second.value.properties == ()


async def test_schemas_are_plain():
    endpoint = Endpoint(lambda *_: completion(json.dumps(LESSON)))
    teacher = teacher_for(endpoint)
    await teacher.write_lesson(CONCEPT)
    schema = endpoint.bodies[0]["response_format"]["json_schema"]["schema"]
    assert "$" not in json.dumps(schema)
    assert "pattern" not in json.dumps(schema)
    assert schema["required"] == ["explanation", "code", "claims", "exercises"]
    assert schema["properties"]["claims"]["items"]["additionalProperties"] is False
    await teacher.close()


async def test_a_good_answer_becomes_a_core_record_with_its_call():
    store = MemoryCallStore()
    teacher = teacher_for(Endpoint(lambda *_: completion(json.dumps(LESSON))), store)
    reply = await teacher.write_lesson(CONCEPT)
    assert reply.problem == ""
    assert reply.value.code == LESSON["code"]
    assert reply.value.claims[0].check == "square(3) == 9"
    assert reply.value.exercises[0].answer == "16"
    assert reply.call_ids == (1,)
    row = store.rows[0].settlement
    assert (row.status, row.prompt_tokens, row.completion_tokens, row.measured) == ("ok", 100, 20, True)
    await teacher.close()


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(LESSON),
        f"Here it is:\n```json\n{json.dumps(LESSON)}\n```\nEnjoy {{it}}!",
        f'<think>First {{ I consider: "x" }}</think>\n{json.dumps(LESSON)}',
        f"Sure! {{not json}} but {json.dumps(LESSON)} trailing",
        json.dumps(LESSON).replace("\\n", "\n"),
    ],
    ids=["bare", "fenced", "after thoughts", "between prose", "with raw newlines in strings"],
)
async def test_an_answer_is_found_wherever_it_stands_in_the_text(text):
    teacher = teacher_for(Endpoint(lambda *_: completion(text)), reasks=0)
    reply = await teacher.write_lesson(CONCEPT)
    assert reply.value is not None, reply.detail
    assert "return n * n" in reply.value.code
    await teacher.close()


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (completion("I'm sorry, but I can't help with that."), "refusal"),
        (completion(None, refusal="No."), "refusal"),
        (completion("", finish="content_filter"), "refusal"),
        (completion(json.dumps(LESSON)[:40], finish="length"), "truncated"),
        (completion("  \n"), "empty"),
        (completion(None), "empty"),
        (completion("no object here"), "malformed"),
        (completion('{"explanation": "x"}'), "malformed"),
        (completion(json.dumps({**LESSON, "code": " "})), "malformed"),
        (completion(json.dumps({**LESSON, "code": "a\0b"})), "malformed"),
        (completion(json.dumps({**LESSON, "code": "a\ud800b"})), "malformed"),
        (completion("[" * 100_000), "malformed"),
        (completion("{" * 100_000), "malformed"),
    ],
)
async def test_a_bad_answer_is_a_reply_with_a_problem_and_is_paid_for(response, problem):
    store = MemoryCallStore()
    teacher = teacher_for(Endpoint(lambda *_: response), store, reasks=0, prompt_price=1e6, completion_price=2e6)
    reply = await teacher.write_lesson(CONCEPT)
    assert reply.value is None
    assert reply.problem == problem
    assert reply.detail
    assert store.rows[0].settlement.status == "failed"
    assert store.rows[0].settlement.error.startswith(problem)
    assert store.spent().total.cost == pytest.approx(140.0)
    await teacher.close()


@pytest.mark.parametrize(
    "response",
    [
        JSONResponse({"choices": []}),
        JSONResponse({"choices": "none"}),
        JSONResponse([]),
        PlainTextResponse("<html>a proxy's page</html>"),
        PlainTextResponse(""),
    ],
)
async def test_a_200_that_is_no_completion_is_a_malformed_answer(response):
    teacher = teacher_for(Endpoint(lambda *_: response), reasks=0)
    reply = await teacher.write_lesson(CONCEPT)
    assert reply.problem == "malformed"
    assert reply.detail
    await teacher.close()


async def test_a_malformed_answer_is_asked_for_once_more_with_what_was_wrong():
    def answer(_, number):
        return completion('{"explanation": "x"}' if number == 1 else json.dumps(LESSON))

    endpoint = Endpoint(answer)
    teacher = teacher_for(endpoint)
    reply = await teacher.write_lesson(CONCEPT)
    assert reply.value is not None
    assert reply.call_ids == (1, 2)
    first, again = endpoint.bodies[1]["messages"][-2:]
    assert first == {"role": "assistant", "content": '{"explanation": "x"}'}
    assert "code" in again["content"]
    await teacher.close()


async def test_the_teacher_is_asked_again_no_more_often_than_configured():
    endpoint = Endpoint(lambda *_: completion("still wrong"))
    teacher = teacher_for(endpoint)
    reply = await teacher.write_lesson(CONCEPT)
    assert reply.problem == "malformed"
    assert len(endpoint.bodies) == 2
    await teacher.close()


async def test_a_truncated_answer_is_not_asked_for_again():
    endpoint = Endpoint(lambda *_: completion("{", finish="length"))
    teacher = teacher_for(endpoint)
    await teacher.write_lesson(CONCEPT)
    assert len(endpoint.bodies) == 1
    await teacher.close()


async def test_missing_usage_is_estimated_and_marked():
    store = MemoryCallStore()
    teacher = teacher_for(Endpoint(lambda *_: completion(json.dumps(LESSON), usage=False)), store)
    await teacher.write_lesson(CONCEPT)
    row = store.rows[0].settlement
    assert not row.measured
    assert row.completion_tokens == pytest.approx(len(json.dumps(LESSON)) / 4, abs=1)
    assert row.prompt_tokens > 500
    await teacher.close()


@pytest.mark.parametrize(
    ("refused", "status", "message", "found"),
    [
        ({"json_schema"}, 400, "'response_format.type' must be 'json_object' or 'text'", "json_object"),
        ({"json_schema", "json_object"}, 400, "response_format is not supported", "prompt"),
        ({"json_schema"}, 400, "bad request", "json_object"),
        ({"json_schema"}, 500, "1 validation error: response_format.type Input should be 'text'", "json_object"),
        ({"json_schema", "json_object"}, 500, "Internal Server Error", "prompt"),
    ],
)
async def test_the_ladder_of_structured_output_is_climbed_down_once_and_remembered(refused, status, message, found):
    def answer(body, _):
        return failure(status, message) if rung_of(body) in refused else completion(json.dumps(LESSON))

    endpoint = Endpoint(answer)
    teacher = teacher_for(endpoint)
    assert (await teacher.write_lesson(CONCEPT)).value is not None
    assert teacher.structured_output == found
    before = len(endpoint.bodies)
    assert (await teacher.write_exam(CONCEPT)).problem == "malformed"  # a lesson is no exam
    assert {rung_of(body) for body in endpoint.bodies[before:]} == {found}
    await teacher.close()


async def test_random_server_errors_do_not_lower_a_rung_that_has_worked():
    endpoint = Endpoint(lambda _, number: failure(500, "oops") if number > 1 else completion(json.dumps(LESSON)))
    teacher = teacher_for(endpoint)
    await teacher.write_lesson(CONCEPT)
    with pytest.raises(TeacherUnavailable, match="500"):
        await teacher.write_exam(CONCEPT)
    assert teacher.structured_output == "json_schema"
    assert len(endpoint.bodies) == 1 + 3
    await teacher.close()


async def test_a_server_error_is_retried_until_it_passes():
    endpoint = Endpoint(lambda _, number: failure(503, "busy") if number < 3 else completion(json.dumps(LESSON)))
    store = MemoryCallStore()
    teacher = teacher_for(endpoint, store)
    assert (await teacher.write_lesson(CONCEPT)).value is not None
    assert len(endpoint.bodies) == 3
    assert len(store.rows) == 1
    await teacher.close()


@pytest.mark.parametrize(
    ("message", "field", "gone"),
    [
        (
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            "max_completion_tokens",
            "max_tokens",
        ),
        ("Unsupported value: 'temperature' does not support 0.7 with this model.", "model", "temperature"),
    ],
)
async def test_a_parameter_that_the_model_does_not_know_is_learned(message, field, gone):
    endpoint = Endpoint(lambda body, _: failure(400, message) if gone in body else completion(json.dumps(LESSON)))
    teacher = teacher_for(endpoint)
    assert (await teacher.write_lesson(CONCEPT)).value is not None
    assert field in endpoint.bodies[-1]
    assert rung_of(endpoint.bodies[-1]) == "json_schema"
    await teacher.close()


async def test_a_429_goes_to_the_limiter_and_loses_nothing():
    endpoint = Endpoint(
        lambda _, number: (
            failure(429, "slow down", **{"Retry-After": "0.05"}) if number <= 2 else completion(json.dumps(LESSON))
        )
    )
    teacher = teacher_for(endpoint, retries=0)
    started = asyncio.get_running_loop().time()
    assert (await teacher.write_lesson(CONCEPT)).value is not None
    assert asyncio.get_running_loop().time() - started >= 0.1
    assert teacher.limiter.refusals == 2
    await teacher.close()


async def test_429s_without_an_end_are_an_outage():
    endpoint = Endpoint(lambda *_: failure(429, "come back tomorrow", **{"Retry-After": "86400"}))
    store = MemoryCallStore()
    teacher = teacher_for(endpoint, store)
    with pytest.raises(TeacherUnavailable, match="429"):
        await teacher.write_lesson(CONCEPT)
    assert store.spent().total.tokens == 0
    await teacher.close()


async def test_an_account_without_credit_is_a_rejection():
    teacher = teacher_for(Endpoint(lambda *_: failure(429, "You exceeded your quota: insufficient_quota")))
    with pytest.raises(TeacherRejected, match="credit"):
        await teacher.write_lesson(CONCEPT)
    await teacher.close()


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_a_rejection_that_names_the_setting(status):
    store = MemoryCallStore()
    teacher = teacher_for(Endpoint(lambda *_: failure(status, "bad key")), store)
    with pytest.raises(TeacherRejected, match=r"teacher\.api_key"):
        await teacher.write_lesson(CONCEPT)
    assert store.rows[0].settlement.status == "rejected"
    assert store.spent().total.tokens == 0
    await teacher.close()


@pytest.mark.parametrize("status", [400, 404])
async def test_a_missing_model_is_a_rejection_that_names_the_models_on_offer(status):
    endpoint = Endpoint(lambda *_: failure(status, "The model `huge` does not exist"), models=("tiny", "small"))
    teacher = teacher_for(endpoint, model="huge")
    with pytest.raises(TeacherRejected, match=r"'huge'.*tiny, small.*teacher\.model"):
        await teacher.write_lesson(CONCEPT)
    await teacher.close()


async def test_a_request_that_is_refused_for_its_own_sake_is_a_problem_of_that_request():
    endpoint = Endpoint(lambda *_: failure(400, "This model's maximum context length is 512 tokens"))
    teacher = teacher_for(endpoint)
    reply = await teacher.write_lesson(CONCEPT)
    assert reply.problem == "rejected"
    assert "context length" in reply.detail
    await teacher.close()


async def test_an_error_that_comes_with_a_200_is_an_error():
    endpoint = Endpoint(lambda _, number: failure(200, "upstream") if number == 1 else completion(json.dumps(LESSON)))
    teacher = teacher_for(endpoint)
    assert (await teacher.write_lesson(CONCEPT)).value is not None
    assert len(endpoint.bodies) == 2
    await teacher.close()


async def test_the_only_model_on_offer_is_taken_and_embedding_models_do_not_count():
    teacher = teacher_for(Endpoint(lambda *_: completion("{}"), models=("text-embedding-3", "tiny")), model="")
    await teacher.start()
    assert teacher.name == "tiny"
    await teacher.close()


async def test_several_models_on_offer_must_be_chosen_from():
    teacher = teacher_for(Endpoint(lambda *_: completion("{}"), models=("tiny", "small")), model="")
    with pytest.raises(TeacherRejected, match="tiny, small"):
        await teacher.start()
    await teacher.close()


async def test_an_endpoint_that_cannot_list_its_models_is_used_with_the_model_that_is_set():
    teacher = teacher_for(Endpoint(lambda *_: completion(json.dumps(LESSON)), models=()), model="tiny")
    await teacher.start()
    assert (await teacher.write_lesson(CONCEPT)).value is not None
    await teacher.close()


async def test_a_name_that_is_given_is_recorded_in_place_of_the_model():
    teacher = OpenAITeacher(
        TeacherConfig(), MemoryCallStore(), app=Endpoint(lambda *_: completion("{}")).app, name="textbook"
    )
    await teacher.start()
    assert teacher.name == "textbook"
    await teacher.close()


def test_a_teacher_without_an_address_is_a_configuration_error():
    with pytest.raises(ConfigurationError, match=r"teacher\.base_url"):
        OpenAITeacher(TeacherConfig(), MemoryCallStore())


async def test_a_call_in_this_process_takes_under_three_milliseconds():
    teacher = teacher_for(Endpoint(lambda *_: completion(json.dumps(LESSON))), structured_output="json_schema")
    concepts = [type(CONCEPT)("d", f"title {number}", CONCEPT.statement, CONCEPT.signature) for number in range(200)]
    await teacher.write_lesson(CONCEPT)
    loop = asyncio.get_running_loop()
    times = []
    for concept in concepts:
        started = loop.time()
        await teacher.write_lesson(concept)
        times.append(loop.time() - started)
    assert sorted(times)[len(times) // 2] < 0.003
    await teacher.close()


async def test_known_domains_and_unusable_concepts_are_dropped_with_a_reason():
    domains = {"domains": [{"title": "Physics"}, {"title": "Graph  Theory", "description": "Nodes."}, {"title": "?!"}]}
    statement = "Return n * n for every integer n."
    concepts = {
        "concepts": [
            {"title": "Square", "statement": statement, "signature": "def square(n: int) -> int:"},
            {"title": "square", "statement": statement, "signature": "def square(n: int) -> int"},
            {"title": "Cube", "statement": "n", "signature": "def cube(n: int) -> int"},
            {"title": "Root", "statement": statement, "signature": "root(n)"},
            {"title": "Broken", "statement": statement, "signature": "def broken(n: int -> int"},
        ]
    }
    endpoint = Endpoint(lambda body, _: completion(json.dumps(domains if "domains" in rung_name(body) else concepts)))
    teacher = teacher_for(endpoint)
    reply = await teacher.propose_domains([], ["physics"], 3)
    assert [(domain.slug, domain.title) for domain in reply.value] == [("graph-theory", "Graph Theory")]
    assert "'Physics': known already" in reply.detail
    reply = await teacher.propose_concepts(DOMAIN, 5, 0, [], "")
    assert [(concept.title, concept.signature) for concept in reply.value] == [("Square", "def square(n: int) -> int")]
    assert reply.value[0].domain == DOMAIN.slug
    for reason in ("twice", "says too little", "not one line of Python", "not Python"):
        assert reason in reply.detail
    await teacher.close()


async def test_values_where_text_was_asked_for_are_written_as_literals():
    exercises = [{"question": "What?", "arguments": [36, [1, "a"]], "answer": 16}]
    teacher = teacher_for(Endpoint(lambda *_: completion(json.dumps({**LESSON, "exercises": exercises}))))
    exercise = (await teacher.write_lesson(CONCEPT)).value.exercises[0]
    assert (exercise.arguments, exercise.answer) == ("36, [1, 'a']", "16")
    await teacher.close()


def rung_name(body):
    return body["response_format"]["json_schema"]["name"]
