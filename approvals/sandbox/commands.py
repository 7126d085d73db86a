"""The diagnostics that may be run, and nothing else. Pure: whether a program is installed, the sandbox says.

None of them prints the body of an answer, reads a file but the text it is given, or writes one; none takes another
configuration, server, credential or identity than it has.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from approvals.sandbox.grammar import Flag, Kind, NotAllowed, Operand, Program
from approvals.sandbox.port import GIVEN, MAX_GIVEN, Command, Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A command that may not be run."""

    reason: str
    """What would be allowed instead."""


def _choice(*words: str) -> Kind:
    return Kind(what=f"one of {', '.join(words)}", shape=re.compile("|".join(map(re.escape, words))))


def _number(lowest: int, highest: int) -> Kind:
    what = f"a number from {lowest} to {highest}"
    return Kind(what=what, shape=re.compile(r"(?P<number>[1-9][0-9]{0,8})"), numbers=(lowest, highest))


_HOST = r"(?P<host>[A-Za-z0-9_][A-Za-z0-9_.-]{0,252})"
_SIXTH = r"(?P<host6>[0-9A-Fa-f:][0-9A-Fa-f:.]{1,44})"
_PORT = r"(?P<number>[1-9][0-9]{0,4})"
_PORTS = (1, 65_535)

HOST = Kind(what="a host name or an address", shape=re.compile(f"{_HOST}|{_SIXTH}"))
PORT = Kind(what="a port", shape=re.compile(_PORT), numbers=_PORTS)
SERVER = Kind(what="@ and a name server", shape=re.compile(f"@(?:{_HOST}|{_SIXTH})"))
ENDPOINT = Kind(
    what="HOST:PORT, with an IPv6 address in brackets",
    shape=re.compile(rf"(?:{_HOST}|\[{_SIXTH}\]):{_PORT}"),
    numbers=_PORTS,
)
URL = Kind(
    what="an http or https URL of at most 512 characters without user and fragment",
    shape=re.compile(
        rf"(?=.{{1,512}}\Z)https?://(?:{_HOST}|\[{_SIXTH}\])(?::{_PORT})?(?:/[A-Za-z0-9._~/%:@!$&'()*+,;=?-]*)?"
    ),
    numbers=_PORTS,
)
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
NAME = Kind(what="a DNS name", shape=re.compile(rf"(?=.{{1,254}}\Z){_LABEL}(?:\.{_LABEL})*\.?"))
RECORD = _choice("A", "AAAA", "ANY", "CAA", "CNAME", "DNSKEY", "DS", "MX", "NS", "PTR", "SOA", "SRV", "TXT")

CERTIFICATES = re.compile(
    r"(?:-----BEGIN CERTIFICATE-----\r?\n[A-Za-z0-9+/=\r\n]+-----END CERTIFICATE-----(?:\r?\n)*)+"
)
_TIMES = (
    "status=%{http_code} address=%{remote_ip} lookup=%{time_namelookup}s connect=%{time_connect}s "
    "tls=%{time_appconnect}s first_byte=%{time_starttransfer}s total=%{time_total}s\\n"
)
_FAMILY = {"-4": Flag(), "-6": Flag()}

PROGRAMS = (
    Program(
        words=("dig",),
        about="what name servers say of a name",
        fixed=("-r", "+time=3", "+tries=2"),
        flags={"+short": Flag(), "+trace": Flag(), "+tcp": Flag(), "+dnssec": Flag(), **_FAMILY},
        operands=(
            Operand(kind=SERVER, optional=True),
            Operand(kind=NAME, flag="-q"),
            Operand(kind=RECORD, flag="-t", optional=True),
        ),
    ),
    Program(
        words=("getent",),
        about="what this machine's own resolver says of a name or an address",
        operands=(Operand(kind=_choice("ahosts", "ahostsv4", "ahostsv6", "hosts")), Operand(kind=HOST)),
        separator=True,
    ),
    Program(
        words=("curl",),
        about="the head of an HTTP answer, and how long each part of it took",
        fixed=("-q", "--head", "--silent", "--show-error", "--globoff", "--proto", "=http,https", "-w", _TIMES),
        flags={
            "--max-time": Flag(kind=_number(1, 30), default="10"),
            "--connect-timeout": Flag(kind=_number(1, 30), default="5"),
            "--insecure": Flag(),
            "--http1.1": Flag(),
            "--http2": Flag(),
            **_FAMILY,
        },
        operands=(Operand(kind=URL),),
        separator=True,
        limits=Limits(wall_s=35.0),
    ),
    Program(
        words=("openssl", "s_client"),
        about="a TLS handshake: certificates, version, what does not verify",
        flags={
            "-connect": Flag(kind=ENDPOINT, required=True),
            "-servername": Flag(kind=NAME),
            "-starttls": Flag(kind=_choice("ftp", "imap", "ldap", "mysql", "pop3", "postgres", "smtp", "xmpp")),
            "-showcerts": Flag(),
            "-status": Flag(),
            "-brief": Flag(),
            "-tls1_2": Flag(),
            "-tls1_3": Flag(),
            **_FAMILY,
        },
    ),
    Program(
        words=("openssl", "x509"),
        about="what is in a certificate that is given as text",
        fixed=("-in", GIVEN, "-noout"),
        flags={
            **{name: Flag() for name in ("-text", "-subject", "-issuer", "-dates", "-serial", "-fingerprint")},
            "-ext": Flag(kind=_choice("basicConstraints", "extendedKeyUsage", "keyUsage", "subjectAltName")),
            "-checkend": Flag(kind=_number(1, 315_360_000)),
            "-checkhost": Flag(kind=NAME),
        },
        network=False,
        given=CERTIFICATES,
    ),
    Program(
        words=("nc",),
        about="whether a TCP port can be reached",
        fixed=("-z", "-v"),
        flags={"-w": Flag(kind=_number(1, 15), default="5"), **_FAMILY},
        operands=(Operand(kind=HOST), Operand(kind=PORT)),
        separator=True,
        limits=Limits(wall_s=35.0),
    ),
    Program(
        words=("ping",),
        about="whether a host answers, and how fast",
        fixed=("-n",),
        flags={"-c": Flag(kind=_number(1, 10), default="4"), "-W": Flag(kind=_number(1, 10), default="2"), **_FAMILY},
        operands=(Operand(kind=HOST),),
        separator=True,
        limits=Limits(wall_s=25.0),
    ),
    Program(
        words=("tracepath",),
        about="the way to a host, and where packets become smaller",
        fixed=("-n",),
        flags={"-m": Flag(kind=_number(1, 30), default="15"), **_FAMILY},
        operands=(Operand(kind=HOST),),
        separator=True,
        limits=Limits(wall_s=60.0),
    ),
)
"""All that may be run."""


def allowed(argv: Sequence[str], *, run_id: str, given: str | None = None) -> Command | Refusal:
    """The command that these arguments ask for, as it would be run: show this one to whoever approves.

    `given` is the text that it reads, in the shape that its program wants.
    """
    program = next((each for each in PROGRAMS if tuple(argv[: len(each.words)]) == each.words), None)
    if program is None:
        known = "; ".join(f"{' '.join(each.words)}: {each.about}" for each in PROGRAMS)
        return Refusal(reason=f"{' '.join(argv[:2])!r} is not among the diagnostics: {known}")
    try:
        arguments, hosts = program.read(argv[len(program.words) :])
    except NotAllowed as e:
        return Refusal(reason=str(e))
    if program.given is None:
        if given is not None:
            return Refusal(reason=f"{' '.join(program.words)} reads no text")
    elif given is None or len(given) > MAX_GIVEN or not program.given.fullmatch(given):
        return Refusal(reason=f"{' '.join(program.words)} needs certificates in PEM as its text, and nothing else")
    return Command(
        run_id=run_id,
        argv=(program.path, *arguments),
        given=given,
        network=program.network,
        hosts=tuple(dict.fromkeys(hosts)),
        limits=program.limits,
    )
