"""Structured logs: one line an event, with the incident it belongs to, and no secret in it."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from bot.setting_groups import Telemetry
from tools.redaction import redact_fields

_OURS = ("locum", "bot", "agents", "approvals", "tools")
"""Who is heard at the level of the settings. Libraries are heard when something is wrong: below that they log payloads,
prompts and a line for each request."""


def configure(settings: Telemetry, *more: logging.Handler) -> None:
    """Sets up the logs of this process, those of libraries included; they go to standard error, and to `more`."""
    level = logging.getLevelNamesMapping()[settings.log_level]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        without_secrets,
    ]
    last: Any = structlog.processors.JSONRenderer()
    if settings.log_format == "text":
        last = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    written = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
    )
    root = logging.getLogger()
    root.handlers[:] = [handler, *more]
    for each in root.handlers:
        each.setFormatter(written)
    root.setLevel(max(logging.WARNING, level))
    for name in _OURS:
        logging.getLogger(name).setLevel(level)


def without_secrets(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Redacts an event: what stands under a telling key, and every text, the names of fields included."""
    clean = redact_fields({key: _plain(value) for key, value in event.items()})
    event.clear()
    event.update(clean)
    return event


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    # The renderer would write it like this too, and past the redaction.
    return repr(value)
