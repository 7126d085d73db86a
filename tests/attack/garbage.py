"""Requests that no door of Locum may take: malformed, or by somebody who may not. Each is certainly one of the two.

A request is made of a valid one and one thing that is wrong with it, by a seeded generator; no two are alike.
"""

import base64
import hashlib
import hmac
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from tests.attack.bodies import BODIES, Json, alertmanager, decision, generic, interaction, question, word


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What the attacker knows: more than any stranger would, so that the requests come far."""

    host: str
    alert_token: str
    user: str
    password: str
    tokens: Mapping[str, str]
    """By scope; each may do that one thing."""
    session_id: str
    request_id: str
    """Waits for a decision."""
    signing_secret: str


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    kind: str
    data: bytes
    late: bytes = b""
    leaves: bool = False


_Maker = Callable[[random.Random, Door], _Made]


def _http(
    rng: random.Random, door: Door, method: str, target: str | bytes, *headers: tuple[str, str | bytes],
    body: bytes | None = None, says: bytes | None = None,
) -> bytes:  # fmt: skip
    """The bytes of a request; `says` is another length than the body's."""
    path = target.encode() if isinstance(target, str) else target
    lines = [method.encode() + b" " + path + b" HTTP/1.1", b"Host: " + door.host.encode()]
    lines.append(f"User-Agent: {word(rng)}".encode())
    lines += [name.encode() + b": " + (value.encode() if isinstance(value, str) else value) for name, value in headers]
    if body is not None:
        lines.append(b"Content-Length: " + (str(len(body)).encode() if says is None else says))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


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

    def stranger(rng: random.Random, door: Door) -> _Made:
        right = proof(door)[1].partition(" ")[2] if scope != "basic" else door.password
        others = tuple(token for name, token in door.tokens.items() if name != scope)
        headers = _credentials(rng, door, right, others)
        body = json.dumps(doc(rng, door)).encode()
        return _Made(kind="stranger", data=_http(rng, door, "POST", at(door), _JSON, *headers, body=body))

    def body(rng: random.Random, door: Door) -> _Made:
        made = rng.choice(BODIES)(rng, schema, doc(rng, door))
        return _Made(kind="body", data=_http(rng, door, "POST", at(door), _JSON, proof(door), body=made))

    def framing(rng: random.Random, door: Door) -> _Made:
        good = json.dumps(doc(rng, door)).encode()
        return _framing(rng, door, at(door), good, proof(door))

    def method(rng: random.Random, door: Door) -> _Made:
        name = rng.choice(("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "CONNECT", "PROPFIND", "post"))
        return _Made(kind="method", data=_http(rng, door, name, at(door), _JSON, proof(door), body=b"{}"))

    return stranger, stranger, body, body, body, body, framing, method


def _typed_wrongly(path: str, doc: Callable[[random.Random, Door], Json], scope: str) -> _Maker:
    def make(rng: random.Random, door: Door) -> _Made:
        kinds = ("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json",
                 "application/json5", "application/jsonx", "\xff", "json", "application/ json", "*/*")  # fmt: skip
        headers = (("Content-Type", rng.choice(kinds).encode("latin-1")), _bearer(door.tokens[scope]))
        body = json.dumps(doc(rng, door)).encode()
        target = path.format(session=door.session_id)
        return _Made(kind="content type", data=_http(rng, door, "POST", target, *headers, body=body))

    return make


def _overlong_key(path: str, doc: Callable[[random.Random, Door], Json], scope: str) -> _Maker:
    def make(rng: random.Random, door: Door) -> _Made:
        odd = bytes(rng.choice((*range(0x21, 0x7F), *range(0x80, 0x100))) for _ in range(rng.randint(201, 3_000)))
        headers = (_JSON, _bearer(door.tokens[scope]), ("Idempotency-Key", odd))
        body = json.dumps(doc(rng, door)).encode()
        target = path.format(session=door.session_id)
        return _Made(kind="key", data=_http(rng, door, "POST", target, *headers, body=body))

    return make


def _framing(rng: random.Random, door: Door, path: str, good: bytes, proof: tuple[str, str]) -> _Made:
    """A body that is not as long, or not as chunked, as it says."""
    start = _http(rng, door, "POST", path, _JSON, proof)[:-2]
    chunked = start + b"Transfer-Encoding: chunked\r\n\r\n"
    lies = (b"ffffffffffffffffffffffff\r\n", b"-1\r\n", b"zz\r\n", b"\r\n", b"0x5\r\nhello\r\n", b"5\r\nhelloworld\r\n",
            b"5;" + b"x" * 70_000 + b"\r\nhello\r\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n",
            "\uff15\r\nhello\r\n".encode(), b"1_0\r\n")  # fmt: skip
    size = f"{len(good):x}\r\n".encode()
    lengths = (
        b"-1",
        b"+5",
        b"5, 6",
        b"1_0",
        b"0x10",
        b"9" * 30,
        "\uff15".encode(),
        b"",
        b"5 5",
        b"1e3",
        b"5\r\nContent-Length: 6",
    )
    codings = (
        b"gzip",
        b"chunked, gzip",
        b"xchunked",
        b"chunked\r\nTransfer-Encoding: chunked",
        b"identity",
        b"\x0bchunked",
    )
    if rng.random() < 0.002:
        return _Made(kind="slow", data=start + b"Content-Length: 99\r\n\r\n" + good[:20])
    match rng.randrange(6):
        case 0:
            return _Made(
                kind="cut", data=start + f"Content-Length: {len(good) + 9}\r\n\r\n".encode() + good, leaves=True
            )
        case 1:
            return _Made(kind="cut", data=chunked + size + good[: len(good) // 2], leaves=True)
        case 2:
            return _Made(kind="chunks", data=chunked + rng.choice(lies))
        case 3:
            return _Made(kind="chunks", data=chunked + size + good + b"\r\n" + rng.choice(lies))
        case 4:
            return _Made(kind="length", data=start + b"Content-Length: " + rng.choice(lengths) + b"\r\n\r\n" + good)
        case _:
            return _Made(kind="coding", data=start + b"Transfer-Encoding: " + rng.choice(codings) + b"\r\n\r\n" + good)


def _too_large(rng: random.Random, door: Door) -> _Made:
    if rng.random() < 0.98:
        claimed = _http(rng, door, "POST", "/alerts/alertmanager", _bearer(door.alert_token), body=b"{", says=b"9" * 12)
        return _Made(kind="large", data=claimed)
    body = b'{"x": "' + b"x" * 1_100_000 + b'"}'
    return _Made(
        kind="large", data=_http(rng, door, "POST", "/alerts/alertmanager", _bearer(door.alert_token), body=body)
    )


def _nowhere(rng: random.Random, door: Door) -> _Made:
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
    return _Made(kind="nowhere", data=_http(rng, door, "POST", f"/alerts/{name}", *headers, body=body))


def _status(suffix: str) -> tuple[_Maker, ...]:
    def stranger(rng: random.Random, door: Door) -> _Made:
        others = tuple(token for name, token in door.tokens.items() if name != "status")
        headers = _credentials(rng, door, door.tokens["status"], others)
        return _Made(kind="stranger", data=_http(rng, door, "GET", f"/status/{door.session_id}{suffix}", *headers))

    def unknown(rng: random.Random, door: Door) -> _Made:
        word = word(rng)
        ids = (
            "ses_" + word, word, door.session_id + word, door.session_id.upper(), "%00", "..%2f..%2f" + word,
            "%ff" + word,
            "%ed%a0%80", door.session_id + "%00", door.session_id + "%20", "x" * rng.randint(300, 30_000),
            "x" * 100_000,
            quote("\u0455es_" + word), "*", "ses_*", "%0d%0aDEL%20locum:inbox", "{" + word + "}", "%25" + word,
        )  # fmt: skip
        target = f"/status/{rng.choice(ids)}{suffix}"
        return _Made(kind="unknown", data=_http(rng, door, "GET", target, _bearer(door.tokens["status"])))

    def method(rng: random.Random, door: Door) -> _Made:
        name = rng.choice(("POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "MKCOL"))
        target = f"/status/{door.session_id}{suffix}"
        return _Made(kind="method", data=_http(rng, door, name, target, _bearer(door.tokens["status"]), body=b"x"))

    return stranger, unknown, method


def _cursor(rng: random.Random, door: Door) -> _Made:
    own = word(rng)
    bad = (b"x" + own.encode(), b"-1", b"1-", b"1-2-3", "\u0661".encode(), b"0x1", b"1e9", b"$", b">", b"+",
        b"\xb2", b"1 2",
           b"9" * rng.randint(25, 4_000), b"18446744073709551616-1", b"1-" + b"9" * 25, b"nan")  # fmt: skip
    headers = (_bearer(door.tokens["status"]), ("Last-Event-ID", rng.choice(bad)))
    return _Made(kind="cursor", data=_http(rng, door, "GET", f"/status/{door.session_id}/events", *headers))


def _health(rng: random.Random, door: Door) -> _Made:
    name = rng.choice(("POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW"))
    suffix = rng.choice(("", "?" + word(rng), "/", "/" + word(rng)))
    return _Made(kind="method", data=_http(rng, door, name, f"/health{suffix}", body=rng.choice((b"", b"{}", b"\xff"))))


def _metrics(rng: random.Random, door: Door) -> _Made:
    others = tuple(token for name, token in door.tokens.items() if name != "metrics")
    headers = _credentials(rng, door, door.tokens["metrics"], others)
    return _Made(kind="stranger", data=_http(rng, door, "GET", f"/metrics?{word(rng)}", *headers))


def slack_signature(secret: str, at: str, body: str | bytes) -> str:
    """As Slack signs."""
    raw = body.encode() if isinstance(body, str) else body
    return "v0=" + hmac.new(secret.encode(), f"v0:{at}:".encode() + raw, hashlib.sha256).hexdigest()


def _slack(rng: random.Random, door: Door) -> _Made:
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
    return _Made(kind="unsigned", data=_http(rng, door, "POST", "/slack/events", *headers, body=sent.encode()))


def _slack_cut(rng: random.Random, door: Door) -> _Made:
    return _framing(
        rng, door, "/slack/events", interaction(rng, door.request_id).encode(), ("X-Slack-Signature", "v0=00")
    )


def _protocol(rng: random.Random, door: Door) -> _Made:
    """No HTTP, or hardly; without any credential, so that what is lenient in the protocol is refused behind it."""
    path = rng.choice(
        ("/alerts/alertmanager", "/alerts/generic", "/diagnose", f"/approve/{door.session_id}", "/metrics")
    )
    own = word(rng).encode()
    host = b"Host: " + door.host.encode()
    line = b"POST " + path.encode() + b" HTTP/1.1\r\n"
    raw = (
        rng.randbytes(rng.randint(1, 400)).replace(b"\n", b"\r") + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + own,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + own, b"GET " + path.encode() + b"\r\n\r\n" + own,
        line + b"X: " + own + b"\r\n\r\n",
        line + host + b"\r\n" + host + own + b"\r\n\r\n",
        b"POST " + path.encode() + b" HTTP/9.9\r\n" + host + b"\r\nX:" + own + b"\r\n\r\n",
        b"POST " + path.encode() + b" HTTP/1.1.1\r\n" + host + b"\r\n\r\n" + own,
        line + host + b"\r\nX : " + own + b"\r\n\r\n",
        line + host + b"\r\nX: a\x00" + own + b"\r\n\r\n", line + host + b"\r\nX\xff: " + own + b"\r\n\r\n",
        line + host + b"\r\n" + own + b"\r\n\r\n", line + host + b"\r\n folded " + own + b"\r\n\r\n",
        line + host + b"\rX: " + own + b"\r\n\r\n",
        line + host + b"\r\nX: " + own * 8_000 + b"\r\n\r\n",
        line + host + b"".join(b"\r\nX-%d: " % n + own for n in range(400)) + b"\r\n\r\n",
        b"A" * 300 + own + b" " + path.encode() + b" HTTP/1.1\r\n" + host + b"\r\n\r\n",
        b"P\xc3\x96ST " + path.encode() + b" HTTP/1.1\r\n" + host + b"\r\n\r\n" + own,
        b"POST /\xc3\xa4" + own + b" HTTP/1.1\r\n" + host + b"\r\n\r\n",
        b"POST http://" + own + b"/ HTTP/1.1\r\n" + host + b"\r\n\r\n",
        b"POST " + own + b" HTTP/1.1\r\n" + host + b"\r\n\r\n",
        b"CONNECT " + own + b":443 HTTP/1.1\r\n" + host + b"\r\n\r\n",
        line + host + b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: " + own + b"\r\n\r\n",
        line + host + b"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: " + own +
        b"\r\n\r\n",
        line + host + b"\r\nExpect: 100-continue\r\nContent-Length: 9\r\nX: " + own + b"\r\n\r\n",
        line + host + b"\r\nExpect: 200-ok\r\nContent-Length: 0\r\nX: " + own + b"\r\n\r\n",
        line + host + b"\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nX: " + own + b"\r\n\r\n0\r\n\r\n",
    )  # fmt: skip
    chosen = rng.randrange(len(raw) + 2)
    if chosen == len(raw):
        return _Made(kind="cut", data=line + host + b"\r\nX: " + own, leaves=True)
    if chosen > len(raw):
        # The answer does not wait for the body; then the body turns out to be none.
        headers = b"\r\nTransfer-Encoding: chunked\r\nX: " + own + b"\r\n\r\n"
        return _Made(
            kind="late", data=line + host + headers, late=rng.choice((b"zz\r\n", b"-1\r\n", own + own + b"\r\n"))
        )
    return _Made(kind="protocol", data=raw[chosen])


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


def _elsewhere(rng: random.Random, door: Door) -> _Made:
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
    return _Made(
        kind="elsewhere", data=_http(rng, door, "POST", target, _JSON, _bearer(door.tokens["approve"]), body=body)
    )


def _named(name: str, *makers: _Maker) -> tuple[tuple[str, _Maker], ...]:
    return tuple((name, each) for each in makers)


_ENDPOINTS: tuple[tuple[tuple[str, _Maker], ...], ...] = (
    _named("POST /alerts/alertmanager", *_ALERTS),
    _named("POST /alerts/generic", *_GENERIC),
    _named("POST /diagnose", *_ASK),
    _named("GET /status", *_status("")),
    _named("GET /status/events", *_status("/events"), _cursor),
    _named("POST /approve", *_APPROVE, _elsewhere),
    _named("GET /health", _health),
    _named("GET /metrics", _metrics),
    _named("POST /slack/events", _slack, _slack, _slack, _slack, _slack_cut),
    _named("any", _protocol),
)
