"""Signatures of those who sign their webhooks, over the raw body, before anything of it is read. Pure.

Constant time on bytes; every secret is compared, so that the time does not tell which one was nearly right.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from pydantic import SecretStr

from bot.setting_groups import GrafanaSource, SignedSource

FRESH_S = 300
"""How old a dated signature may be, and how far in the future: what Slack allows too."""


def is_signed(name: str, source: SignedSource, headers: Mapping[str, str], body: bytes, *, now_s: float) -> bool:
    """Whether somebody who knows one of the source's secrets sent exactly this.

    Args:
        name: of the source: `grafana`, `pagerduty`, `sentry`.
        source: its settings.
        headers: of the request; names in lower case.
        body: as it came.
        now_s: Unix seconds.
    """
    match name, source:
        case "grafana", GrafanaSource(timestamp_header=header) if header:
            at = headers.get(header.lower(), "")
            signed = at.encode() + b":" + body
            is_fresh = at.isascii() and at.isdigit() and len(at) < 13 and abs(now_s - int(at)) <= FRESH_S
            return _is_one_of([headers.get("x-grafana-alerting-signature", "")], source.secrets, signed) and is_fresh
        case "grafana", _:
            return _is_one_of([headers.get("x-grafana-alerting-signature", "")], source.secrets, body)
        case "pagerduty", _:
            # Several during a rotation of theirs; any of them may be ours.
            given = [each.strip() for each in headers.get("x-pagerduty-signature", "").split(",")[:10]]
            return _is_one_of([each[3:] for each in given if each.startswith("v1=")], source.secrets, body)
        case "sentry", _:
            return _is_one_of([headers.get("sentry-hook-signature", "")], source.secrets, body)
        case _:
            return False


def _is_one_of(given: Sequence[str], secrets: Sequence[SecretStr], signed: bytes) -> bool:
    right = [hmac.new(each.get_secret_value().encode(), signed, hashlib.sha256).hexdigest() for each in secrets]
    matches = [hmac.compare_digest(one.encode(), other.encode()) for one in given for other in right]
    return any(matches)
