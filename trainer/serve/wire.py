"""What clients send, as records: OpenAI's completions and chat completions with our extensions; it answers nothing."""

import json
import secrets
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from trainer.bytes import ASSISTANT, BOUNDARY, MIDDLE, PREFIX, ROLES, SUFFIX, VOCABULARY, Ids, encode
from trainer.errors import ConfigError
from trainer.records import parse
from trainer.sampling import Sampling

_MOST_CHOICES: Final = 16
_MOST_TOP: Final = 20
_COMPLETION_TOKENS: Final = 16  # OpenAI's default
_CHAT_TOKENS: Final = 1024
_ROLES: Final = {**ROLES, "developer": ROLES["system"]}
_UNSERVED: Final = ("logit_bias", "tools", "functions", "audio")  # they would change the answer
_RANGES: Final = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "top_k": (0, VOCABULARY),
    "min_p": (0, 1),
    "repetition_penalty": (0.01, 10),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "n": (1, _MOST_CHOICES),
    "max_tokens": (1, 2**31),
    "max_completion_tokens": (1, 2**31),
    "top_logprobs": (0, _MOST_TOP),
}


class BadRequest(Exception):
    """The request is not one that is answered; the message says what mends it."""

    def __init__(self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.param, self.code = status, param, code

    def body(self) -> dict[str, Any]:
        """OpenAI's error object."""
        busy = self.status in {429, 503}
        kind = "requests" if busy else "server_error" if self.status == 500 else "invalid_request_error"  # noqa: PLR2004
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


@dataclass(frozen=True, slots=True)
class Options:
    """The fields that are plain numbers, flags and texts, in both kinds of request."""

    model: str = ""
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    n: int = 1
    seed: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stream: bool = False
    echo: bool = False
    suffix: str = ""
    top_logprobs: int = 0
    state_id: str = ""  # read on after this state
    save_state: bool = False  # keep the state after the answer, and say its id


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, whichever kind it was."""

    chat: bool
    prompts: tuple[Ids, ...]  # each of at least one id
    shown: tuple[Ids, ...]  # what `echo` repeats of each
    options: Options
    stops: tuple[bytes, ...]
    top: int | None  # log probabilities beside each id's own; None: none at all
    usage: bool  # of a stream
    seed: int

    @property
    def most(self) -> int:
        """Ids of an answer."""
        default = _CHAT_TOKENS if self.chat else _COMPLETION_TOKENS
        return self.options.max_completion_tokens or self.options.max_tokens or default

    @property
    def sampling(self) -> Sampling:
        """How ids are chosen."""
        return Sampling(**{each.name: getattr(self.options, each.name) for each in fields(Sampling)})


def parse_request(body: bytes, model: str, *, chat: bool) -> Asked:
    """Raises BadRequest: 400 for what cannot be meant, 404 for another model."""
    try:
        given = json.loads(body)
    except ValueError as error:
        raise BadRequest(f"The body is not JSON ({error}).") from error
    if not isinstance(given, dict):
        raise BadRequest("The body must be a JSON object.")
    given = {name: value for name, value in given.items() if value is not None}
    for name in _UNSERVED:
        if given.get(name):
            raise BadRequest(f"{name} is not served; leave it out.", param=name)
    options = _options(given)
    if options.model != model:
        message = f"The model {options.model!r} does not exist; this server has {model!r}."
        raise BadRequest(message, status=404, param="model", code="model_not_found")
    continued = bool(options.state_id)
    if chat:
        prompts: tuple[Ids, ...] = (_conversation(given.get("messages"), continued=continued),)
        shown = prompts
    else:
        shown = tuple(_prompts(given.get("prompt", "")))
        prompts = tuple(_whole(prompt, options.suffix, continued=continued) for prompt in shown)
    if options.save_state and (len(prompts) > 1 or options.n > 1):
        raise BadRequest("save_state needs one prompt and n of 1.", param="save_state")
    stream_options = given.get("stream_options", {})
    usage = isinstance(stream_options, dict) and bool(stream_options.get("include_usage"))
    seed = secrets.randbits(63) if options.seed is None else options.seed % 2**63
    return Asked(
        chat, prompts, shown, options, _stops(given.get("stop", [])), _top(given, options, chat=chat), usage, seed
    )


def ids_of_text(text: str) -> Ids:
    """A byte for each id. Raises BadRequest for half a surrogate pair, which no UTF-8 can say."""
    try:
        return encode(text.encode())
    except UnicodeEncodeError as error:
        raise BadRequest(f"The text has a character that UTF-8 cannot say ({error.reason}).") from error


def _options(given: dict[str, Any]) -> Options:
    known = {each.name for each in fields(Options)}
    try:
        options = parse(Options, {name: value for name, value in given.items() if name in known}, "body")
    except ConfigError as error:
        raise BadRequest(str(error)) from error
    for name, (low, high) in _RANGES.items():
        value = getattr(options, name)
        if value is not None and not low <= value <= high:
            raise BadRequest(f"{name} must lie between {low} and {high}, not {value}.", param=name)
    return options


def _prompts(given: object) -> list[Ids]:
    """A text, ids, or a list of either."""
    if isinstance(given, str):
        return [ids_of_text(given)]
    if not isinstance(given, list) or not given:
        raise BadRequest("prompt must be a text, a list of ids, or a list of these.", param="prompt")
    if all(isinstance(each, int) for each in given):
        return [_checked(given)]
    return [ids_of_text(each) if isinstance(each, str) else _checked(each) for each in given]


def _checked(given: object) -> Ids:
    if not isinstance(given, list) or not all(type(each) is int and 0 <= each < VOCABULARY for each in given):
        raise BadRequest(f"The ids of a prompt must be whole numbers from 0 to {VOCABULARY - 1}.", param="prompt")
    return np.array(given, np.uint16)


def _whole(prompt: Ids, suffix: str, *, continued: bool) -> Ids:
    """The prompt as a document begins, unless it says so itself, or continues a state."""
    if suffix:
        parts: list[Any] = [[BOUNDARY, PREFIX], prompt, [SUFFIX], ids_of_text(suffix), [MIDDLE]]
        return np.concatenate([np.asarray(part, np.uint16) for part in parts])
    if continued:
        if not len(prompt):
            raise BadRequest("A prompt that continues a state must not be empty.", param="prompt")
        return prompt
    begun = len(prompt) and prompt[0] == BOUNDARY
    return prompt if begun else np.concatenate([np.array([BOUNDARY], np.uint16), prompt])


def _conversation(given: object, *, continued: bool) -> Ids:
    """Each turn behind its role's id, and the id behind which the answer stands."""
    if not isinstance(given, list) or not given:
        raise BadRequest("messages must be a list of at least one message.", param="messages")
    parts = [] if continued else [np.array([BOUNDARY], np.uint16)]
    for message in given:
        role = message.get("role") if isinstance(message, dict) else None
        if role not in _ROLES:
            raise BadRequest(f"A message's role must be one of {', '.join(_ROLES)}, not {role!r}.", param="messages")
        parts += [np.array([_ROLES[role]], np.uint16), ids_of_text(_text_of(message.get("content")))]
    return np.concatenate([*parts, np.array([ASSISTANT], np.uint16)])


def _text_of(content: object) -> str:
    """A text, or parts of which all are texts."""
    parts = [content] if isinstance(content, str) else content
    if isinstance(parts, list):
        texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
        if all(isinstance(text, str) for text in texts):
            return "".join(map(str, texts))
    raise BadRequest("A message's content must be a text, or a list of parts of type text.", param="messages")


def _stops(given: object) -> tuple[bytes, ...]:
    stops = [given] if isinstance(given, str) else given
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise BadRequest("stop must be a text or a list of texts.", param="stop")
    return tuple(ids_of_text(stop).astype(np.uint8).tobytes() for stop in stops if stop)


def _top(given: dict[str, Any], options: Options, *, chat: bool) -> int | None:
    """Completions say how many; chat completions say whether, and how many beside."""
    wanted = given.get("logprobs")
    if chat:
        if wanted not in {None, True, False} or (options.top_logprobs and not wanted):
            raise BadRequest("logprobs must be true or false, and true with top_logprobs.", param="logprobs")
        return options.top_logprobs if wanted else None
    if wanted is None or wanted is False:
        return None
    if not isinstance(wanted, int) or not 0 <= wanted <= _MOST_TOP:
        raise BadRequest(f"logprobs must be a whole number from 0 to {_MOST_TOP}.", param="logprobs")
    return int(wanted)
