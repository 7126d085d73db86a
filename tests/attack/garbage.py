"""Requests that no door of Locum may take: malformed, or by somebody who may not. Each is certainly one of the two.

A request is made of a valid one and one thing that is wrong with it, by a seeded generator; no two are alike.
"""

import base64
import hashlib
import hmac
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from tests.attack import vendors
from tests.attack.bodies import BODIES, Json, alertmanager, decision, generic, interaction, question, word
from tests.attack.wire import Door, Made, framing, http, protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One request as bytes."""

    endpoint: str
    kind: str
    data: bytes
    late: bytes = b""
    """Sent after the answer."""
    leaves: bool = False
    """The client ends its side when all is sent, in the middle of its request: nobody is left to be answered."""


def shot(rng: random.Random, door: Door) -> Shot:
    """The next request."""
    endpoint = rng.choice(_ENDPOINTS)
    name, make = rng.choice(endpoint)
    made = make(rng, door)
    return Shot(endpoint=name, kind=made.kind, data=made.data, late=made.late, leaves=made.leaves)


# --- requests


_Maker = Callable[[random.Random, Door], Made]


def _bearer(token: str) -> tuple[str, str]:
    return "Authorization", f"Bearer {token}"


def _basic(user: str, password: str) -> tuple[str, str]:
    return "Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


_JSON = ("Content-Type", "application/json")


def _credentials(rng: random.Random, door: Door, right: str, others: tuple[str, ...]) -> tuple[tuple[str, bytes], ...]:
    """Headers that nearly prove something."""
    token = right.encode()
    wide = "".join(chr(ord(each) + 0xFEE0) if each.isdigit() else each for each in right)
    bad = (
        b"", b"Bearer", b"Bearer ", b"Bearer" + token, b"Bearer " + token + b"x", b"Bearer " + token[:-1],
        b"Bearer " + token[::-1] + b"0", b"Bearer " + token.swapcase() + b"_", b"Bearer " + token + b" " + token,
        b"Bearer \"" + token + b"\"", b"Bearer " + wide.encode() + b"\xef\xbc\x90", b"Token " + token, token,
        b"Basic " + base64.b64encode(b"x:" + token), b"Basic " + token, b"Basic !!!!", b"Basic /w==", b"Basic ====",
        b"Basic " + base64.b64encode(door.user.encode() + b"\0:" + door.password.encode()),
        b"Basic " + base64.b64encode(door.user.encode() + b":" + door.password.encode()[:-1]),
        b"Basic " + base64.b64encode(b":" + door.password.encode()), b"Basic " + base64.b64encode(b"\xff\xfe:\x80"),
        b"Bearer \xff\xfe" + word(rng).encode(), b"Digest username=\"" + token + b"\"", b"Negotiate " + token,
        b"Bearer " + b"A" * rng.randint(1_000, 20_000), b"Bearer %s" + token, b"Bearer\t" + token, b"null",
        *(b"Bearer " + other.encode() for other in others), b"Bearer " + word(rng).encode(),
    )  # fmt: skip
    if rng.random() < 0.1:
        return ()
    return (("Authorization", rng.choice(bad)),) * rng.choice((1, 1, 1, 2))


def _post(path: str, schema: str, doc: Callable[[random.Random, Door], Json], scope: str) -> tuple[_Maker, ...]:
    """What can be wrong with a POST of JSON."""

    def proof(door: Door) -> tuple[str, str]:
        if scope == "basic":
            return _basic(door.user, door.password)
        return _bearer(door.alert_token if scope == "alerts" else door.tokens[scope])

    def at(door: Door) -> str:
        return path.format(session=door.session_id)

    def stranger(rng: random.Random, door: Door) -> Made:
        right = proof(door)[1].partition(" ")[2] if scope != "basic" else door.password
        others = tuple(token for name, token in door.tokens.items() if name != scope)
        headers = _credentials(rng, door, right, others)
        body = json.dumps(doc(rng, door)).encode()
        return Made(kind="stranger", data=http(rng, door, "POST", at(door), _JSON, *headers, body=body))

    def body(rng: random.Random, door: Door) -> Made:
        made = rng.choice(BODIES)(rng, schema, doc(rng, door))
        return Made(kind="body", data=http(rng, door, "POST", at(door), _JSON, proof(door), body=made))

    def framed(rng: random.Random, door: Door) -> Made:
        good = json.dumps(doc(rng, door)).encode()
        return framing(rng, door, at(door), good, proof(door))

    def method(rng: random.Random, door: Door) -> Made:
        name = rng.choice(("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "CONNECT", "PROPFIND", "post"))
        return Made(kind="method", data=http(rng, door, name, at(door), _JSON, proof(door), body=b"{}"))

    return stranger, stranger, body, body, body, body, framed, method


def _typed_wrongly(path: str, doc: Callable[[random.Random, Door], Json], scope: str) -> _Maker:
    def make(rng: random.Random, door: Door) -> Made:
        kinds = ("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json",
                 "application/json5", "application/jsonx", "\xff", "json", "application/ json", "*/*")  # fmt: skip
        headers = (("Content-Type", rng.choice(kinds).encode("latin-1")), _bearer(door.tokens[scope]))
        body = json.dumps(doc(rng, door)).encode()
        target = path.format(session=door.session_id)
        return Made(kind="content type", data=http(rng, door, "POST", target, *headers, body=body))

    return make


def _overlong_key(path: str, doc: Callable[[random.Random, Door], Json], scope: str) -> _Maker:
    def make(rng: random.Random, door: Door) -> Made:
        odd = bytes(rng.choice((*range(0x21, 0x7F), *range(0x80, 0x100))) for _ in range(rng.randint(201, 3_000)))
        headers = (_JSON, _bearer(door.tokens[scope]), ("Idempotency-Key", odd))
        body = json.dumps(doc(rng, door)).encode()
        target = path.format(session=door.session_id)
        return Made(kind="key", data=http(rng, door, "POST", target, *headers, body=body))

    return make


def _too_large(rng: random.Random, door: Door) -> Made:
    if rng.random() < 0.98:
        claimed = http(rng, door, "POST", "/alerts/alertmanager", _bearer(door.alert_token), body=b"{", says=b"9" * 12)
        return Made(kind="large", data=claimed)
    body = b'{"x": "' + b"x" * 1_100_000 + b'"}'
    return Made(
        kind="large", data=http(rng, door, "POST", "/alerts/alertmanager", _bearer(door.alert_token), body=body)
    )


def _nowhere(rng: random.Random, door: Door) -> Made:
    """Sources and sessions that are none."""
    own = word(rng)
    names = (
        own, "..", "../status/" + own, "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "%00" + own, "%ff%fe" + own,
        "%ed%a0%80" + own,
        "__class__", "max_body_bytes", "alertmanager/" + own, "alertmanager%00", "Alertmanager", "alertmanager%20",
        quote("\uff41lertmanager"), "%252e%252e", ";" + own, "${jndi:ldap:x}" + own, "'%20OR%201=1--" + own,
        "%0d%0aSet-Cookie:x=1",
        "x" * rng.randint(300, 30_000), "x" * 100_000, "*" + own, "%" + own, "//" + own, "a" + "%2f" * 200 + own,
    )  # fmt: skip
    name = rng.choice(names)
    body = json.dumps(alertmanager(rng)).encode()
    headers = (_bearer(door.alert_token), _JSON)
    return Made(kind="nowhere", data=http(rng, door, "POST", f"/alerts/{name}", *headers, body=body))


def _status(suffix: str) -> tuple[_Maker, ...]:
    def stranger(rng: random.Random, door: Door) -> Made:
        others = tuple(token for name, token in door.tokens.items() if name != "status")
        headers = _credentials(rng, door, door.tokens["status"], others)
        return Made(kind="stranger", data=http(rng, door, "GET", f"/status/{door.session_id}{suffix}", *headers))

    def unknown(rng: random.Random, door: Door) -> Made:
        own = word(rng)
        ids = (
            "ses_" + own, own, door.session_id + own, door.session_id.upper(), "%00", "..%2f..%2f" + own,
            "%ff" + own,
            "%ed%a0%80", door.session_id + "%00", door.session_id + "%20", "x" * rng.randint(300, 30_000),
            "x" * 100_000,
            quote("\u0455es_" + own), "*", "ses_*", "%0d%0aDEL%20locum:inbox", "{" + own + "}", "%25" + own,
        )  # fmt: skip
        target = f"/status/{rng.choice(ids)}{suffix}"
        return Made(kind="unknown", data=http(rng, door, "GET", target, _bearer(door.tokens["status"])))

    def method(rng: random.Random, door: Door) -> Made:
        name = rng.choice(("POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "MKCOL"))
        target = f"/status/{door.session_id}{suffix}"
        return Made(kind="method", data=http(rng, door, name, target, _bearer(door.tokens["status"]), body=b"x"))

    return stranger, unknown, method


def _cursor(rng: random.Random, door: Door) -> Made:
    own = word(rng)
    bad = (b"x" + own.encode(), b"-1", b"1-", b"1-2-3", "\u0661".encode(), b"0x1", b"1e9", b"$", b">", b"+",
        b"\xb2", b"1 2",
           b"9" * rng.randint(25, 4_000), b"18446744073709551616-1", b"1-" + b"9" * 25, b"nan")  # fmt: skip
    headers = (_bearer(door.tokens["status"]), ("Last-Event-ID", rng.choice(bad)))
    return Made(kind="cursor", data=http(rng, door, "GET", f"/status/{door.session_id}/events", *headers))


def _health(rng: random.Random, door: Door) -> Made:
    name = rng.choice(("POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW"))
    suffix = rng.choice(("", "?" + word(rng), "/", "/" + word(rng)))
    return Made(kind="method", data=http(rng, door, name, f"/health{suffix}", body=rng.choice((b"", b"{}", b"\xff"))))


def _metrics(rng: random.Random, door: Door) -> Made:
    others = tuple(token for name, token in door.tokens.items() if name != "metrics")
    headers = _credentials(rng, door, door.tokens["metrics"], others)
    return Made(kind="stranger", data=http(rng, door, "GET", f"/metrics?{word(rng)}", *headers))


def slack_signature(secret: str, at: str, body: str | bytes) -> str:
    """As Slack signs."""
    raw = body.encode() if isinstance(body, str) else body
    return "v0=" + hmac.new(secret.encode(), f"v0:{at}:".encode() + raw, hashlib.sha256).hexdigest()


def _slack(rng: random.Random, door: Door) -> Made:
    """What Slack did not sign, or not now, or not this."""
    now = int(time.time())
    body = rng.choice((
        interaction(rng, door.request_id), json.dumps({"type": "url_verification", "challenge": word(rng)}),
        json.dumps({"type": "event_callback", "event": {"type": "app_mention", "text": word(rng)}}),
        urlencode({"command": "/diagnose", "text": word(rng), "user_id": "U0ANA00001", "trigger_id": word(rng)}),
    ))  # fmt: skip
    right = slack_signature(door.signing_secret, str(now), body)
    at = rng.choice((now - rng.randint(320, 10**9), now + rng.randint(400, 10**9)))
    odd = rng.choice(("", "x" + str(now), f"{now}.0", f"+{now}", f"-{now}", f"{now}e0", hex(now), "9" * 12, "9" * 5_000,
                      "".join(chr(0x660 + int(each)) for each in str(now)), "0", "NaN", "\u00b2"))  # fmt: skip
    signed_odd = slack_signature(door.signing_secret, odd, body)
    choices: tuple[tuple[str, str, str], ...] = (
        (str(now), "", body), (str(now), slack_signature(word(rng), str(now), body), body), (str(at), right, body),
        (str(at), slack_signature(door.signing_secret, str(at), body), body), (odd, signed_odd, body),
        (str(now), right, body + "&"), (str(now), right, body[:-1]), (str(now), right.replace("v0=", "v1="), body),
        (str(now), right[3:], body), (str(now), right[:-1], body), (str(now), right + "0", body),
        (str(now), "v0=" + "ä" * 64, body), (str(now), "v0=", body), (str(now), right.upper(), body),
        (str(now), "v0=" + "A" * 9_000, body), (str(now), slack_signature(door.signing_secret, str(now), ""), body),
        (str(now), slack_signature("", str(now), body), body), (str(now - 1), right, body),
    )  # fmt: skip
    stamp, signed, sent = rng.choice(choices)
    headers = [("Content-Type", "application/x-www-form-urlencoded"), ("X-Slack-Request-Timestamp", stamp),
               ("X-Slack-Signature", signed)]  # fmt: skip
    if rng.random() < 0.1:
        headers.pop(rng.choice((1, 2)))
    return Made(kind="unsigned", data=http(rng, door, "POST", "/slack/events", *headers, body=sent.encode()))


def _slack_cut(rng: random.Random, door: Door) -> Made:
    return framing(
        rng, door, "/slack/events", interaction(rng, door.request_id).encode(), ("X-Slack-Signature", "v0=00")
    )


_ALERTS = (
    *_post("/alerts/alertmanager", "alertmanager", lambda rng, _: alertmanager(rng), "alerts"),
    _too_large,
    _nowhere,
)
_GENERIC = _post("/alerts/generic", "generic", lambda rng, _: generic(rng), "basic")
_ASK = (
    *_post("/diagnose", "question", lambda rng, _: question(rng), "diagnose"),
    _typed_wrongly("/diagnose", lambda rng, _: question(rng), "diagnose"),
    _overlong_key("/diagnose", lambda rng, _: question(rng), "diagnose"),
)
_APPROVE = (
    *_post("/approve/{session}", "decision", lambda rng, door: decision(rng, door.request_id), "approve"),
    *_post("/approve/{session}", "decision", lambda rng, door: decision(rng, door.request_id), "approve"),
    _typed_wrongly("/approve/{session}", lambda rng, door: decision(rng, door.request_id), "approve"),
    _overlong_key("/approve/{session}", lambda rng, door: decision(rng, door.request_id), "approve"),
)


def _elsewhere(rng: random.Random, door: Door) -> Made:
    """A right decision, on a session that is not the request's."""
    ids = (
        "ses_" + word(rng),
        door.session_id + "%00",
        "..",
        "%ff",
        "x" * rng.randint(300, 30_000),
        "x" * 100_000,
        "*",
    )
    body = json.dumps(decision(rng, door.request_id)).encode()
    target = f"/approve/{rng.choice(ids)}"
    return Made(
        kind="elsewhere", data=http(rng, door, "POST", target, _JSON, _bearer(door.tokens["approve"]), body=body)
    )


def _named(name: str, *makers: _Maker) -> tuple[tuple[str, _Maker], ...]:
    return tuple((name, each) for each in makers)


_ENDPOINTS: tuple[tuple[tuple[str, _Maker], ...], ...] = (
    _named("POST /alerts/alertmanager", *_ALERTS),
    _named("POST /alerts/generic", *_GENERIC),
    _named("POST /alerts of those who sign", vendors.unsigned, vendors.unsigned, vendors.not_amazons),
    _named("POST /diagnose", *_ASK),
    _named("GET /status", *_status("")),
    _named("GET /status/events", *_status("/events"), _cursor),
    _named("POST /approve", *_APPROVE, _elsewhere),
    _named("GET /health", _health),
    _named("GET /metrics", _metrics),
    _named("POST /slack/events", _slack, _slack, _slack, _slack, _slack_cut),
    _named("any", protocol),
)
