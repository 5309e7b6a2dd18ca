"""The settings of one teacher; it reads no environment and no file."""

import ipaddress
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from ghostd.core.budget import Caps, Prices

IN_PROCESS_URL = "http://in-process/v1"  # names an ASGI app that was handed in, where no base_url is set


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)  # input may hold a credential


class Timeouts(_Settings):
    """How long one call may take, in seconds."""

    connect_seconds: float = Field(default=2.0, gt=0)
    read_seconds: float = Field(default=120.0, gt=0)  # without a byte; a slow local model may need more
    total_seconds: float = Field(default=600.0, gt=0)  # one HTTP exchange, start to end
    rate_limit_seconds: float = Field(default=600.0, gt=0)  # how long one call puts up with 429s


class BudgetConfig(_Settings):
    """Caps on spending; a call that could pass one is refused before it is sent. None: no cap."""

    daily_tokens: int | None = Field(default=None, ge=0)  # prompt and completion; a day is a UTC day
    total_tokens: int | None = Field(default=None, ge=0)
    daily_cost: float | None = Field(default=None, ge=0)  # in the currency of the prices
    total_cost: float | None = Field(default=None, ge=0)

    def caps(self) -> Caps:
        """The caps as the ledger takes them."""
        return Caps(self.daily_tokens, self.total_tokens, self.daily_cost, self.total_cost)


class TeacherConfig(_Settings):
    """One OpenAI-compatible endpoint and how to use it."""

    base_url: str = ""  # e.g. http://127.0.0.1:1234/v1; without a path, /v1 is added
    model: str = ""  # '' takes the only model that the endpoint lists
    api_key: SecretStr | None = None
    licence: str = ""  # of what the model writes; exports repeat it
    temperature: float | None = Field(default=0.7, ge=0)  # None sends none
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = None  # another seed is another cached answer
    max_tokens: int = Field(default=4096, gt=0)  # of one answer
    structured_output: Literal["auto", "json_schema", "json_object", "prompt"] = "auto"
    concurrency: int = Field(default=16, gt=0)  # calls in flight at most; 429s lower it by themselves
    retries: int = Field(default=4, ge=0)  # of connection errors and 5xx, for each call
    reasks: int = Field(default=1, ge=0)  # after a malformed answer, with what was wrong with it
    prompt_price: float = Field(default=0.0, ge=0)  # for a million tokens
    completion_price: float = Field(default=0.0, ge=0)
    timeouts: Timeouts = Timeouts()
    budget: BudgetConfig = BudgetConfig()

    @field_validator("base_url")
    @classmethod
    def _normalise(cls, value: str) -> str:
        value = value.strip().rstrip("/")
        if not value:
            return ""
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("teacher.base_url must look like http://host:port/v1")
        if parts.username or parts.password:
            raise ValueError("teacher.base_url must not hold a credential; put it in teacher.api_key")
        if parts.query or parts.fragment:
            raise ValueError("teacher.base_url must end with its path, such as /v1")
        return value if parts.path else value + "/v1"

    @property
    def prices(self) -> Prices:
        """The prices as the ledger takes them."""
        return Prices(self.prompt_price, self.completion_price)

    @property
    def is_loopback(self) -> bool:
        """Whether the endpoint is on this machine; proxies from the environment are ignored then."""
        host = urlsplit(self.base_url).hostname or ""
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False  # a name, not an address


class CorroboratorConfig(TeacherConfig):
    """A second teacher, who writes the independent solutions.

    Without base_url it is another model at the teacher's own endpoint; without model, too, it is the teacher itself,
    asked in a call of its own.
    """

    exams: bool = False  # whether it writes the exams too

    @property
    def is_another(self) -> bool:
        """Whether a second teacher is set."""
        return bool(self.base_url or self.model)
