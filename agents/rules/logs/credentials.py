"""Who is refused, by the words of either side: credentials, rights, licences."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.logs.callees import callee, host_of
from agents.logs.lines import Line, about, by_entity, is_old, lines, quoted
from agents.logs.news import Stand, is_covered, news, stand
from agents.logs.telling import Sign, finding, said
from agents.scene import Scene
from tools.entity import Entity

AUTH_FACTOR = 5.0
"""How many times the usual number of refusals is news: scanners are always there."""
MIN_AUTH_LINES = 5
_REQUEST = " HTTP/"
"""What every line of an access log has."""
SEVERAL = 2
"""Callers that are refused by the same callee: then it is not their credentials."""
_REFUSED_WHO = Sign(
    words=re.compile(
        r"(?i)(?<![\w./-])(?:401|403)(?![\w./-])|unauthori[sz]ed|(?:authentication|login|logon"
        r"|auth)(?:entication)? fail(?:ed|ure)"
        r"|password authentication|access denied|invalid (?:credentials?|token|api.?key|username|password)"
        r"|(?:token|credentials?|api.?key|password) (?:is |has |have )?expired|WRONGPASS|NOAUTH|not authorized"
        r"|permission denied (?:for|to) (?:table|relation|schema|database|user|sequence|function)"
        r"|Login failed for user|ORA-01017|AccessDenied\b|PermissionDenied\b|UNAUTHENTICATED|bad credentials"
        r"|InvalidClientTokenId|SignatureDoesNotMatch|NOPERM|AuthenticationFailed"
    ),
    unless=re.compile(r"(?i)system:serviceaccount|image pull|pulling image"),
    notes_count=True,
)
_OUTRIGHT = re.compile(
    r"(?i)password authentication failed|authentication failed|access denied for user|WRONGPASS|NOAUTH|login failed for"
    r"|not authorized|permission denied for|ORA-01017|invalid (?:credentials?|username|password)|UNAUTHENTICATED"
)
"""Said of a login of its own by a program, not of somebody's request."""
_RBAC = Sign(
    words=re.compile(
        r"forbidden: User \"(?P<user>[^\"]{1,200})\" cannot (?P<verb>\w+) (?:resource"
        r"|path) \"(?P<resource>[^\"]{1,200})\""
    ),
    least=1,
)
_LICENSE = Sign(
    words=re.compile(
        r"(?i)licen[sc]e (?:key |file )?(?:has |is |was )?(?:expired|invalid|not (?:valid|found)|missing|required)"
        r"|(?:invalid|expired|no valid|missing) licen[sc]e|licen[sc]e (?:check|validation|verification) failed"
        r"|feature (?:flag )?.{0,60}?(?:is |was )?not (?:licensed|enabled|available)\b"
    ),
)


@rule(
    id="auth-failing",
    area="logs",
    role=Role.CAUSE,
    title="Credentials are refused",
    meaning="A program's own login fails, or many more refusals than before: a rotated secret, a clock, a scanner.",
    remediation="Compare the moment with the last rotation of that credential; see who still holds the old one.",
    needs=("logs",),
)
def auth_failing(scene: Scene) -> Iterator[Finding]:
    refused = [each for each in lines(scene) if _REFUSED_WHO.found(each) and _counts(scene, each)]
    accused: defaultdict[Entity, dict[Entity, list[Line]]] = defaultdict(dict)
    for entity, hits in by_entity(scene, refused).items():
        old = sum(is_old(scene, each) for each in hits)
        new = news(scene, entity, hits)
        own = [each for each in new if _is_login(each) and stand(scene, each.log) in (Stand.ENDED, Stand.UNWELL)]
        if own or (len(new) >= MIN_AUTH_LINES and len(new) >= AUTH_FACTOR * old):
            shown = own or new
            summary = f"{entity} has {len(new)} refusals of credentials, {old} before: {quoted(shown[-1])}"
            yield finding(scene, auth_failing, entity, shown, summary, severity=Severity.WARNING, direct=bool(own))
            if other := _refuser(scene, entity, shown):
                accused[other][entity] = shown
    for entity, callers in accused.items():
        if len(callers) >= SEVERAL:
            hits = [each[-1] for each in callers.values()]
            who = ", ".join(map(str, sorted(callers, key=str)[:3]))
            summary = f"{entity} refuses the credentials of {len(callers)} callers ({who}): {quoted(hits[0])}"
            yield finding(scene, auth_failing, entity, hits, summary, severity=Severity.WARNING, direct=False)


def _counts(scene: Scene, line: Line) -> bool:
    """Whether a refusal may be news: strangers are refused all the time, and only a log's past tells how often."""
    if _REQUEST in line.text:
        return is_covered(scene, about(scene, line.log))
    return not line.is_quiet or _is_login(line)


def _is_login(line: Line) -> bool:
    return bool(_OUTRIGHT.search(line.claim))


def _refuser(scene: Scene, entity: Entity, hits: Sequence[Line]) -> Entity | None:
    hosts = (host_of(each.text) for each in hits)
    named = next((each for each in hosts if each), None)
    found = callee(scene, named, entity) if named else None
    return found.entity if found and found.known and found.entity != entity else None


@rule(
    id="rbac-denied",
    area="logs",
    role=Role.CAUSE,
    title="The cluster refuses an account",
    meaning="A workload's account may not do what the workload tries: a role or a binding is missing, or was narrowed.",
    remediation="Grant that verb on that resource to the account, and no more.",
    needs=("logs",),
)
def rbac_denied(scene: Scene) -> Iterator[Finding]:
    def what(entity: Entity, hits: Sequence[Line]) -> str:
        found = _RBAC.words.search(hits[-1].claim)
        who = f"{found['user']} may not {found['verb']} {found['resource']}" if found else "an account may not"
        return f"{entity} is refused by the cluster, {who}"

    yield from said(scene, rbac_denied, _RBAC, what, Severity.CRITICAL)


@rule(
    id="license-invalid",
    area="logs",
    role=Role.CAUSE,
    title="A licence or a feature is not valid",
    meaning="The program says that its licence ended or that a feature is not enabled for it.",
    remediation="Renew or install the licence; or switch the feature on, or its use off.",
    needs=("logs",),
)
def license_invalid(scene: Scene) -> Iterator[Finding]:
    def what(entity: Entity, hits: Sequence[Line]) -> str:
        return f"{entity} is refused by its licence or a feature switch ({len(hits)})"

    yield from said(scene, license_invalid, _LICENSE, what, Severity.WARNING)
