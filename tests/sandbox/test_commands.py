"""What the grammar of diagnostics lets through, and that it lets nothing else through."""

import contextlib
import ipaddress
import re
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from hypothesis import example, given, settings
from hypothesis import strategies as st

from approvals.sandbox.bubblewrap import Bubblewrap
from approvals.sandbox.commands import PROGRAMS, Refusal, allowed
from approvals.sandbox.hosts import why_not
from approvals.sandbox.port import GIVEN, Command, Ended
from tests.servers import free_port, need

PEM = "-----BEGIN CERTIFICATE-----\nQUJD\nREVG\n-----END CERTIFICATE-----\n"
WORDS = sorted(
    {word for program in PROGRAMS for word in (*program.words, *program.fixed, *program.flags)}
    | {"example.org", "192.0.2.1", "@192.0.2.53", "443", "5", "MX", "ahosts", "subjectAltName", "smtp", "--"}
    | {"example.org:443", "[2001:db8::1]:443", "https://example.org/health?x=1", "https://example.org:8443"}
)
HOSTILE = [
    "-o", "--output", "-K", "--config", "-d", "@/etc/passwd", "-T", "-e", "/bin/sh", "-f", "-k", "--proxy", "-x",
    "-H", "--max-time=5", "-m5", "-zv", "-Iv", "--kubeconfig", "--server", "--token", "--as", "--raw", "-CAfile",
    "-key", "file:///etc/passwd", "http://user:pass@example.org", "http://127.0.0.1/", "http://[::1]/",
    "http://0x7f.1/", "http://2852039166/", "http://169.254.169.254/latest", "gopher://example.org",
    "http://example.org/\n", "https:", "http://example.org/{a,b}", "http://example.org/[1-9]",
    "http://example.org\\@169.254.169.254", "1-65535", "0", "65536", "localhost", "127.1", "0xa9fea9fe",
    "0251.0376.0251.0376", "fd00:ec2::254", "::ffff:169.254.169.254", "fe80::1%eth0", "\u2010\u2010head",
    "\uff0dI", "ex\u0430mple.org", "example.org\0", "example.org\n", " example.org", "\u0661", "", "$(id)", ";id",
    "@localhost", "@/etc/hosts", "-example.org", "--", "---", "-", "a" * 300, "example..org", "::1",
]  # fmt: skip
NAMES = ("dig", "getent", "curl", "openssl", "nc", "ping", "tracepath")
FORBIDDEN = re.compile(r"--(?:kubeconfig|server|token|as|raw|config|output|proxy|data|upload)|-[oKdTefxH]\b|@/")


def run(*argv: str, text: str | None = None) -> Command | Refusal:
    return allowed(argv, run_id="run-1", given=text)


def command(*argv: str, text: str | None = None) -> Command:
    found = run(*argv, text=text)
    assert isinstance(found, Command), found
    return found


def reason(*argv: str, text: str | None = None) -> str:
    found = run(*argv, text=text)
    assert isinstance(found, Refusal), found
    return found.reason


@pytest.mark.parametrize(
    ("asked", "run_as", "hosts"),
    [
        ("dig example.org", "dig -r +time=3 +tries=2 -q example.org", ()),
        (
            "dig +short @192.0.2.53 _sip._tcp.example.org SRV",
            "dig -r +time=3 +tries=2 +short @192.0.2.53 -q _sip._tcp.example.org -t SRV",
            ("192.0.2.53",),
        ),
        ("getent hosts 192.0.2.1", "getent -- hosts 192.0.2.1", ("192.0.2.1",)),
        (
            "openssl s_client -servername shop.example -connect [2001:db8::1]:443",
            "openssl s_client -connect [2001:db8::1]:443 -servername shop.example",
            ("2001:db8::1",),
        ),
        ("nc -z -v -w 3 db.example 5432", "nc -z -v -w 3 -- db.example 5432", ("db.example",)),
        ("nc -4 db.example 5432", "nc -z -v -w 5 -4 -- db.example 5432", ("db.example",)),
        ("ping -c 2 example.org", "ping -n -c 2 -W 2 -- example.org", ("example.org",)),
        ("tracepath example.org", "tracepath -n -m 15 -- example.org", ("example.org",)),
    ],
)
def test_a_diagnostic_is_run_as_spelled_out(asked: str, run_as: str, hosts: tuple[str, ...]) -> None:
    found = command(*asked.split())
    assert " ".join(found.argv) == f"/usr/bin/{run_as}"
    assert (found.hosts, found.network, found.run_id) == (hosts, True, "run-1")


def test_curl_asks_for_the_head_and_for_nothing_else() -> None:
    found = command("curl", "--head", "--insecure", "--max-time", "20", "https://shop.example:8443/health?deep=1")
    assert found.argv[:8] == (
        "/usr/bin/curl", "-q", "--head", "--silent", "--show-error", "--globoff", "--proto", "=http,https",
    )  # fmt: skip
    assert found.argv[10:] == (
        "--max-time", "20", "--connect-timeout", "5", "--insecure", "--", "https://shop.example:8443/health?deep=1",
    )  # fmt: skip
    assert found.hosts == ("shop.example",)


def test_a_certificate_is_read_from_the_text_and_without_the_network() -> None:
    found = command("openssl", "x509", "-dates", "-checkend", "86400", text=PEM + PEM)
    assert found.argv == ("/usr/bin/openssl", "x509", "-in", GIVEN, "-noout", "-dates", "-checkend", "86400")
    assert (found.network, found.given) == (False, PEM + PEM)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        PEM + "-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----\n",
        "x" + PEM,
        PEM.replace("QUJD", "QU JD"),
        PEM * 1000,
    ],
)
def test_a_text_that_is_not_certificates_alone_is_refused(text: str | None) -> None:
    assert "needs certificates in PEM" in reason("openssl", "x509", "-text", text=text)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("", "'' is not among the diagnostics: dig: what name servers say"),
        ("bash -c id", "'bash -c' is not among the diagnostics"),
        ("/usr/bin/dig example.org", "is not among the diagnostics"),
        ("openssl enc -in x", "'openssl enc' is not among the diagnostics"),
        ("dig", "dig needs a DNS name"),
        ("dig -f /etc/passwd", "'-f' is not a DNS name"),
        ("dig @169.254.169.254 example.org", "its cloud's metadata"),
        ("curl -o /tmp/x https://example.org", "'-o' is not an http or https URL"),
        ("curl https://example.org -o x", "'-o' is too much; curl takes --max-time (a number from 1 to 30)"),
        ("curl --max-time=5 https://example.org", "'--max-time=5' is not an http or https URL"),
        ("curl --max-time 99 https://example.org", "'99' is not a number from 1 to 30"),
        ("curl --insecure --insecure https://example.org", "--insecure is given twice"),
        ("curl --max-time", "--max-time needs a number from 1 to 30 as the next argument"),
        ("curl -q @/etc/passwd", "is not an http or https URL"),
        ("openssl s_client", "openssl s_client needs -connect"),
        ("openssl s_client -connect example.org:https", "is not HOST:PORT"),
        ("openssl x509 -in /etc/passwd", "'/etc/passwd' is too much"),
        ("nc -e /bin/sh example.org 80", "'-e' is not a host name"),
        ("nc example.org 1-65535", "'1-65535' is not a port"),
        ("nc example.org 65536", "'65536' is not a port"),
        ("ping -f example.org", "'-f' is not a host name"),
        ("ping example.org -f", "'-f' is too much"),
        ("ping localhost", "leads to this machine"),
    ],
)
def test_what_is_refused_says_what_would_be_allowed(asked: str, why: str) -> None:
    assert why in reason(*asked.split(), text=PEM if "x509" in asked else None)


def test_a_text_for_a_program_that_reads_none_is_refused() -> None:
    assert reason("dig", "example.org", text=PEM) == "dig reads no text"


def is_safe(found: Command) -> None:
    """What holds for any command, told without the grammar."""
    assert found.argv[0] in {
        f"/usr/bin/{name}" for name in ("dig", "getent", "curl", "openssl", "nc", "ping", "tracepath")
    }
    for argument in found.argv[1:]:
        assert re.fullmatch(r"[ -~]+", argument)
        assert not FORBIDDEN.match(argument)
        assert "/etc" not in argument or argument.startswith("http")
    for host in found.hosts:
        assert why_not(host) is None
        if re.fullmatch(r"[0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", host):
            address = ipaddress.ip_address(host)
            assert not address.is_loopback
            assert not address.is_link_local
            assert not address.is_multicast


@settings(max_examples=250)
@given(
    program=st.sampled_from(PROGRAMS),
    rest=st.lists(st.one_of(st.sampled_from(WORDS), st.sampled_from(HOSTILE), st.text(max_size=12)), max_size=8),
    text=st.one_of(st.none(), st.just(PEM), st.text(max_size=20)),
)
@example(program=PROGRAMS[0], rest=["@192.0.2.53", "example.org", "MX"], text=None)
def test_nothing_outside_of_the_grammar_passes(program: Any, rest: list[str], text: str | None) -> None:
    found = run(*program.words, *rest, text=text)
    if isinstance(found, Command):
        is_safe(found)
    else:
        assert found.reason


@settings(max_examples=200)
@given(st.data())
def test_a_hostile_argument_anywhere_is_refused(data: st.DataObject) -> None:
    good = [
        ["dig", "+short", "@192.0.2.53", "example.org", "MX"],
        ["getent", "ahosts", "example.org"],
        ["curl", "--max-time", "5", "https://example.org/"],
        ["openssl", "s_client", "-connect", "example.org:443"],
        ["nc", "-w", "3", "example.org", "443"],
        ["ping", "-c", "3", "example.org"],
        ["tracepath", "-m", "9", "example.org"],
    ]
    argv = data.draw(st.sampled_from(good))
    assert isinstance(run(*argv), Command)
    at = data.draw(st.integers(0, len(argv)))
    word = data.draw(st.sampled_from(HOSTILE))
    added = [*argv[:at], word, *argv[at:]]
    assert isinstance(run(*added), Refusal)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "169.254.169.254", "169.254.170.2", "fd00:ec2::254",
        "fe80::1", "100.100.100.200", "168.63.129.16", "224.0.0.1", "ff02::1", "::ffff:a9fe:a9fe",
        "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "2852039166", "0xa9fea9fe", "0xA9.0xFE.0xA9.0xFE",
        "0251.0376.0251.0376", "169.254.43518", "127.1", "0", "0x", "1.2.3.04", "localhost", "LOCALHOST.",
        "a.localhost", "localhost.localdomain", "ip6-loopback", "metadata", "metadata.google.internal",
        "instance-data", "fe80::1%eth0", "2001:DB8:0::1", "[::1]", "a b", "-a.example", "a..b", "", ".",
        "\u0430.example", "a\n", "a" * 64 + ".example", "a." * 127 + "abc",
    ],
)  # fmt: skip
def test_a_host_that_leads_inside_is_refused_in_every_spelling(host: str) -> None:
    assert why_not(host)


@pytest.mark.parametrize(
    "host", ["example.org", "db.", "a_b.svc.cluster.local", "10.0.0.1", "2001:db8::1", "1.2.3.4.in-addr.arpa"]
)
def test_other_hosts_may_be_reached(host: str) -> None:
    assert why_not(host) is None


async def test_a_certificate_is_read_in_the_sandbox(
    bubblewrap: Bubblewrap, tmp_path_factory: pytest.TempPathFactory
) -> None:
    openssl = need("openssl", "openssl")
    made = await bubblewrap.run(
        Command(
            run_id="run-1",
            argv=(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                  "-nodes", "-subj", "/CN=shop.example",
                  "-keyout", "/dev/null", "-config", GIVEN),
            given="[req]\ndistinguished_name=dn\n[dn]\n",
        )
    )  # fmt: skip
    assert made.exit_code == 0, made
    ran = await bubblewrap.run(command("openssl", "x509", "-subject", text=made.stdout))
    assert (ran.ended, ran.stdout) == (Ended.EXITED, "subject=CN = shop.example\n")


async def test_curl_tells_the_head_and_the_times_of_a_real_answer(bubblewrap: Bubblewrap) -> None:
    need("curl", "curl")
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(f"{request.method} {request.path_qs}")
        return web.Response(text="the body", headers={"X-Canary": "here"})

    async with serving(answer) as port:
        # The grammar lets nobody ask this machine, so its own address is put in afterwards.
        argv = command("curl", f"http://192.0.2.1:{port}/health?deep=1").argv
        there = tuple(each.replace("192.0.2.1", "127.0.0.1") for each in argv)
        ran = await bubblewrap.run(Command(run_id="run-1", argv=there, network=True))
    assert (ran.exit_code, asked) == (0, ["HEAD /health?deep=1"])
    assert "X-Canary: here" in ran.stdout
    assert "status=200 address=127.0.0.1 lookup=0." in ran.stdout
    assert "the body" not in ran.stdout


@contextlib.asynccontextmanager
async def serving(answer: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncGenerator[int]:
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port := free_port()).start()
    try:
        yield port
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    "argv",
    [
        ("dig", "+short", "@192.0.2.53", "example.org"),
        ("getent", "ahosts", "192.0.2.1"),
        ("curl", "--connect-timeout", "1", "http://192.0.2.1/"),
        ("openssl", "s_client", "-connect", "192.0.2.1:443", "-brief"),
        ("nc", "-w", "1", "192.0.2.1", "443"),
        ("ping", "-c", "1", "-W", "1", "192.0.2.1"),
        ("tracepath", "-m", "1", "192.0.2.1"),
    ],
    ids=lambda argv: argv[0],
)
async def test_the_installed_program_understands_what_it_is_given(
    bubblewrap: Bubblewrap, argv: tuple[str, ...]
) -> None:
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed here")
    asked = command(*argv)
    # Without the network each fails at its first packet, and would fail earlier at an argument that it does not know.
    ran = await bubblewrap.run(Command(run_id="run-1", argv=asked.argv))
    said = f"{ran.stdout}{ran.stderr}".lower()
    assert ran.ended is Ended.EXITED
    assert not re.search(r"usage|unknown option|unrecognized|invalid option|try '", said), said
