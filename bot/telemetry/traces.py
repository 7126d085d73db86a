"""Traces over OTLP/HTTP, where the settings name a collector; elsewhere a span costs next to nothing."""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from opentelemetry import trace

from bot.setting_groups import Telemetry

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

TIMEOUT_S = 5
"""For one batch of spans; a collector that is away costs spans, nothing else."""

_tracers: list[trace.Tracer] = []
"""The newest takes the spans; where there is none they go nowhere."""
_NOWHERE = trace.NoOpTracer()


@asynccontextmanager
async def sending(settings: Telemetry, *more: "SpanExporter") -> AsyncGenerator[None]:
    """Sends this process's spans to the collector of the settings, if there is one; at the end also the last ones.

    What is sent there `more` get as well.
    """
    if not settings.otlp_endpoint:
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

    endpoint = settings.otlp_endpoint.rstrip("/") + "/v1/traces"
    provider = TracerProvider(resource=Resource.create({"service.name": "locum"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=TIMEOUT_S)))
    for each in more:
        provider.add_span_processor(SimpleSpanProcessor(each))
    tracer = provider.get_tracer("locum")
    _tracers.append(tracer)
    try:
        yield
    finally:
        _tracers.remove(tracer)
        # In a thread: it waits for the collector.
        await asyncio.to_thread(provider.shutdown)


@contextmanager
def span(name: str, **attributes: str | int) -> Generator[None]:
    """One piece of work in the trace; attributes are ids and counts, never payloads."""
    # What went wrong is in the logs, redacted; here an exception's words would leave the house as they are.
    with _tracer().start_as_current_span(
        name, attributes=_named(attributes), record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield
        except BaseException as error:
            current.set_status(trace.StatusCode.ERROR)
            current.set_attribute("locum.error", type(error).__name__)
            raise


def ended_span(name: str, *, seconds: float, **attributes: str | int) -> None:
    """A piece of work that is over, within the one that runs."""
    now = time.time_ns()
    began = now - round(seconds * 1e9)
    _tracer().start_span(name, attributes=_named(attributes), start_time=began).end(now)


def _tracer() -> trace.Tracer:
    return _tracers[-1] if _tracers else _NOWHERE


def _named(attributes: dict[str, str | int]) -> dict[str, str | int]:
    return {f"locum.{key}": value for key, value in attributes.items()}
