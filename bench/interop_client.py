"""Checks of the teacher client alone against `transformers serve`; the daemon is checked in `interop_noise`."""

import asyncio

from interop_servers import Endpoint, free_port

from ghostd.core.concept import Concept, Domain
from ghostd.errors import TeacherRejected
from ghostd.teacher.client import OpenAITeacher
from ghostd.teacher.config import TeacherConfig
from ghostd.teacher.discover import discover
from ghostd.teacher.ledger import MemoryCallStore

_ANSWER_TOKENS = 32
_CONCEPT = Concept("arithmetic", "Square", "Return n * n for every integer n.", "def square(n: int) -> int")


def check_discovery(endpoint: Endpoint) -> str:
    """The server is found by content though it lists no models."""
    found = asyncio.run(discover((free_port(), endpoint.port)))
    assert found is not None, "not found"
    assert found.base_url == endpoint.url, found
    return f"{found.product}, {len(found.models)} models listed"


def check_noise_is_rejected(endpoint: Endpoint) -> str:
    """Every answer of a random model is a problem with a reason; its tokens are counted as the server reports them."""
    store = MemoryCallStore()

    async def ask() -> list[str]:
        config = TeacherConfig(
            base_url=endpoint.url, model=endpoint.model, max_tokens=_ANSWER_TOKENS, concurrency=2, prompt_price=1.0
        )
        teacher = OpenAITeacher(config, store)
        await teacher.start()
        replies = await asyncio.gather(
            teacher.propose_domains(["arithmetic"], [], 2),
            teacher.propose_concepts(Domain("arithmetic", "Arithmetic"), 2, 0, [], ""),
            teacher.write_lesson(_CONCEPT),
            teacher.write_exam(_CONCEPT),
        )
        await teacher.close()
        assert all(reply.value is None and reply.problem and reply.detail for reply in replies), replies
        return sorted({reply.problem for reply in replies})

    problems = asyncio.run(ask())
    settled = [row.settlement for row in store.rows if row.settlement]
    assert len(settled) == len(store.rows) >= 4, store.rows
    assert all(one.measured and one.prompt_tokens > 100 and one.http_status == 200 for one in settled), settled
    assert all(0 < one.completion_tokens <= _ANSWER_TOKENS for one in settled), settled
    tokens = store.spent().total.tokens
    return f"{len(settled)} calls, problems {', '.join(problems)}, {tokens:,} tokens measured"


def check_missing_model_is_named(endpoint: Endpoint) -> str:
    """A model that the server does not serve is a rejection that names the setting."""

    async def ask() -> str:
        teacher = OpenAITeacher(TeacherConfig(base_url=endpoint.url, model="no-such-model"), MemoryCallStore())
        try:
            await teacher.write_lesson(_CONCEPT)
        except TeacherRejected as error:
            return str(error)
        finally:
            await teacher.close()
        raise AssertionError("the server took a model that it does not serve")

    message = asyncio.run(ask())
    assert "no-such-model" in message, message
    assert "teacher.model" in message, message
    return "TeacherRejected names the model and teacher.model"


CHECKS = (check_discovery, check_noise_is_rejected, check_missing_model_is_named)
