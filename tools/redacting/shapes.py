"""Secrets that have a shape of their own wherever they stand: key blocks, tokens, passwords in URLs, hashes. Pure."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from tools.redacting.looks import is_placeholder, is_random
from tools.redacting.marks import Kind, Span


def _always(_: str) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One shape: only a text that holds one of `signs` is searched for it."""

    kind: Kind
    signs: Sequence[str]
    """In lower case when `form` does not mind the case."""
    form: str
    """The secret is the group named `secret`, or the whole."""
    holds: Callable[[str], bool] = _always
    behind: str = ""
    """What must end in the `_BEFORE` characters before a match; looked for from there, so that no search wanders."""


_BEFORE = 80


_BLANKS = frozenset(("password", "pass", "pwd", "secret", "token", "user"))
"""Words that stand for a value in examples."""
_PADDING = "=="
"""Padding of Base64 that is too long does no harm; one that is missing does."""


def _real(value: str) -> bool:
    return not is_placeholder(value) and value.lower() not in _BLANKS


def _pair(value: str) -> bool:
    """Whether it is `user:password` in Base64, as of basic authentication."""
    try:
        return b":" in base64.b64decode(value + _PADDING)
    except binascii.Error:
        return False


_BOUND = r"(?<![A-Za-z0-9])"
_STORES = (
    r"(?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|valkey|amqps?|mssql|sqlserver|clickhouse"
    r"|cockroachdb|oracle|nats|ldaps?|smtps?|ftps?|sftp)"
)

_PLACES = (
    Shape(
        kind=Kind.PRIVATE_KEY,
        signs=("PRIVATE KEY",),
        form=(
            r"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}(?P<secret>[\s\S]*?)"
            r"(?:(?=-{4,5} ?END [A-Z0-9 ]{0,40}PRIVATE KEY)|\Z)"
        ),
        holds=lambda body: len(body.strip()) > 8,
    ),
    Shape(
        kind=Kind.PRIVATE_KEY,
        signs=("Private-Lines:",),
        form=(r"Private-Lines: ?\d{1,4}(?P<secret>[\s\S]*?)(?:(?=Private-(?:MAC|Hash):)|\Z)"),
        holds=lambda body: bool(body.strip()),
    ),
    Shape(kind=Kind.PRIVATE_KEY, signs=("AGE-SECRET-KEY-",), form=(r"AGE-SECRET-KEY-(?:PQ-)?1[A-Z0-9]{10,}")),
    Shape(
        kind=Kind.JWT,
        signs=("eyJ",),
        form=(_BOUND + r"eyJ[\w=-]+\.[\w=-]+(?:\.[\w.+/=-]*[\w+/=-])?"),
    ),
    Shape(
        kind=Kind.URL_PASSWORD,
        signs=("://",),
        form=(r"://[^\s/@:'\"\x00]{0,256}:(?P<secret>[^\s/@'\"\x00]{1,512})@"),
        holds=_real,
    ),
    Shape(
        # What stands for a whole credential may be the user as well.
        kind=Kind.URL_PASSWORD,
        signs=("://",),
        form=(r"://(?P<secret>[^\s/@:'\"\x00?#]{16,512})(?::x-oauth-basic)?@"),
        holds=is_random,
    ),
    Shape(
        # A password that nobody escaped: databases' addresses go on to the last `@`.
        kind=Kind.URL_PASSWORD,
        signs=("://",),
        form=(
            _STORES + r"(?:\+[\w-]{1,30})?://[^\s/@:'\"\x00]{0,64}+:"
            r"(?P<secret>[^\s@'\"\x00<>]{1,96}+(?:@[^\s@'\"\x00<>]{0,96}+(?=@)){0,4})@(?=[\w.\[-])"
        ),
        holds=_real,
    ),
    Shape(
        kind=Kind.URL_PASSWORD,
        signs=("jdbc:oracle:",),
        form=(r"(?i:jdbc:oracle:\w{1,10}:)[\w$#-]{1,128}/(?P<secret>[^\s/@'\"\x00]{1,256})@"),
        holds=_real,
    ),
    Shape(
        kind=Kind.AUTHORIZATION,
        signs=("bearer ", "bearer%20"),
        form=(r"(?i)\bbearer(?: |%20)+(?P<secret>[\w.~+/=|-]{8,})"),
        holds=lambda value: is_random(value) or (any(map(str.isdigit, value)) and any(map(str.isalpha, value))),
    ),
    Shape(
        kind=Kind.AUTHORIZATION,
        signs=("basic ", "basic%20"),
        form=(r"(?i)\bbasic(?: |%20)+(?P<secret>[A-Za-z0-9+/]{8,}={0,2})"),
        holds=_pair,
    ),
    Shape(
        kind=Kind.HASH,
        signs=("$", "scram-sha-"),
        form=(
            r"\$(?:[156y]|2[abxy]?|apr1|md5|argon2(?:id?|d)|scrypt|pbkdf2[\w-]{0,20}|gy|7)\$[\w./=,$+-]{8,}[\w./=+-]"
            r"|SCRAM-SHA-(?:1|256)\$\d{1,8}:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=:]+"
        ),
    ),
    Shape(
        kind=Kind.ASSIGNMENT,
        signs=("login ",),
        form=(r"\blogin[ \t]{1,20}\S{1,128}\s{1,40}password[ \t]{1,20}(?P<secret>[^\s\x00]{3,256})"),
        holds=_real,
    ),
    Shape(
        # PostgreSQL's file of passwords: host, port, database, user.
        kind=Kind.ASSIGNMENT,
        signs=(":5432:", ":5433:", ":6432:", ":*:"),
        form=r"(?m)^[\w.*-]{1,128}:(?:\d{4,5}|\*):[\w*-]{1,64}:[\w*-]{1,64}:(?P<secret>[^\s:\x00]{3,256})$",
        holds=_real,
    ),
    Shape(
        kind=Kind.ASSIGNMENT,
        signs=("identified ", " password '"),
        form=(
            r"(?i)(?:\bidentified (?:with [\w'\"]{1,64} )?(?:by|as)(?: password)?|\bpassword) ?(?P<quote>['\"])"
            r"(?P<secret>[^'\"\x00\n]{3,512})(?P=quote)"
        ),
        holds=_real,
    ),
    Shape(
        kind=Kind.ASSIGNMENT,
        signs=("curl", "wget", "http "),
        form=(
            r"(?<=[\s'\"])(?:-u|--user|--proxy-user|-U)(?:=|[ \t]{0,5})(?P<quote>['\"]?)[^\s'\":\x00]{0,128}['\"]?:"
            r"(?P<secret>['\"]?[^\s'\"\x00]{3,256})"
        ),
        holds=lambda value: _real(value.strip("'\"")) and not value.strip("'\"").startswith(("$", "{", "<", "[", "//")),
    ),
    Shape(
        kind=Kind.ASSIGNMENT,
        signs=("mysql", "mariadb", "sshpass", "redis-cli", "valkey-cli", "mongo"),
        form=r"\s(?:-p ?|-a ?|--pass )(?P<secret>['\"]?[^\s'\"\x00-][^\s'\"\x00]{3,256})",
        behind=(
            r"(?<![\w-])(?:mysql\w{0,10}|mariadb[\w-]{0,10}|sshpass|redis-cli|valkey-cli|mongo\w{0,10})(?![\w-])"
            r"[^\n|;&\x00]{0,48}+\Z"
        ),
        holds=lambda value: _real(value.strip("'\"")) and not value.isdigit(),
    ),
)


def _made_up(value: str) -> bool:
    """Whether it has a digit, or capitals as no words have them."""
    capitals = sum(map(str.isupper, value))
    return any(map(str.isdigit, value)) or (capitals > len(value) / 4 and len(value) - capitals > 8)


_PREFIXED = (
    # What the library asks more of than a detector of leaks should: a second half, a border, a case.
    (("AKIA", "ASIA", "ABIA", "ACCA", "A3T"), r"(?<![A-Z0-9])(?:A3T[A-Z0-9]|A[KSB]IA|ACCA)[A-Z0-9]{16}"),
    (("gl", "GR1348941"), r"(?<![A-Za-z0-9])(?:gl[a-z]{1,8}-|GR1348941)[\w-]{20,}"),
    (("gh",), r"(?<![A-Za-z0-9])(?:gh[a-z]_|github_pat_)\w{36,}"),
    (("xox", "xapp-"), r"(?i)(?<![a-z0-9])(?:xox[a-z]|xapp)-(?:\d{1,20}-){1,4}[a-z0-9]{1,200}"),
    (("hooks.slack.com/",), r"(?i)hooks\.slack\.com/(?:services|workflows|triggers)/(?P<secret>[\w/+-]+)"),
    (("/api/webhooks/",), r"(?i)discord(?:app)?\.com/api/webhooks/(?P<secret>[\w/-]+)"),
    (("webhook.office.com/",), r"(?i)webhook\.office\.com/webhookb2/(?P<secret>[\w@/-]+)"),
    (("whsec_",), r"(?<![A-Za-z0-9])whsec_[\w+/=]{20,}"),
    (("sk-",), r"(?<![A-Za-z0-9])sk-(?:[\w-]{0,40}-)?[A-Za-z0-9_-]{20,}"),
    (("k_live_", "k_test_"), r"(?<![A-Za-z0-9])[a-z]{2}_(?:live|test)_[0-9A-Za-z]{16,}"),
    (("pypi-Ag",), r"pypi-Ag[\w-]{40,}"),
    (
        ("npm_", "hf_", "api_org_", "dckr_", "shp", "lin_", "key-"),
        r"[nahdslk](?<![A-Za-z0-9][nahdsl])(?<![A-Za-z0-9-]k)(?:(?<=n)pm_|(?<=h)f_|(?<=a)pi_org_|(?<=d)ckr_pat_"
        r"|(?<=s)hp[a-z]{2}_|(?<=l)in_[a-z]{2,6}_|(?<=k)ey-(?=[0-9a-z]{32}(?![0-9a-z])))[\w-]{20,}",
    ),
    (("sq0",), r"sq0[a-z]{3}-[\w\\-]{22,}"),
    (("SG.",), r"(?<![A-Za-z0-9])SG\.[\w-]{16,64}\.[\w-]{16,64}"),
    (("AIza", "ya29.", "GOCSPX-"), r"(?<![A-Za-z0-9])(?:AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,})"),
    (("AC", "SK"), r"[AS](?<![A-Za-z0-9][AS])(?:(?<=A)C|(?<=S)K)[0-9a-z]{32}(?![0-9A-Za-z])"),
    (("AKC", "AP"), r"(?<![^\s=:\"'])(?:AKC[A-Za-z0-9]{10,}|AP[0-9A-F][A-Za-z0-9]{8,})(?![^\s\"',;)])"),
    (("-us",), r"(?<![0-9a-z])[0-9a-z]{32}-us\d{1,2}(?!\w)"),
    ((":",), r":(?<=[0-9]{8}:)(?P<secret>[A-Za-z0-9_-]{35})(?![\w-])"),
    ((".",), r"[MNO](?<![\w-][MNO])[\w-]{23,25}\.[\w-]{6}\.[\w-]{27,38}(?![\w-])"),
    (("softlayer",), r"(?i)softlayer.com/soap/v3(?:.1)?/(?P<secret>[a-z0-9]{64})"),
)
"""Tokens whose beginning or form tells: what must stand in a text with one, and its expression."""
SHAPES = (
    *_PLACES,
    Shape(
        kind=Kind.TOKEN,
        signs=("aws",),
        form=r"['\"](?P<secret>[0-9A-Za-z/+]{40})['\"]",
        behind=r"(?i)aws.{0,20}(?:key|pwd|pw|pass|token).{0,24}\Z",
        holds=_made_up,
    ),
    *(
        Shape(kind=Kind.TOKEN, signs=signs, form=form, holds=_always if "AKIA" in signs else _made_up)
        for signs, form in _PREFIXED
    ),
)


def shapes(text: str) -> Iterator[Span]:
    """Where secrets of these shapes stand."""
    lower = text.lower()
    for shape in SHAPES:
        if _occurs(shape.signs, text, lower):
            form = compiled(shape.form)
            secret = form.groupindex.get("secret", 0)
            for found in form.finditer(text):
                start, end = found.span(secret)
                if shape.holds(found[secret]) and _is_behind(shape.behind, text, found.start()):
                    yield Span(start, end, shape.kind)
    yield from _tails(text)


def _is_behind(form: str, text: str, at: int) -> bool:
    return not form or compiled(form).search(text, max(0, at - _BEFORE), at) is not None


@cache
def compiled(form: str) -> re.Pattern[str]:
    """Compiled when a text first needs it: all of them together would slow each start."""
    return re.compile(form)


def _occurs(signs: Sequence[str], text: str, lower: str) -> bool:
    # No generator expression: this is asked thirty times of each text. One in lower case also finds itself as it is.
    for sign, folds in _folding(signs):  # noqa: SIM110
        if sign in (lower if folds else text):
            return True
    return False


@cache
def _folding(signs: Sequence[str]) -> Sequence[tuple[str, bool]]:
    return tuple((sign, sign.islower()) for sign in signs)


_END = re.compile(r"-{4,5} ?END [A-Z0-9 ]{0,40}PRIVATE KEY")
_KEY_TEXT = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\\\r\n"


def _tails(text: str) -> Iterator[Span]:
    """Key blocks whose beginning was cut away, as at the start of a log's tail."""
    if "PRIVATE KEY" not in text:
        return
    for found in _END.finditer(text):
        before = text[max(0, found.start() - 16_384) : found.start()]
        body = before[len(before.rstrip(_KEY_TEXT)) :]
        if len(body.strip()) > 8:
            yield Span(found.start() - len(body), found.start(), Kind.PRIVATE_KEY)
