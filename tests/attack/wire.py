"""Requests that are hardly HTTP: lengths and chunks that lie, lines that are none, connections that end too early."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from tests.attack.bodies import word


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
class Made:
    """One request, and what is wrong with it."""

    kind: str
    data: bytes
    late: bytes = b""
    leaves: bool = False


def http(
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


def framing(rng: random.Random, door: Door, path: str, good: bytes, proof: tuple[str, str]) -> Made:
    """A body that is not as long, or not as chunked, as it says."""
    start = http(rng, door, "POST", path, ("Content-Type", "application/json"), proof)[:-2]
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
        return Made(kind="slow", data=start + b"Content-Length: 99\r\n\r\n" + good[:20])
    match rng.randrange(6):
        case 0:
            return Made(
                kind="cut", data=start + f"Content-Length: {len(good) + 9}\r\n\r\n".encode() + good, leaves=True
            )
        case 1:
            return Made(kind="cut", data=chunked + size + good[: len(good) // 2], leaves=True)
        case 2:
            return Made(kind="chunks", data=chunked + rng.choice(lies))
        case 3:
            return Made(kind="chunks", data=chunked + size + good + b"\r\n" + rng.choice(lies))
        case 4:
            return Made(kind="length", data=start + b"Content-Length: " + rng.choice(lengths) + b"\r\n\r\n" + good)
        case _:
            return Made(kind="coding", data=start + b"Transfer-Encoding: " + rng.choice(codings) + b"\r\n\r\n" + good)


def protocol(rng: random.Random, door: Door) -> Made:
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
        return Made(kind="cut", data=line + host + b"\r\nX: " + own, leaves=True)
    if chosen > len(raw):
        # The answer does not wait for the body; then the body turns out to be none.
        headers = b"\r\nTransfer-Encoding: chunked\r\nX: " + own + b"\r\n\r\n"
        return Made(
            kind="late", data=line + host + headers, late=rng.choice((b"zz\r\n", b"-1\r\n", own + own + b"\r\n"))
        )
    return Made(kind="protocol", data=raw[chosen])
