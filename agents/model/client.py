"""The way to the model's service over the anthropic SDK; nothing else here imports that library.

Every failure becomes a `ModelError`: of the SDK, raw ones of its HTTP library while a stream is read, broken JSON, and
a stream that ends without saying why it stopped. Neither keys nor prompts nor answers are logged.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from agents.model.asking import Called, Model
from agents.model.budget import Budget
from agents.model.failures import ModelError, Reason
from agents.model.lean import lean
from agents.model.remembering import Memory
from agents.model.replies import Assembly, Reply, ReplyError
from tools.caching import Cache

if TYPE_CHECKING:
    from anthropic import APIError, APIStatusError, AsyncAnthropic, AsyncStream

CONNECT_S = 5.0
SERVICE = "https://api.anthropic.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Where the model is and what one session may spend; the meaning of each is that of the settings."""

    api_key: str | None = field(repr=False)
    base_url: str | None = None
    names: tuple[str, ...]
    timeout_s: float
    max_usd: float
    max_tokens: int
    max_calls: int
    max_seconds: float


@asynccontextmanager
async def connect(
    config: Config,
    *,
    cache: Cache | None = None,
    on_call: Callable[[Called], None] | None = None,
    on_body: Callable[[Mapping[str, Any]], None] | None = None,
) -> AsyncGenerator[Model]:
    """The model for one session; `Model.for_session` makes others on the same connections.

    Without a key there is a model too: one whose every answer is that it is not configured. `cache` keeps answers for
    whoever asks the very same again; without one each question is asked. `on_call` is told of every
    request that was sent, `on_body` is given its body before.
    """
    budget = Budget(calls=config.max_calls, tokens=config.max_tokens, seconds=config.max_seconds, usd=config.max_usd)
    wire = _Service(config.api_key, config.base_url or SERVICE, on_body) if config.api_key else None
    try:
        memory = Memory(cache) if cache is not None else None
        yield Model(wire, names=config.names, budget=budget, timeout_s=config.timeout_s, memory=memory, on_call=on_call)
    finally:
        if wire:
            await wire.close()


class _Service:
    def __init__(self, api_key: str, base_url: str, on_body: Callable[[Mapping[str, Any]], None] | None = None) -> None:
        self._api_key, self._base_url, self._on_body = api_key, base_url, on_body
        self._client: AsyncAnthropic | None = None
        self._opening = asyncio.Lock()

    async def send(self, body: Mapping[str, Any], *, timeout_s: float) -> Reply:
        """One request, one whole reply.

        Raises:
            ModelError: for whatever goes wrong.
        """
        client = await self._opened()
        assembly = Assembly()
        if self._on_body:
            self._on_body(body)
        try:
            async with asyncio.timeout(timeout_s):
                await _read(client, body, assembly)
        except TimeoutError as error:
            raise ModelError(Reason.TIMED_OUT, f"{timeout_s:.3g} s", tokens=assembly.tokens) from error
        except ModelError as error:
            error.tokens = assembly.tokens
            raise
        if not assembly.stop:
            raise ModelError(Reason.CUT_STREAM, tokens=assembly.tokens)
        if assembly.stop == "refusal":
            raise ModelError(Reason.REFUSED, tokens=assembly.tokens)
        return assembly.reply

    async def close(self) -> None:
        if self._client:
            await self._client.close()

    async def _opened(self) -> "AsyncAnthropic":
        async with self._opening:
            if self._client is None:
                # In a thread, for the import is long and the loop has others to serve.
                await asyncio.to_thread(_sdk)
                self._client = await asyncio.to_thread(self._made)
            return self._client

    def _made(self) -> "AsyncAnthropic":
        import httpx2

        sdk = _sdk()
        # The whole reply has its own limit in `send`; what is limited here is only how long a connection takes.
        timeout = httpx2.Timeout(None, connect=CONNECT_S)
        return sdk.client(api_key=self._api_key, base_url=self._base_url, max_retries=0, timeout=timeout)


@dataclass(frozen=True, slots=True)
class _Sdk:
    client: "type[AsyncAnthropic]"
    stream: "type[AsyncStream[Any]]"
    error: "type[APIError]"
    status_error: "type[APIStatusError]"
    timeout_error: type[Exception]
    connection_error: type[Exception]


@cache
def _sdk() -> _Sdk:
    try:
        with lean(
            "anthropic",
            folders=("anthropic.types", "anthropic.resources", "anthropic.lib.streaming", "anthropic.lib._tracing"),
            # Requests are posted as plain dicts, and nothing of the beta interface is used.
            dicts=re.compile(r"anthropic\.types\.(?:beta\..*|.*_params?)"),
            optional=("anthropic._vendor.httpx_aiohttp",),
        ):
            return _imported()
    except (ImportError, AttributeError, TypeError):
        # Another version may be built in another way: slower is better than not at all.
        return _imported()


def _imported() -> _Sdk:
    from anthropic import APIConnectionError, APIError, APIStatusError, APITimeoutError, AsyncAnthropic, AsyncStream

    return _Sdk(AsyncAnthropic, AsyncStream[Any], APIError, APIStatusError, APITimeoutError, APIConnectionError)


async def _read(client: "AsyncAnthropic", body: Mapping[str, Any], assembly: Assembly) -> None:
    import httpx2

    sdk = _sdk()
    try:
        # The SDK's way for requests of one's own: `messages.create` would check types that cost most of its import.
        async with await client.post(
            "/v1/messages", cast_to=cast("type[Any]", object), body=body, stream=True, stream_cls=sdk.stream
        ) as stream:
            async for event in stream:
                assembly.take(cast("Mapping[str, Any]", event))
    except sdk.error as error:
        raise _failure(error, sdk) from error
    except httpx2.TimeoutException as error:
        raise ModelError(Reason.TIMED_OUT, type(error).__name__) from error
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        reason = Reason.CUT_STREAM if assembly.model else Reason.CONNECTION
        raise ModelError(reason, type(error).__name__) from error
    except ReplyError as error:
        raise ModelError(Reason.MALFORMED, str(error)) from error
    except ValueError as error:
        # Broken JSON or bytes that are not UTF-8 come raw; their text would repeat what the model said.
        raise ModelError(Reason.MALFORMED, type(error).__name__) from error


def _failure(error: "APIError", sdk: _Sdk) -> ModelError:
    if isinstance(error, sdk.timeout_error):
        return ModelError(Reason.TIMED_OUT)
    if isinstance(error, sdk.connection_error):
        return ModelError(Reason.CONNECTION, type(error.__cause__ or error).__name__)
    if not isinstance(error, sdk.status_error):
        return ModelError(Reason.MALFORMED, type(error).__name__)
    said = f"{error.error_code or ''} {error.api_message or ''}"
    # Within a stream the status is 200 and only the kind tells; before it, a proxy may send a status and no kind.
    reason = _KINDS.get(str(error.type)) or _STATUSES.get(error.status_code) or _by_class(error.status_code)
    if reason in (Reason.RATE_LIMITED, Reason.BAD_REQUEST, Reason.AUTH) and _SPENT.search(said):
        reason = Reason.SPEND_LIMIT
    return ModelError(reason, f"HTTP {error.status_code}", retry_after_s=_retry_after(error))


_KINDS = {
    "authentication_error": Reason.AUTH,
    "permission_error": Reason.AUTH,
    "billing_error": Reason.SPEND_LIMIT,
    "rate_limit_error": Reason.RATE_LIMITED,
    "overloaded_error": Reason.OVERLOADED,
    "timeout_error": Reason.TIMED_OUT,
    "api_error": Reason.UNAVAILABLE,
    "not_found_error": Reason.NO_SUCH_MODEL,
}
_STATUSES = {
    401: Reason.AUTH,
    402: Reason.SPEND_LIMIT,
    403: Reason.AUTH,
    404: Reason.NO_SUCH_MODEL,
    408: Reason.TIMED_OUT,
    429: Reason.RATE_LIMITED,
    504: Reason.TIMED_OUT,
    529: Reason.OVERLOADED,
}
_SPENT = re.compile(r"(?i)credit balance|spend(?:ing)?[ _]limit|usage limit|billing")


def _by_class(status: int) -> Reason:
    return Reason.UNAVAILABLE if status >= 500 or status < 400 else Reason.BAD_REQUEST


def _retry_after(error: "APIStatusError") -> float | None:
    try:
        return max(0.0, float(error.response.headers.get("retry-after", "")))
    except ValueError:
        # A date instead of seconds: the service never sends one.
        return None
