"""What a value itself says: a placeholder, a plain word, or something that only a generator writes. Pure."""

import math
import re
from collections import Counter

_NOTHING = frozenset(
    [
        "true",
        "false",
        "null",
        "none",
        "nil",
        "undefined",
        "yes",
        "no",
        "on",
        "off",
        "empty",
        "required",
        "missing",
        "invalid",
        "expired",
        "unset",
        "unknown",
        "default",
        "redacted",
        "hidden",
        "masked",
        "omitted",
        "removed",
        "enabled",
        "disabled",
        "string",
        "str",
        "int",
        "bool",
        "boolean",
        "object",
        "bytes",
        "optional",
        "any",
        "not",
        "is",
        "was",
        "has",
        "for",
        "from",
        "must",
        "cannot",
        "could",
        "failed",
        "error",
        "ok",
        "must",
        "and",
        "the",
        "with",
        "in",
        "of",
        "to",
        "be",
    ]
)
_PLACEHOLDER = re.compile(
    # A reference to a variable, a template, a blank to fill in, a format, dots, a mask.
    r"\$[A-Za-z_]\w*$|\$\d$|\$?\{[^{}\n]*\}?$|\$\([^\n]*\)?$|\$?\{\{.*|<[^<>@\n]+>?$|\[[^\[\]\n]*\]$|%[A-Za-z_]+%$|%[-#+]?[svdqwx]$"
    r"|[.*•…]+$|([xX*#-])\1{3,}$|\((?:null|nil|none|empty|redacted|hidden)\)$|REDACTED|CHANGE_?ME$|\x00"
    # A reference into a store of secrets, a file that holds it.
    r"|(?:op|vault|awssm|gcpsm|secretsmanager|keyvault|ssm|sops|ref|env|file)(?::|\+)\S*$"
    r"|(?:[A-Za-z]:)?(?:\.{0,2}[/\\][\w.@-]+){2,}[/\\]?$",
    re.DOTALL,
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
_DIGEST = re.compile(r"(?:sha\d{1,3}|md5|blake\w*|h1)\W", re.IGNORECASE)
_IDENTIFIER = re.compile(r"(?:(?:ses|inc|ev|fi|lease|approval)[_-][\w-]+|[0-9a-f]{40,128})$", re.IGNORECASE)
_STATUS = frozenset(
    [
        "unauthorized",
        "unauthorised",
        "unauthenticated",
        "forbidden",
        "incorrect",
        "wrong",
        "denied",
        "rejected",
        "revoked",
        "refused",
        "malformed",
        "mismatch",
        "mismatched",
        "valid",
        "present",
        "absent",
        "ignored",
        "unsupported",
        "deprecated",
        "blank",
        "changed",
        "accepted",
    ]
)
_CAPITALISED = re.compile(r"(?:[A-Z][a-z]+)+$")
_RUN = re.compile(r"[A-Za-z0-9+]{16,}")
_DIGIT = re.compile(r"\d")
_CHANGE = re.compile(r"[a-z](?=[A-Z])|[A-Z](?=[a-z])")
_LETTER = re.compile(r"[A-Za-z]")
_AROUND = "'\"`.,:;!?()[]{}<>"
_UNJOINED = str.maketrans("", "", "-")


def is_placeholder(value: str) -> bool:
    """Whether the value only stands for one: nobody's secret."""
    return not value or value.lower() in _NOTHING or _PLACEHOLDER.match(value) is not None


def is_random(value: str) -> bool:
    """Whether only a generator would write it: a long run of mixed letters and digits; no digest and no UUID."""
    if _DIGEST.match(value) or _UUID.match(value):
        return False
    return any(_mixed(run) for run in _RUN.findall(value))


def is_identifier(value: str) -> bool:
    """Whether it names something: a digest, an identifier that Locum itself makes."""
    return _IDENTIFIER.match(value) is not None


def is_verdict(value: str, *, sure: bool) -> bool:
    """Whether a line says what is the matter with a secret, `token: Unauthorized`, rather than the secret.

    Unless the name makes it `sure`, any words of capitals and small letters are taken for the name of an error.
    """
    return value.lower() in _STATUS or (not sure and _CAPITALISED.match(value) is not None)


def is_made_up(value: str) -> bool:
    """Less than random: long, of letters and digits in one piece or several, and no sentence."""
    return len(value) >= 12 and bool(_DIGIT.search(value)) and (bool(_LETTER.search(value)) or value.isdigit())


def is_worded(value: str) -> bool:
    """Whether it may be a word or a name of a sentence, rather than something made up to be hard to guess."""
    return len(value) < 24 and value.strip(_AROUND).translate(_UNJOINED).isalpha()


def _mixed(run: str) -> bool:
    if not _LETTER.search(run) or entropy(run) < 2.8:
        return False
    # Words in camel case change case between words; generators, anywhere.
    return bool(_DIGIT.search(run)) or 3 * len(_CHANGE.findall(run)) >= len(run)


def entropy(text: str) -> float:
    """Bits of each character, by how often the characters occur in `text` itself."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())
