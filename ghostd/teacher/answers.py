"""The shapes of a teacher's answers, their plain JSON schemas, and finding one in text; it believes nothing."""

import functools
import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

_THOUGHTS = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")
_FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n[ \t]*```", re.DOTALL)
_REFUSAL = re.compile(
    r"^\W*(i'?m sorry|i am sorry|sorry,|i can(?:no|')t|i can’t|i'?m (?:unable|not able)|i am (?:unable|not able)|"
    r"i won'?t|i will not|as an ai\b)",
    re.IGNORECASE,
)
_NOTHING = "there is no JSON object in the answer"
_MOST_OBJECTS = 20  # places in the text where an object may begin that are tried


def _as_literal(value: Any) -> Any:
    """A value where a Python literal was asked for as text: 36 becomes "36"."""
    return value if isinstance(value, str) else repr(value)


def _as_arguments(value: Any) -> Any:
    """A list where an argument list was asked for as text: [36, [1, 2]] becomes "36, [1, 2]"."""
    if isinstance(value, list):
        return ", ".join(repr(one) for one in value)
    return _as_literal(value)


def _as_text(value: Any) -> Any:
    """Nothing where text was asked for."""
    return "" if value is None else value


Text = Annotated[str, BeforeValidator(_as_text)]
Literal = Annotated[str, BeforeValidator(_as_literal)]
Arguments = Annotated[str, BeforeValidator(_as_arguments)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ProposedDomain(_Answer):
    """One of `DomainsAnswer`."""

    title: str
    description: Text = ""


class DomainsAnswer(_Answer):
    """The answer to a question of kind domains."""

    domains: list[ProposedDomain]


class ProposedConcept(_Answer):
    """One of `ConceptsAnswer`."""

    title: str
    statement: str
    signature: str
    parent: Text = ""
    prerequisites: list[str] = []


class ConceptsAnswer(_Answer):
    """The answer to a question of kind concepts."""

    concepts: list[ProposedConcept]


class WrittenClaim(_Answer):
    """One of a `LessonAnswer`'s claims."""

    text: str
    check: Text = ""


class WrittenExercise(_Answer):
    """One of a `LessonAnswer`'s exercises."""

    question: str
    arguments: Arguments
    answer: Literal = ""


class LessonAnswer(_Answer):
    """The answer to a question of kind lesson or repair."""

    explanation: str
    code: str
    claims: list[WrittenClaim] = []
    exercises: list[WrittenExercise] = []


class ExamAnswer(_Answer):
    """The answer to a question of kind exam."""

    checks: list[str]
    properties: list[str] = []


class SolutionAnswer(_Answer):
    """The answer to a question of kind solution."""

    code: str


AnswerT = TypeVar("AnswerT", bound=BaseModel)


@functools.cache
def plain_schema(answer: type[BaseModel]) -> dict[str, Any]:
    """The model's JSON schema without $ref, titles, defaults and patterns, every field required.

    Such a schema is understood by all of the constrained decoders that were tried, and by OpenAI's strict mode.
    """
    schema = answer.model_json_schema()
    definitions = schema.get("$defs", {})

    def plain(node: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in node:
            node = definitions[node["$ref"].rsplit("/", 1)[-1]]
        if node.get("type") == "object":
            properties = {name: plain(value) for name, value in node["properties"].items()}
            return {
                "type": "object",
                "properties": properties,
                "required": list(properties),
                "additionalProperties": False,
            }
        if node.get("type") == "array":
            return {"type": "array", "items": plain(node["items"])}
        return {"type": node["type"]}

    return plain(schema)


def read_answer(text: str, answer: type[AnswerT]) -> AnswerT:
    """The answer in a teacher's text. Raises ValueError, with what to tell the teacher, when there is none."""
    complaint = _NOTHING
    for candidate in _objects(text):
        try:
            found = answer.model_validate(candidate)
        except ValidationError as error:
            if complaint == _NOTHING:
                complaint = _complaint(error)
            continue
        if _storable(candidate):
            return found
        complaint = "a string in the answer holds a NUL character or half of a surrogate pair"
    raise ValueError(complaint)


def looks_like_refusal(text: str) -> bool:
    """Whether text without a JSON object reads like a refusal."""
    return "{" not in text and bool(_REFUSAL.match(text))


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Every JSON object worth a look: the whole text, fenced blocks, then wherever a brace opens."""
    for whole in (text, _THOUGHTS.sub("", text), *_FENCED.findall(text)):
        try:
            # not strict: models put raw newlines into strings that hold code
            value = json.loads(whole, strict=False)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value
    decoder = json.JSONDecoder(strict=False)
    position, tried = text.find("{"), 0
    while position >= 0 and tried < _MOST_OBJECTS:
        tried += 1
        end = position + 1
        try:
            value, end = decoder.raw_decode(text, position)
            yield value
        except (ValueError, RecursionError):
            pass
        position = text.find("{", end)


def _storable(value: Any) -> bool:
    """Whether every string is text: JSON can spell NUL and lone surrogates, which no database column takes."""
    if isinstance(value, str):
        return "\0" not in value and not _SURROGATE.search(value)
    if isinstance(value, dict):
        return all(map(_storable, value.values()))
    return not isinstance(value, list) or all(map(_storable, value))


def _complaint(error: ValidationError) -> str:
    """The first few things wrong, in words that name the place."""
    lines = [f"{'.'.join(map(str, one['loc'])) or 'answer'}: {one['msg']}" for one in error.errors()[:5]]
    return "; ".join(lines)
