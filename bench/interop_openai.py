"""Checks of `ghostd teacher serve` through the newest `openai` client, which runs in an environment of its own."""

import json
import subprocess
from pathlib import Path
from typing import Any

from interop_servers import HERE, Endpoint, environment_of

from ghostd.core.concept import Domain
from ghostd.teacher import questions, translate
from ghostd.teacher.answers import ConceptsAnswer, read_answer

_DOMAIN = Domain("number-theory", "Number theory")
_WANTED = 5


def ask(work: Path, endpoint: Endpoint) -> dict[str, Any]:
    """Everything that the client saw. Raises AssertionError when the client itself failed."""
    python = environment_of(work, "openai-venv", "openai")
    question = questions.concepts(_DOMAIN, _WANTED, 0, [], "")
    schema = {"name": question.shape, "strict": True, "schema": question.schema}
    request = {
        "messages": question.messages,
        "response_format": {"type": "json_schema", "json_schema": schema},
    }
    done = subprocess.run(
        [str(python), str(HERE / "interop_openai_client.py"), endpoint.url, endpoint.model],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def check_models(seen: dict[str, Any]) -> str:
    """The list of models holds the one model."""
    assert seen["models"] == ["textbook"], seen["models"]
    return f"openai {seen['openai']} over {', '.join(seen['transport'])}: {seen['models']}"


def check_completion(seen: dict[str, Any]) -> str:
    """A whole answer with its end and its usage."""
    whole = seen["whole"]
    assert whole["text"], whole
    assert whole["ends"] == "stop", whole
    usage = whole["usage"]
    assert usage["prompt_tokens"] > 0, usage
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"], usage
    return f"{len(whole['text'])} characters, {usage['total_tokens']} tokens"


def check_streaming(seen: dict[str, Any]) -> str:
    """The stream's pieces are the whole answer, and its usage is the whole answer's."""
    whole, stream = seen["whole"], seen["streamed"]
    assert stream["pieces"] > 1, stream
    assert stream["text"] == whole["text"], (stream["text"], whole["text"])
    assert stream["ends"] == ["stop"], stream["ends"]
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    assert [[usage[name] for name in names] for usage in stream["usage"]] == [[whole["usage"][name] for name in names]]
    return f"{stream['pieces']} pieces make the same text, one usage"


def check_structured_output(seen: dict[str, Any]) -> str:
    """An answer under json_schema is JSON of that schema, and every concept in it can be used."""
    answered = seen["structured"]
    assert answered["ends"] == "stop", answered
    read = translate.concepts(read_answer(json.dumps(json.loads(answered["text"])), ConceptsAnswer), _DOMAIN)
    assert read.value is not None, read.detail
    assert len(read.value) == _WANTED, read
    assert all(concept.entry and concept.domain == _DOMAIN.slug for concept in read.value), read.value
    return f"{len(read.value)} concepts, e.g. {read.value[0].title}"


def check_errors(seen: dict[str, Any]) -> str:
    """A model that is not there, and a request that is none, are the errors that the client has names for."""
    wrong, empty = seen["wrong_model"], seen["no_messages"]
    assert (wrong["type"], wrong["status"], wrong["code"]) == ("NotFoundError", 404, "model_not_found"), wrong
    assert (empty["type"], empty["status"], empty["param"]) == ("BadRequestError", 400, "messages"), empty
    return "wrong model: NotFoundError model_not_found; no messages: BadRequestError"


CHECKS = (check_models, check_completion, check_streaming, check_structured_output, check_errors)
