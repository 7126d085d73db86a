"""Judges what a certificate says about itself. Pure."""

import contextlib
import ipaddress
from collections.abc import Mapping
from typing import Any


def covers(pattern: str, name: str) -> bool:
    """Whether a name in a certificate, perhaps with a star, is good for `name`."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(name) == ipaddress.ip_address(pattern)
    pattern, name = pattern.lower().rstrip("."), name.lower().rstrip(".")
    # A star stands for exactly one label, the first.
    return pattern == name or (pattern.startswith("*.") and name.partition(".")[2] == pattern[2:])


def judged(seen: Mapping[str, Any], trust_error: str | None, name: str) -> dict[str, Any]:
    """What is wrong with the certificate, in the words of a probe; `trust_error` is the library's about the chain."""
    wrong: list[str] = []
    if seen["days_left"] < 0:
        wrong.append(f"the certificate expired on {seen['not_after']}")
    elif seen["begins_later"]:
        wrong.append(f"the certificate is valid only from {seen['not_before']}")
    elif trust_error:
        wrong.append(f"the chain is not trusted: {trust_error}")
    if not seen["hostname_ok"]:
        wrong.append(f"the certificate does not name {name}")
    detail = "; ".join(wrong) or f"valid for {seen['days_left']:.0f} more days"
    return {"ok": not wrong, "detail": detail, "trusted": trust_error is None, "trust_error": trust_error}
