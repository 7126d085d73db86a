"""TLS that fails, by the words of either side. What a probe finds out about certificates is in `network`."""

import re
from collections.abc import Iterator

from agents.causes import Rule, rule
from agents.finding import Finding, Role, Severity
from agents.logs.callees import callee, host_of
from agents.logs.lines import quoted
from agents.logs.telling import Sign, finding, told
from agents.rules.network import tls_chain_broken, tls_expired, tls_hostname_mismatch
from agents.scene import Scene

_HANDSHAKE = Sign(
    words=re.compile(
        r"(?i)x509: |certificate.?verify.?failed|SSLHandshakeException|SSL(?:V3)?_?(?:ERROR|Exception|Error)\b"
        r"|TLS handshake (?:error|failed|timeout)|tls: (?:bad|failed|handshake|unknown|first record|internal|no cert"
        r"|expired)"
        r"|PKIX path building failed|UNABLE_TO_(?:VERIFY|GET)\w*|CERT_HAS_EXPIRED|SELF_SIGNED_CERT\w*|ERR_TLS_CERT\w*"
        r"|certificate (?:has |is )?(?:expired|not yet valid|revoked)|unknown certificate authority"
        r"|wrong version number"
        r"|certificate signed by unknown authority|hostname.{0,60}doesn't match|ssl handshake fail"
    ),
    # Probes of load balancers and browsers that do not trust us end like this at every server.
    unless=re.compile(r"(?i)handshake error from .*(?:EOF|reset by peer|i/o timeout|remote error)"),
)
_KINDS: tuple[tuple[re.Pattern[str], Rule, str], ...] = (
    (re.compile(r"(?i)expired|not yet valid"), tls_expired, "a certificate that is not valid at this time"),
    (
        re.compile(r"(?i)doesn't match|is valid for|hostname mismatch|ALTNAME|not valid for|does not match"),
        tls_hostname_mismatch,
        "a certificate for another name",
    ),
    (
        re.compile(r"(?i)unknown (?:certificate )?authority|self.?signed|PKIX|UNABLE_TO|issuer|unknown ca\b"),
        tls_chain_broken,
        "a certificate that it does not trust",
    ),
)


@rule(
    id="tls-handshake-failing",
    area="logs",
    role=Role.CAUSE,
    title="TLS connections fail",
    meaning="One side does not accept the other: protocol, certificate, or plain text on a TLS port. Probes do so too.",
    remediation="Connect by hand to that address and see what certificate and protocol it offers.",
    needs=("logs",),
)
def tls_handshake_failing(scene: Scene) -> Iterator[Finding]:
    for entity, hits in told(scene, _HANDSHAKE):
        line = hits[-1]
        of, what = next(
            ((of, what) for sign, of, what in _KINDS if sign.search(line.text)),
            (tls_handshake_failing, "a TLS handshake that fails"),
        )
        host = host_of(line.text)
        named = callee(scene, host, entity) if host else None
        blamed = named.entity if named and named.known else entity
        summary = f"{entity} meets {what}{f' at {host}' if host else ''} ({len(hits)}): {quoted(line)}"
        yield finding(scene, of, blamed, hits, summary, severity=Severity.WARNING, direct=blamed == entity)
