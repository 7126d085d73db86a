"""What the name of a setting says about its value. Pure."""

import re
from enum import Enum
from functools import lru_cache
from string import digits

from tools.redacting.marks import Kind


class Strength(Enum):
    """How sure a name makes it that the value is a secret."""

    NONE = 0
    FAINT = 1
    """It rarely is one: the value has to look random, and like no digest and no identifier."""
    WEAK = 2
    """It may be one: the value has to look random as well."""
    STRONG = 3
    PASSWORD = 4
    """Strong, and even a plain word or a number is one."""

    @property
    def asks_more(self) -> bool:
        """Whether the name alone does not do."""
        return self in _UNSURE


_UNSURE = frozenset((Strength.FAINT, Strength.WEAK))
_PASSWORD = re.compile(r"(?:password|passwd|passphrase|passcode|pwd|pw|pass)$")
_STRONG = re.compile(
    r"(?:secret|token|bearer|jwt|credentials?|psk"
    r"|(?:api|app|access|account|auth|encrypt(?:ion)?|signing|sign|master|private|priv|secret|shared|sharedaccess"
    r"|storage|service|server|client|license|deploy|admin|session|symmetric|preshared|hmac|crypto|aes|ssh|pgp|gpg"
    r"|subscription|integration|ingest|write|webhook|routing|bot|user|project|sdk|ibm|iam|cloud|dev|live|prod)key"
    r"|(?:o|basic|http|proxy)auth|(?:proxy)?authorization|apitokens|connectionstring|connstr"
    r"|(?:set)?cookies?|sas|sharedaccesssignature|dockercfg|dockerconfigjson|ntlmhash|passwordhash|securestring)$"
)
_WEAK = re.compile(
    r"(?:keys?|api|access|auth|client|clientid|secrets|tokens|passwords|signature|sig|salt|seed|sid|session|sessionid"
    r"|otp|totp|pin|cert|webhook|webhookurl|credential|license|cred|creds)$"
)
_FAINT = re.compile(r"(?:hash|nonce|uid|(?:^|[._$-])(?:keys?|session(?:[_-]id)?))$")
"""Bare ones above all: under `key` and `session_id` stand identifiers far more often than credentials."""
_PLAIN = re.compile(
    r"(?:next|page|pagination|continue|continuation|cancellation|cancel|resume|sync|eos|bos|pad|unk|mask|stop|sep|cls"
    r"|start|end|unexpected|invalid|max|min|num|eof)tokens?$"
    r"|(?:cache|partition|primary|foreign|sort|group|row|idempotency|dedup|public|object|index|map|lookup|shard|hash"
    r"|registry|config|resource|metric|label|host|known|order|event|log|document|record|s3|bucket|file|unique|field"
    r"|column|item|storage|trace|span|message|correlation|pod|job|work|queue|workqueue|node|translation|locale|trust"
    r"|annotation|pub)keys?$"
    r"|(?:by|com|sur|tres|over|under|encom|im|un|mid|two|one|first|second|third|last|final|single|multi|low|high|band)pass$"
    r"|(?:pod|node|container|object|owner|involvedobject|user|effective|real|template|build|git|commit|content|image"
    r"|file|config|spec|controllerrevision)(?:hash|uid)$"
)
_QUALIFIERS = frozenset(
    [
        "value",
        "val",
        "string",
        "str",
        "text",
        "prod",
        "production",
        "dev",
        "test",
        "staging",
        "stage",
        "old",
        "new",
        "current",
        "previous",
        "base",
        "b",
        "encoded",
        "data",
        "raw",
        "plain",
        "plaintext",
        "hex",
        "env",
        "var",
        "primary",
        "secondary",
        "backup",
        "default",
        "v",
    ]
)
"""Words behind the one that counts, without digits: `base` is also that of `base64`."""
_ENDINGS = _QUALIFIERS | {""}
_AROUND = "_.-$"
_WORDS = re.compile(r"[_.\-$]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LAST = (
    "pass",
    "passwd",
    "password",
    "passphrase",
    "passcode",
    "pwd",
    "pw",
    "secret",
    "secrets",
    "token",
    "tokens",
    "bearer",
    "jwt",
    "credential",
    "credentials",
    "cred",
    "creds",
    "psk",
    "key",
    "keys",
    "auth",
    "authorization",
    "connectionstring",
    "connstr",
    "cookie",
    "cookies",
    "sas",
    "signature",
    "sig",
    "dockercfg",
    "dockerconfigjson",
    "hash",
    "securestring",
    "api",
    "access",
    "client",
    "clientid",
    "passwords",
    "salt",
    "seed",
    "sid",
    "session",
    "sessionid",
    "otp",
    "totp",
    "pin",
    "cert",
    "webhook",
    "webhookurl",
    "nonce",
    "license",
    "uid",
)
"""How any telling name ends: most names do not, and this is the faster question."""


@lru_cache(maxsize=8192)
def strength(name: str) -> Strength:
    """What `name` says; `name` is an identifier in any usual case, with or without a path before it."""
    lower = name.lower()
    told = _judged(lower)
    if lower == name or told is Strength.PASSWORD:
        return told
    # Some write without any care for case.
    apart = _judged(_CAMEL.sub("_", name).lower())
    return apart if apart is Strength.FAINT else max(told, apart, key=lambda told: told.value)


def _judged(spelled: str) -> Strength:
    # Only what it ends in counts: a token's type, count or name is no secret.
    words = _WORDS.split(spelled)
    while len(words) > 1 and words[-1].rstrip(digits) in _ENDINGS:
        words.pop()
    words[-1] = words[-1].rstrip(digits)
    joined = "".join(words)
    if not joined.endswith(_LAST) or _PLAIN.search(joined):
        return Strength.NONE
    if _PASSWORD.search(joined):
        return Strength.PASSWORD
    if _STRONG.search(joined):
        return Strength.STRONG
    if _FAINT.search("_".join(words)):
        return Strength.FAINT
    return Strength.WEAK if _WEAK.search(joined) else Strength.NONE


def header(name: str) -> Kind | None:
    """What a header of this name holds, when it is one of those whose whole value is a secret."""
    bare = name.lower().rstrip(_AROUND)
    if bare.endswith("authorization"):
        return Kind.AUTHORIZATION
    return Kind.COOKIE if bare.endswith(("cookie", "cookies")) else None
