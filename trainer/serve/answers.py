"""What clients are sent: OpenAI's objects and stream events, from the events of the work; it computes no text."""

import codecs
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from trainer.bytes import BYTES
from trainer.serve.wire import Asked
from trainer.serve.work import Ended, Piece, Scored

Json = dict[str, Any]


@dataclass(slots=True)
class Choice:
    """One answer as it grows; a character is sent when all its bytes are there."""

    index: int
    chat: bool
    scores: bool
    finish: str | None = None
    state_id: str = ""
    ids: int = 0
    text: str = ""  # everything so far
    _sent: int = 0  # characters
    _scored: list[Scored] = field(default_factory=list)
    _offsets: list[int] = field(default_factory=list)
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )

    def take(self, event: Piece | Ended) -> None:
        """One more event of this choice."""
        if isinstance(event, Ended):
            self.text += self._decoder.decode(b"", final=True)
            self.finish, self.ids, self.state_id = event.finish, event.ids, event.state_id
            return
        if self.scores:
            self._scored.append(event.scored)
            self._offsets.append(len(self.text))
        if event.scored.id < BYTES:
            self.text += self._decoder.decode(bytes([event.scored.id]))

    def news(self) -> tuple[str, Json | None]:
        """The text that was not given out yet, and its log probabilities where they were asked for."""
        text, self._sent = self.text[self._sent :], len(self.text)
        scored, offsets, self._scored, self._offsets = self._scored, self._offsets, [], []
        if not self.scores:
            return text, None
        if self.chat:
            return text, {"content": [_chat_score(each) for each in scored if each.id < BYTES], "refusal": None}
        return text, {
            "tokens": [_name(each.id) for each in scored],
            "token_logprobs": [each.log_probability for each in scored],
            "top_logprobs": [
                None if each.log_probability is None else {_name(one): likely for one, likely in each.top}
                for each in scored
            ],
            "text_offset": offsets,
        }


class Answers:
    """All choices of one request."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        count = len(asked.prompts) * asked.options.n
        self.choices = [Choice(index, asked.chat, asked.top is not None) for index in range(count)]
        kind = "chat.completion" if asked.chat else "text_completion"
        self._frame: Json = {
            "id": f"{'chatcmpl' if asked.chat else 'cmpl'}-{uuid.uuid4().hex}",
            "object": f"{kind}.chunk" if asked.chat and asked.options.stream else kind,
            "created": int(time.time()),
            "model": asked.options.model,
        }

    def whole(self) -> Json:
        """The body of an answer that is not streamed."""
        choices = []
        for choice in self.choices:
            text, scores = choice.news()
            message = {"message": {"role": "assistant", "content": text, "refusal": None}}
            body = message if self._asked.chat else {"text": text}
            choices.append({"index": choice.index, **body, "logprobs": scores, "finish_reason": choice.finish})
        return {**self._frame, "choices": choices, "usage": self._usage(), **self._state()}

    def beginning(self) -> list[str]:
        """The first events of a stream."""
        if not self._asked.chat:
            return []
        return [self._event(choice, {"role": "assistant", "content": ""}, None, None) for choice in self.choices]

    def piece(self, choice: Choice) -> list[str]:
        """The events of what is new of a choice, if anything is."""
        text, scores = choice.news()
        body = {"content": text} if self._asked.chat else {"text": text}
        events = []
        if text or (scores and (scores.get("tokens") or scores.get("content"))):
            events.append(self._event(choice, body, scores, None))
        if choice.finish:
            events.append(self._event(choice, {} if self._asked.chat else {"text": ""}, None, choice.finish))
        return events

    def end(self) -> list[str]:
        """The last events of a stream."""
        events = []
        if self._asked.usage:
            events.append(_server_sent({**self._frame, "choices": [], "usage": self._usage(), **self._state()}))
        return [*events, "data: [DONE]\n\n"]

    def _event(self, choice: Choice, body: Json, scores: Json | None, finish: str | None) -> str:
        content = {"delta": body} if self._asked.chat else body
        choices = [{"index": choice.index, **content, "logprobs": scores, "finish_reason": finish}]
        return _server_sent({**self._frame, "choices": choices, **(self._state() if finish else {})})

    def _usage(self) -> Json:
        """Ids: of the prompts those that were read, marks included; of the answers those that were chosen."""
        prompt = sum(map(len, self._asked.prompts))
        completion = sum(choice.ids for choice in self.choices)
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}

    def _state(self) -> Json:
        return {"state_id": self.choices[0].state_id} if self.choices[0].state_id else {}


def error_event(body: Json) -> str:
    """An error in the middle of a stream."""
    return _server_sent(body)


def _server_sent(body: Json) -> str:
    return f"data: {json.dumps(body, ensure_ascii=False, separators=(',', ':'))}\n\n"


def _name(each: int) -> str:
    """An ASCII character as itself, another byte as OpenAI names them, a mark as nothing: text of marks is empty."""
    if each < 128:  # noqa: PLR2004  # ASCII
        return chr(each)
    return f"bytes:\\x{each:02x}" if each < BYTES else ""


def _chat_score(scored: Scored) -> Json:
    def entry(each: int, likely: float | None) -> Json:
        return {"token": _name(each), "logprob": likely, "bytes": [each] if each < BYTES else []}

    return {**entry(scored.id, scored.log_probability), "top_logprobs": [entry(*each) for each in scored.top]}
