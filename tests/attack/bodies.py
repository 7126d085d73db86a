"""Bodies that no door of Locum may take, each made of a valid one and one thing that is wrong with it."""

import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

Json = dict[str, Any]


def word(rng: random.Random) -> str:
    """Some characters that nobody has seen before."""
    return f"{rng.getrandbits(48):012x}"


def alertmanager(rng: random.Random) -> Json:
    """What Alertmanager sends."""
    labels = {"alertname": word(rng), "namespace": word(rng), "severity": "critical"}
    item = {"status": "firing", "labels": labels, "annotations": {"summary": word(rng)},
            "startsAt": "2026-03-14T10:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": word(rng)}  # fmt: skip
    return {"version": "4", "groupKey": word(rng), "truncatedAlerts": 0, "alerts": [item]}


def generic(rng: random.Random) -> Json:
    """What anything else sends."""
    return {"alerts": [{"name": word(rng), "status": "firing", "labels": {"host": word(rng)}}]}


def question(rng: random.Random) -> Json:
    """What a program asks."""
    return {"problem": f"why is {word(rng)} slow", "environment": "production", "context": {"team": word(rng)}}


def decision(rng: random.Random, request_id: str) -> Json:
    """What a program decides."""
    return {"approved": True, "request_id": request_id, "reason": word(rng)}


def interaction(rng: random.Random, request_id: str) -> str:
    """A click on Approve, as Slack would post it."""
    action = {"action_id": "locum_approve", "value": request_id, "action_ts": f"{rng.randint(1, 10**9)}.0001"}
    payload = {"type": "block_actions", "user": {"id": "U0ANA00001"}, "actions": [action], "trigger_id": word(rng)}
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
        (("alerts", "0", "startsAt"), ("yesterday", "", 0, None, "2026-13-01T00:00:00Z",
        "\u0968\u0966\u0968\u096c-03-14T10:00:00Z",
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
        return json.dumps({"labels": {"host": word(rng)}}).encode()
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
        ".5", "1_000", "\uff11", "True", "None", "undefined", "'x'", "`x`",
        '"\t"', '"\\x41"', '"\\u12"', f'"\\u{half}"',
        f'["\\u{half}x"]', '{"a":1,"a":2}', '{"a":{"b":1,"b":1}}', "{a:1}", '[1,]', '{"a":1,}', "/* */1", "",
        "[" * depth, "[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth,
    )  # fmt: skip
    text = json.dumps(doc)
    return f'{{"zz{word(rng)}": {rng.choice(bad)}, {text[1:]}'.encode()


def _edge(rng: random.Random, schema: str, doc: Json) -> bytes:
    """Nested just as deeply as a parser bears, with a surrogate pair, where something else looks once more."""
    depth = rng.randint(300, 1_000)
    nested = "[" * depth + f'"\\ud83d\\ude00{word(rng)}"' + "]" * depth
    if schema in ("alertmanager", "generic"):
        return json.dumps({**doc, "alerts": ["@"]}).replace('"@"', nested).encode()
    return json.dumps({**doc, "unknown": "@"}).replace('"@"', nested).encode()


def _twice(rng: random.Random, _: str, doc: Json) -> bytes:
    key = rng.choice(list(doc))
    return f'{{"{key}": {json.dumps(doc[key])}, {json.dumps(doc)[1:]}'.encode()


def _other(rng: random.Random, _: str, doc: Json) -> bytes:
    """Not an object, or not JSON at all."""
    own = word(rng)
    text = json.dumps(doc)
    bad = (
        json.dumps([doc]), json.dumps(text), f'"{own}"', str(rng.random()), "null", "true", "",
        " " * rng.randint(1, 99),
        f"<a>{own}</a>", f"problem={own}", f"--{own}\r\n\r\n{text}\r\n--{own}--", f"- {own}: 1", "\ufeff" + text,
        text.replace('"', "'"), text[1:], repr(doc) + "\n#", f"while(1);{text}", f")]}}',\n{text}",
    )  # fmt: skip
    chosen = rng.choice(bad)
    return chosen.encode(rng.choice(("utf-8", "utf-8", "utf-8", "utf-16-le", "utf-16", "utf-32")))


BODIES: tuple[Callable[[random.Random, str, Json], bytes], ...] = (
    _typed, _typed, _typed, _missing, _cut, _more, _bytes, _member, _member, _edge, _twice, _other,
)  # fmt: skip
