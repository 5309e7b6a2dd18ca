"""The key is sent to the endpoint, and is found nowhere else."""

import io
import json
import logging
import traceback

import pytest
import structlog

from ghostd.errors import TeacherError
from ghostd.teacher.client import OpenAITeacher
from ghostd.teacher.config import TeacherConfig
from ghostd.teacher.ledger import MemoryCallStore

from .endpoint import CONCEPT, LESSON, Endpoint, completion, failure, teacher_for

KEY = "sk-very-secret-0123456789"


def echoing(status):
    """Endpoints that repeat the key, as some do in their errors."""

    def answer(_, number):
        if status == 200:
            return completion(json.dumps({**LESSON, "explanation": f"your key is {KEY}"}))
        return failure(status, f"Incorrect API key provided: {KEY}")

    return answer


@pytest.mark.parametrize("status", [200, 400, 401, 404, 500])
async def test_no_log_repr_exception_or_row_holds_the_key(status):
    logged = io.StringIO()
    handler = logging.StreamHandler(logged)
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(logged))
    endpoint, store = Endpoint(echoing(status)), MemoryCallStore()
    teacher = teacher_for(endpoint, store, api_key=KEY, retries=1)
    said = [repr(teacher._config), str(teacher._config), teacher._config.model_dump_json()]
    try:
        said.append(repr(await teacher.write_lesson(CONCEPT)))
    except TeacherError as error:
        said += [str(error), repr(error), "".join(traceback.format_exception(error))]
    finally:
        await teacher.close()
        structlog.reset_defaults()
        logging.getLogger().removeHandler(handler)
        logging.getLogger().setLevel(logging.WARNING)
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"
    for text in (*said, repr(store.rows), logged.getvalue(), repr(teacher._transport._headers)):
        assert KEY not in text
    assert KEY not in json.dumps(endpoint.bodies)


async def test_an_endpoint_that_does_not_answer_leaks_no_key_in_the_whole_chain_of_causes():
    teacher = OpenAITeacher(
        TeacherConfig(base_url="http://127.0.0.1:9/v1", model="tiny", api_key=KEY, retries=0), MemoryCallStore()
    )
    with pytest.raises(TeacherError) as caught:
        await teacher.write_lesson(CONCEPT)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    cause = caught.value
    while cause is not None:
        assert KEY not in repr(cause)
        assert KEY not in repr(vars(cause))
        cause = cause.__cause__ or cause.__context__
    await teacher.close()


def test_a_credential_in_the_address_is_refused():
    with pytest.raises(ValueError, match=r"teacher\.api_key") as caught:
        TeacherConfig(base_url=f"https://user:{KEY}@example.org/v1")
    assert KEY not in str(caught.value)
