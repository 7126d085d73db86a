"""What an API server's answer other than 200 means for the question. Pure."""

from collections.abc import Mapping

import orjson

from tools.errors import ToolError, ToolNoSource, ToolRefused, ToolRetry, ToolUnavailable
from tools.kubernetes.fields import text


class Expired(ToolUnavailable):
    """The server no longer knows the moment from which it was asked to go on."""


class BadRequest(ToolRetry):
    """The server says what is wrong with the question."""


def refusal(status: int, headers: Mapping[str, str], body: bytes, path: str) -> ToolError:
    """The error to raise for a status."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = None
    message = text(said, "message") or body[:200].decode("utf-8", errors="replace") or f"HTTP {status}"
    match status:
        case 403:
            return ToolRefused(f"{message}; add to the read role: {_rule(path)}")
        case 404:
            return ToolNoSource(f"the cluster does not serve {path}: {message}")
        case 405:
            return ToolNoSource(f"the cluster serves {path} and does not let it be watched: {message}")
        case 400 | 422:
            return BadRequest(message)
        case 410:
            return Expired(message)
        case 401:
            return ToolUnavailable(f"the API server does not accept the credentials: {message}")
        case _:
            wait = headers.get("Retry-After", "")
            seconds = float(wait) if wait.isascii() and wait.isdigit() else None
            return ToolUnavailable(f"the API server answered {status} to {path}: {message}", retry_after_s=seconds)


def _rule(path: str) -> str:
    """The RBAC rule that would allow to read a path."""
    parts = path.strip("/").split("/")
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1] if len(parts) > 1 else "", parts[3:])
    if not rest:
        return f'{{nonResourceURLs: ["{path}"], verbs: ["get"]}}'
    if rest[0] == "namespaces" and len(rest) > 2:
        rest = rest[2:]
    is_log = len(rest) > 2
    resource, verbs = (f"{rest[0]}/{rest[2]}", '"get"') if is_log else (rest[0], '"get", "list", "watch"')
    return f'{{apiGroups: ["{group}"], resources: ["{resource}"], verbs: [{verbs}]}}'
