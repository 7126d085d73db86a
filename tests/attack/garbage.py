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
from typing import Any
from urllib.parse import quote, urlencode

Json = dict[str, Any]


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


# --- valid requests, from which everything begins


def alertmanager(rng: random.Random) -> Json:
    """What Alertmanager sends."""
    labels = {"alertname": _word(rng), "namespace": _word(rng), "severity": "critical"}
    item = {"status": "firing", "labels": labels, "annotations": {"summary": _word(rng)},
            "startsAt": "2026-03-14T10:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": _word(rng)}  # fmt: skip
    return {"version": "4", "groupKey": _word(rng), "truncatedAlerts": 0, "alerts": [item]}


def generic(rng: random.Random) -> Json:
    """What anything else sends."""
    return {"alerts": [{"name": _word(rng), "status": "firing", "labels": {"host": _word(rng)}}]}


def question(rng: random.Random) -> Json:
    """What a program asks."""
    return {"problem": f"why is {_word(rng)} slow", "environment": "production", "context": {"team": _word(rng)}}


def decision(rng: random.Random, door: Door) -> Json:
    """What a program decides."""
    return {"approved": True, "request_id": door.request_id, "reason": _word(rng)}


def interaction(rng: random.Random, door: Door) -> str:
    """A click on Approve, as Slack would post it."""
    action = {"action_id": "locum_approve", "value": door.request_id, "action_ts": f"{rng.randint(1, 10**9)}.0001"}
    payload = {"type": "block_actions", "user": {"id": "U0ANA00001"}, "actions": [action], "trigger_id": _word(rng)}
    return urlencode({"payload": json.dumps(payload)})


_WRONG: dict[str, tuple[tuple[tuple[str, ...], tuple[Any, ...]], ...]] = {
    "alertmanager": (
        (("version",), (4, "5", None, "", ["4"], True, 4.0)),
        (("groupKey",), (None, 1, [], {"a": "b"}, False)),
        (("truncatedAlerts",), ("3", 1.5, None, True, [])),
        (("alerts",), ({}, "all", None, 7, [1], [None], [[]], ["x"], [{}])),
        (("alerts", "0", "status"), ("FIRING", "open", 1, None, ["firing"], "firing\u200b")),
        (("alerts", "0", "labels"), ({"a": 1}, [], None, "x", {"a": None}, {"a": {"b": "c"}})),
        (("alerts", "0", "annotations"), ([], {"a": 1}, 4, {"a": []})),
        (("alerts", "0", "startsAt"), ("yesterday", "", 0, None, "2026-13-01T00:00:00Z", "२०२६-०३-१४T१०:००:००Z",
                                       "2026-03-14", "99999999-01-01T00:00:00Z", "2026-03-14T10:00:00")),
        (("alerts", "0", "fingerprint"), (1, None, [], {})),
    ),
    "generic": (
        (("alerts",), ({}, "all", None, 7, [1], [None], [[]], [{}])),
        (("alerts", "0", "name"), ("", 1, None, [], "x" * 301, {"a": 1})),
        (("alerts", "0", "status"), ("FIRING", "ok", 1, None, [])),
        (("alerts", "0", "labels"), ({"a": 1}, [], None, "x")),
        (("alerts", "0", "starts_at"), ("now", 1, [], "2026-02-30T00:00:00Z")),
        (("alerts", "0", "unknown"), (1, "x", None, {})),
    ),
    "question": (
        (("problem",), ("", None, 1, [], {}, True, "x" * 10_001)),
        (("environment",), (None, 1, [], "x" * 201)),
        (("context",), (None, [], "x", {"a": 1}, {"a": None}, {str(n): "x" for n in range(51)})),
        (("unknown",), (1, "x", None)),
    ),
    "decision": (
        (("approved",), ("true", 1, 0, None, [], {}, "yes", 1.0)),
        (("request_id",), ("../../x", None, 1, "x" * 65, "a b", "a\n", "\u0661", "'; DROP TABLE votes;--", ["x"])),
        (("request_id",), ("0" * 40, "unknown-request", "A" * 64)),
        (("reason",), (None, 1, [], "x" * 801)),
        (("only",), ("0", [0.5], ["0"], {"0": 1}, [True], [None], [10**15] * 101, 3)),
        (("unknown",), (1, "x", None)),
        (("approved_by",), ("ana",)),
    ),
}  # fmt: skip


# --- one thing that is wrong with a body


def _typed(rng: random.Random, schema: str, doc: Json) -> bytes:
    path, values = rng.choice(_WRONG[schema])
    at: Any = doc
    for part in path[:-1]:
        at = at[int(part)] if part.isdigit() else at[part]
    at[path[-1]] = rng.choice(values)
    return json.dumps(doc, ensure_ascii=rng.random() < 0.5).encode()


def _missing(rng: random.Random, schema: str, doc: Json) -> bytes:
    required = {"alertmanager": ("version", "groupKey", "alerts"), "question": ("problem",), "decision": ("approved",)}
    if schema == "generic":
        return json.dumps({"labels": {"host": _word(rng)}}).encode()
    del doc[rng.choice(required[schema])]
    return json.dumps(doc).encode()


def _cut(rng: random.Random, _: str, doc: Json) -> bytes:
    text = json.dumps(doc).encode()
    return text[: rng.randrange(len(text))]


def _more(rng: random.Random, _: str, doc: Json) -> bytes:
    return json.dumps(doc).encode() + rng.choice((b"}", b"{}", b",", b"null", b"\x00", b"]", b"//", b"\xc2\xa0", b";"))


def _bytes(rng: random.Random, _: str, doc: Json) -> bytes:
    """Bytes that are no text, or no JSON, wherever they stand."""
    text = json.dumps(doc).encode()
    at = rng.randrange(len(text) + 1)
    bad = (
        b"\xff",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\x80",
        b"\x00",
        b"\x1b[2J",
        b"\x07",
        b"\xfe\xff",
    )
    return text[:at] + rng.choice(bad) + text[at:]


def _member(rng: random.Random, _: str, doc: Json) -> bytes:
    """A member whose value is refused wherever it stands."""
    depth = rng.choice((rng.randint(990, 1_100), rng.randint(1_500, 20_000)))
    half = rng.choice(("d800", "DBFF", "dc00", "dfFF"))
    bad = (
        "NaN", "Infinity", "-Infinity", "nan", "1" * rng.randint(21, 9_000), "-" + "9" * 25, "01", "+1", "0x1F", "1.",
        ".5", "1_000", "１", "True", "None", "undefined", "'x'", "`x`", '"\t"', '"\\x41"', '"\\u12"', f'"\\u{half}"',
        f'["\\u{half}x"]', '{"a":1,"a":2}', '{"a":{"b":1,"b":1}}', "{a:1}", '[1,]', '{"a":1,}', "/* */1", "",
        "[" * depth, "[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth,
    )  # fmt: skip
    text = json.dumps(doc)
    return f'{{"zz{_word(rng)}": {rng.choice(bad)}, {text[1:]}'.encode()


def _edge(rng: random.Random, schema: str, doc: Json) -> bytes:
    """Nested just as deeply as a parser bears, with a surrogate pair, where something else looks once more."""
    depth = rng.randint(300, 1_000)
    nested = "[" * depth + f'"\\ud83d\\ude00{_word(rng)}"' + "]" * depth
    if schema in ("alertmanager", "generic"):
        return json.dumps({**doc, "alerts": ["@"]}).replace('"@"', nested).encode()
    return json.dumps({**doc, "unknown": "@"}).replace('"@"', nested).encode()


def _twice(rng: random.Random, _: str, doc: Json) -> bytes:
    key = rng.choice(list(doc))
    return f'{{"{key}": {json.dumps(doc[key])}, {json.dumps(doc)[1:]}'.encode()


def _other(rng: random.Random, _: str, doc: Json) -> bytes:
    """Not an object, or not JSON at all."""
    word = _word(rng)
    text = json.dumps(doc)
    bad = (
        json.dumps([doc]), json.dumps(text), f'"{word}"', str(rng.random()), "null", "true", "", " " * rng.randint(1, 99),
        f"<a>{word}</a>", f"problem={word}", f"--{word}\r\n\r\n{text}\r\n--{word}--", f"- {word}: 1", "\ufeff" + text,
        text.replace('"', "'"), text[1:], repr(doc) + "\n#", f"while(1);{text}", f")]}}',\n{text}",
    )  # fmt: skip
    chosen = rng.choice(bad)
    return chosen.encode(rng.choice(("utf-8", "utf-8", "utf-8", "utf-16-le", "utf-16", "utf-32")))


_BODIES: tuple[Callable[[random.Random, str, Json], bytes], ...] = (
    _typed, _typed, _typed, _missing, _cut, _more, _bytes, _member, _member, _edge, _twice, _other,
)  # fmt: skip


# --- requests


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    kind: str
    data: bytes
    late: bytes = b""
    leaves: bool = False


_Maker = Callable[[random.Random, Door], _Made]


def _word(rng: random.Random) -> str:
    return f"{rng.getrandbits(48):012x}"


def _http(
    rng: random.Random, door: Door, method: str, target: str | bytes, *headers: tuple[str, str | bytes],
    body: bytes | None = None, says: bytes | None = None,
) -> bytes:  # fmt: skip
    """The bytes of a request; `says` is another length than the body's."""
    path = target.encode() if isinstance(target, str) else target
    lines = [method.encode() + b" " + path + b" HTTP/1.1", b"Host: " + door.host.encode()]
    lines.append(f"User-Agent: {_word(rng)}".encode())
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
        b"Bearer \xff\xfe" + _word(rng).encode(), b"Digest username=\"" + token + b"\"", b"Negotiate " + token,
        b"Bearer " + b"A" * rng.randint(1_000, 20_000), b"Bearer %s" + token, b"Bearer\t" + token, b"null",
        *(b"Bearer " + other.encode() for other in others), b"Bearer " + _word(rng).encode(),
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
        made = rng.choice(_BODIES)(rng, schema, doc(rng, door))
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
            b"5;" + b"x" * 70_000 + b"\r\nhello\r\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n", "５\r\nhello\r\n".encode(), b"1_0\r\n")  # fmt: skip
    size = f"{len(good):x}\r\n".encode()
    lengths = (
        b"-1",
        b"+5",
        b"5, 6",
        b"1_0",
        b"0x10",
        b"9" * 30,
        "５".encode(),
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
    word = _word(rng)
    names = (
        word, "..", "../status/" + word, "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "%00" + word, "%ff%fe" + word, "%ed%a0%80" + word,
        "__class__", "max_body_bytes", "alertmanager/" + word, "alertmanager%00", "Alertmanager", "alertmanager%20",
        quote("ａlertmanager"), "%252e%252e", ";" + word, "${jndi:ldap:x}" + word, "'%20OR%201=1--" + word, "%0d%0aSet-Cookie:x=1",
        "x" * rng.randint(300, 30_000), "x" * 100_000, "*" + word, "%" + word, "//" + word, "a" + "%2f" * 200 + word,
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
        word = _word(rng)
        ids = (
            "ses_" + word, word, door.session_id + word, door.session_id.upper(), "%00", "..%2f..%2f" + word, "%ff" + word,
            "%ed%a0%80", door.session_id + "%00", door.session_id + "%20", "x" * rng.randint(300, 30_000), "x" * 100_000,
            quote("ѕes_" + word), "*", "ses_*", "%0d%0aDEL%20locum:inbox", "{" + word + "}", "%25" + word,
        )  # fmt: skip
        target = f"/status/{rng.choice(ids)}{suffix}"
        return _Made(kind="unknown", data=_http(rng, door, "GET", target, _bearer(door.tokens["status"])))

    def method(rng: random.Random, door: Door) -> _Made:
        name = rng.choice(("POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "MKCOL"))
        target = f"/status/{door.session_id}{suffix}"
        return _Made(kind="method", data=_http(rng, door, name, target, _bearer(door.tokens["status"]), body=b"x"))

    return stranger, unknown, method


def _cursor(rng: random.Random, door: Door) -> _Made:
    word = _word(rng)
    bad = (b"x" + word.encode(), b"-1", b"1-", b"1-2-3", "١".encode(), b"0x1", b"1e9", b"$", b">", b"+", b"\xb2", b"1 2",
           b"9" * rng.randint(25, 4_000), b"18446744073709551616-1", b"1-" + b"9" * 25, b"nan")  # fmt: skip
    headers = (_bearer(door.tokens["status"]), ("Last-Event-ID", rng.choice(bad)))
    return _Made(kind="cursor", data=_http(rng, door, "GET", f"/status/{door.session_id}/events", *headers))


def _health(rng: random.Random, door: Door) -> _Made:
    name = rng.choice(("POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW"))
    suffix = rng.choice(("", "?" + _word(rng), "/", "/" + _word(rng)))
    return _Made(kind="method", data=_http(rng, door, name, f"/health{suffix}", body=rng.choice((b"", b"{}", b"\xff"))))


def _metrics(rng: random.Random, door: Door) -> _Made:
    others = tuple(token for name, token in door.tokens.items() if name != "metrics")
    headers = _credentials(rng, door, door.tokens["metrics"], others)
    return _Made(kind="stranger", data=_http(rng, door, "GET", f"/metrics?{_word(rng)}", *headers))


def slack_signature(secret: str, at: str, body: str) -> str:
    """As Slack signs."""
    return "v0=" + hmac.new(secret.encode(), f"v0:{at}:{body}".encode(), hashlib.sha256).hexdigest()


def _slack(rng: random.Random, door: Door) -> _Made:
    """What Slack did not sign, or not now, or not this."""
    now = int(time.time())
    body = rng.choice((
        interaction(rng, door), json.dumps({"type": "url_verification", "challenge": _word(rng)}),
        json.dumps({"type": "event_callback", "event": {"type": "app_mention", "text": _word(rng)}}),
        urlencode({"command": "/diagnose", "text": _word(rng), "user_id": "U0ANA00001", "trigger_id": _word(rng)}),
    ))  # fmt: skip
    right = slack_signature(door.signing_secret, str(now), body)
    at = rng.choice((now - rng.randint(320, 10**9), now + rng.randint(400, 10**9)))
    odd = rng.choice(("", "x" + str(now), f"{now}.0", f"+{now}", f"-{now}", f"{now}e0", hex(now), "9" * 12, "9" * 5_000,
                      "".join(chr(0x660 + int(each)) for each in str(now)), "0", "NaN", "\u00b2"))  # fmt: skip
    signed_odd = slack_signature(door.signing_secret, odd, body)
    choices: tuple[tuple[str, str, str], ...] = (
        (str(now), "", body), (str(now), slack_signature(_word(rng), str(now), body), body), (str(at), right, body),
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
    return _framing(rng, door, "/slack/events", interaction(rng, door).encode(), ("X-Slack-Signature", "v0=00"))


def _protocol(rng: random.Random, door: Door) -> _Made:
    """No HTTP, or hardly; without any credential, so that what is lenient in the protocol is refused behind it."""
    path = rng.choice(("/alerts/alertmanager", "/alerts/generic", "/diagnose", f"/approve/{door.session_id}", "/metrics"))
    word = _word(rng).encode()
    host = b"Host: " + door.host.encode()
    line = b"POST " + path.encode() + b" HTTP/1.1\r\n"
    raw = (
        rng.randbytes(rng.randint(1, 400)).replace(b"\n", b"\r") + b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + word,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + word, b"GET " + path.encode() + b"\r\n\r\n" + word, line + b"X: " + word + b"\r\n\r\n",
        line + host + b"\r\n" + host + word + b"\r\n\r\n", b"POST " + path.encode() + b" HTTP/9.9\r\n" + host + b"\r\nX:" + word + b"\r\n\r\n",
        b"POST " + path.encode() + b" HTTP/1.1.1\r\n" + host + b"\r\n\r\n" + word, line + host + b"\r\nX : " + word + b"\r\n\r\n",
        line + host + b"\r\nX: a\x00" + word + b"\r\n\r\n", line + host + b"\r\nX\xff: " + word + b"\r\n\r\n",
        line + host + b"\r\n" + word + b"\r\n\r\n", line + host + b"\r\n folded " + word + b"\r\n\r\n", line + host + b"\rX: " + word + b"\r\n\r\n",
        line + host + b"\r\nX: " + word * 8_000 + b"\r\n\r\n", line + host + b"".join(b"\r\nX-%d: " % n + word for n in range(400)) + b"\r\n\r\n",
        b"A" * 300 + word + b" " + path.encode() + b" HTTP/1.1\r\n" + host + b"\r\n\r\n", b"P\xc3\x96ST " + path.encode() + b" HTTP/1.1\r\n" + host + b"\r\n\r\n" + word,
        b"POST /\xc3\xa4" + word + b" HTTP/1.1\r\n" + host + b"\r\n\r\n", b"POST http://" + word + b"/ HTTP/1.1\r\n" + host + b"\r\n\r\n",
        b"POST " + word + b" HTTP/1.1\r\n" + host + b"\r\n\r\n", b"CONNECT " + word + b":443 HTTP/1.1\r\n" + host + b"\r\n\r\n",
        line + host + b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: " + word + b"\r\n\r\n",
        line + host + b"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: " + word + b"\r\n\r\n",
        line + host + b"\r\nExpect: 100-continue\r\nContent-Length: 9\r\nX: " + word + b"\r\n\r\n",
        line + host + b"\r\nExpect: 200-ok\r\nContent-Length: 0\r\nX: " + word + b"\r\n\r\n",
        line + host + b"\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nX: " + word + b"\r\n\r\n0\r\n\r\n",
    )  # fmt: skip
    chosen = rng.randrange(len(raw) + 2)
    if chosen == len(raw):
        return _Made(kind="cut", data=line + host + b"\r\nX: " + word, leaves=True)
    if chosen > len(raw):
        # The answer does not wait for the body; then the body turns out to be none.
        headers = b"\r\nTransfer-Encoding: chunked\r\nX: " + word + b"\r\n\r\n"
        return _Made(
            kind="late", data=line + host + headers, late=rng.choice((b"zz\r\n", b"-1\r\n", word + word + b"\r\n"))
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
    *_post("/approve/{session}", "decision", decision, "approve"),
    *_post("/approve/{session}", "decision", decision, "approve"),
    _typed_wrongly("/approve/{session}", decision, "approve"),
    _overlong_key("/approve/{session}", decision, "approve"),
)


def _elsewhere(rng: random.Random, door: Door) -> _Made:
    """A right decision, on a session that is not the request's."""
    ids = (
        "ses_" + _word(rng),
        door.session_id + "%00",
        "..",
        "%ff",
        "x" * rng.randint(300, 30_000),
        "x" * 100_000,
        "*",
    )
    body = json.dumps(decision(rng, door)).encode()
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
