"""The one place that speaks HTTP to a teacher; it knows nothing of prompts, retries, limits or money.

httpx's transport interface is used without its client: redirects, cookies and authentication flows are not wanted here,
and leaving them out halves the time of a call. Foreign errors become `TransientFailure` or `TeacherUnavailable`.
"""

import asyncio
import email.utils
import time
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from ghostd.errors import TeacherUnavailable
from ghostd.teacher.config import IN_PROCESS_URL, TeacherConfig

_FIRST_ERROR = 400
_LARGEST_BODY_BYTES = 32 << 20
_LONGEST_SHOWN_CHARACTERS = 500


class TransientFailure(TeacherUnavailable):
    """The endpoint failed in a way that a later try may not."""

    def __init__(self, message: str, *, status: int = 0, body: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status  # 0 without a response
        self.body = body
        self.retry_after = retry_after  # seconds


class TimedOut(TeacherUnavailable):
    """The endpoint took the call and did not answer in time; it may have charged for it."""


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A response, read to its end."""

    status: int
    body: str
    retry_after: float | None  # seconds

    @property
    def shown(self) -> str:
        """The body, short enough for a message."""
        flat = " ".join(self.body.split())
        return flat if len(flat) <= _LONGEST_SHOWN_CHARACTERS else flat[:_LONGEST_SHOWN_CHARACTERS] + " ..."


class Transport:
    """HTTP to one base URL, or to an ASGI app in this process."""

    def __init__(self, config: TeacherConfig, app: Any | None = None) -> None:
        self.base_url = config.base_url or IN_PROCESS_URL
        self._timeouts = config.timeouts
        self._secret = config.api_key.get_secret_value().strip() if config.api_key else ""
        self._headers = httpx.Headers({"content-type": "application/json", "accept": "application/json"})
        if self._secret:
            self._headers["authorization"] = f"Bearer {self._secret}"
        self._http = httpx.ASGITransport(app) if app is not None else _over_sockets(config)
        self._urls: dict[str, httpx.URL] = {}  # parsing one takes longer than sending to it

    async def get(self, path: str, *, at_root: bool = False) -> HttpReply:
        """GET base_url + path, or the path at the root of its host. Raises as `post` does."""
        url = httpx.URL(self.base_url)
        return await self._exchange("GET", url.copy_with(path=path if at_root else url.path + path), None)

    async def post(self, path: str, body: bytes) -> HttpReply:
        """POST a JSON body to base_url + path.

        Raises TransientFailure when no complete response came, TimedOut when it took too long.
        """
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = httpx.URL(self.base_url + path)
        return await self._exchange("POST", url, body)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _exchange(self, method: str, url: httpx.URL, body: bytes | None) -> HttpReply:
        timeouts = self._timeouts
        timeout = {"connect": timeouts.connect_seconds, "read": timeouts.read_seconds, "write": None, "pool": None}
        request = httpx.Request(method, url, headers=self._headers, content=body, extensions={"timeout": timeout})
        try:
            async with asyncio.timeout(timeouts.total_seconds):
                response = await self._http.handle_async_request(request)
                try:
                    content = await self._read(response)
                finally:
                    await response.aclose()
        except (httpx.ReadTimeout, TimeoutError) as error:
            limit = "total" if isinstance(error, TimeoutError) else "read"
            message = (
                f"{self.base_url} did not answer in time; raise teacher.timeouts.{limit}_seconds or use a faster model"
            )
            raise TimedOut(message) from error
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            reason = self._redact(str(error)) or type(error).__name__
            raise TransientFailure(
                f"{self.base_url} does not answer ({reason}); start it or change teacher.base_url"
            ) from error
        text = self._redact(content.decode(errors="replace"))  # JSON is UTF-8 (RFC 8259, section 8.1)
        wait = _retry_after(response.headers) if response.status_code >= _FIRST_ERROR else None
        return HttpReply(response.status_code, text, wait)

    async def _read(self, response: httpx.Response) -> bytes:
        chunks: list[bytes] = []
        size = 0
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - true of every asynchronous transport
        # httpx's own iterator costs as much as the rest of the reading; it is needed to decompress only.
        chunks_of = response.aiter_bytes() if "content-encoding" in response.headers else response.stream
        async for chunk in chunks_of:
            size += len(chunk)
            if size > _LARGEST_BODY_BYTES:
                raise httpx.DecodingError(f"the response is larger than {_LARGEST_BODY_BYTES} bytes")
            chunks.append(chunk)
        return b"".join(chunks)

    def _redact(self, text: str) -> str:
        """Text from outside, without the key: some endpoints repeat it in their errors."""
        return text.replace(self._secret, "[api_key]") if self._secret and self._secret in text else text


def _over_sockets(config: TeacherConfig) -> AiohttpTransport:
    trust_env = not config.is_loopback  # a proxy must not come between two programs on one machine
    context = httpx.create_ssl_context(trust_env=trust_env)

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=0, ssl=context)  # the limiter bounds the connections
        return aiohttp.ClientSession(connector=connector, trust_env=trust_env, cookie_jar=aiohttp.DummyCookieJar())

    return AiohttpTransport(verify=context, client=session)


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds to wait, from Retry-After as a number or a date (RFC 9110, section 10.2.3), or OpenAI's finer header."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * unit
        except ValueError:
            try:
                seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
            except ValueError:
                continue
        if seconds == seconds and seconds < float("inf"):  # noqa: PLR0124 - NaN is the value that differs from itself
            return max(0.0, seconds)
    return None
