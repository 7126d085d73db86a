"""Traces over OTLP/HTTP, where the settings name a collector; elsewhere a span costs next to nothing."""

from collections.abc import Generator
from contextlib import contextmanager

from opentelemetry import trace

from bot.settings import Telemetry


def configure(settings: Telemetry) -> None:
    """Sends this process's spans to the collector of the settings, if there is one."""
    if not settings.otlp_endpoint:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    endpoint = settings.otlp_endpoint.rstrip("/") + "/v1/traces"
    provider = TracerProvider(resource=Resource.create({"service.name": "locum"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=5)))
    trace.set_tracer_provider(provider)


@contextmanager
def span(name: str, **attributes: str | int) -> Generator[None]:
    """One piece of work in the trace; attributes are ids and counts, never payloads."""
    with trace.get_tracer("locum").start_as_current_span(
        name, attributes={f"locum.{key}": value for key, value in attributes.items()}
    ):
        yield
