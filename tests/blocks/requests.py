"""Requests for approval for tests, ordinary and hostile."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from whenever import Instant, TimeDelta

from approvals.action import Action, kinds
from approvals.ballot import Choice, Principal, State, Terms, Vote
from approvals.plan import Outcome, Plan, Receipt
from approvals.request import ApprovalRequest, Cited, Proposal, RequestId, Watched
from bot.gate import Verification, View
from bot.incident import Place
from tools.entity import Entity
from tools.redaction import Redacted, redact

NOW = Instant.from_utc(2026, 3, 1, 10, 0)
ID = RequestId("Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFi")
CART = Entity.of("deployment", "shop", "cart")
DIFF = redact("""\
--- deployment/shop/cart
+++ deployment/shop/cart
@@ -12,7 +12,7 @@
       containers:
       - name: cart
-        image: registry.example/shop/cart:2.4.0
+        image: registry.example/shop/cart:2.3.9
         ports:
         - containerPort: 8080
""")


def action(name: str, target: Entity = CART, **arguments: Any) -> Action:
    """As a rule makes it: checked and with every default written out."""
    kind = kinds()[name]  # pyright: ignore[reportArgumentType]
    return kind.on(target, kind.args.model_validate(arguments))


def set_image(image: str = "registry.example/shop/cart:2.3.9", target: Entity = CART) -> Action:
    return action("set-image", target, container="cart", image=image)


def plan(done: Action | None = None, **fields: Any) -> Plan:
    made = Plan(
        action=done or set_image(),
        fingerprint={"uid": "7f0c", "resourceVersion": "1822", "generation": 7},
        diff=DIFF,
        blast_radius=redact("3 pods of cart restart one by one; checkout calls it 40 times a second."),
        dry_run="server",
        undo=set_image("registry.example/shop/cart:2.4.0"),
    )
    return replace(made, **fields)


def cited(**fields: Any) -> Cited:
    made = Cited(
        id="ev_0123456789",
        tool="prometheus.query",
        query='sum(rate(http_requests_total{code=~"5.."}[5m]))',
        excerpt=redact("42 errors a second since 09:40"),
        is_measured=True,
    )
    return replace(made, **fields)


def terms(**fields: Any) -> Terms:
    made = Terms(
        risk="medium",
        quorum=1,
        groups=frozenset({"sre-oncall"}),
        barred=frozenset({Principal("locum")}),
        policy_version="7",
        expires_at=NOW + TimeDelta(minutes=30),
    )
    return replace(made, **fields)


def proposal(*items: Plan, **fields: Any) -> Proposal:
    made = Proposal(
        actions=tuple(item.action for item in items),
        title="Cart fails since its last rollout",
        reason="Version 2.4.0 answers every request with 500; 2.3.9 did not.",
        proposed_by="rules",
        evidence=(cited(), cited(id="ev_abcdef0123", tool="kubernetes.logs", is_measured=False)),
        watched=(Watched(cause="bad-release", entity=CART),),
    )
    return replace(made, **fields)


def request(*items: Plan, request_id: str = ID, agreed: Terms | None = None, **fields: Any) -> ApprovalRequest:
    items = items or (plan(),)
    return ApprovalRequest(
        id=RequestId(request_id),
        incident_id="inc_1",
        session_id="ses_1",
        environment=fields.pop("environment", "production"),
        proposal=proposal(*items, **fields),
        items=items,
        terms=agreed or terms(),
        timeout_s=120,
        created_at=NOW,
    )


def view(asked: ApprovalRequest | None = None, **fields: Any) -> View:
    made = View(request=asked or request(), place=Place(channel="C0001ALERTS", thread_ts="1.0001"), state=State.PENDING)
    return replace(made, **fields)


def vote(account: str = "U0001ANA", choice: Choice = Choice.APPROVE, **fields: Any) -> Vote:
    made = Vote(principal=Principal(f"{account.lower()}@example.com"), choice=choice, at=NOW, account=account)
    return replace(made, **fields)


def executed(state: State, *receipts: Receipt, asked: ApprovalRequest | None = None, **fields: Any) -> View:
    done = {
        "votes": (vote(),),
        "began_at": NOW + TimeDelta(seconds=5),
        "ended_at": NOW + TimeDelta(seconds=17),
    }
    return view(asked, state=state, receipts=receipts, **(done | fields))


def receipt(outcome: Outcome = Outcome.SUCCEEDED, detail: str = "3 of 3 pods are ready") -> Receipt:
    return Receipt(outcome=outcome, detail=redact(detail))


def verification(*, helped: bool | None, said: str = "No errors for two minutes.") -> Verification:
    return Verification(helped=helped, said=redact(said), at=NOW)


def credentials(references: Mapping[str, str] | None = None) -> ApprovalRequest:
    wanted = references or {
        "vault:database/creds/ro#password": "slow queries of the database that cart uses",
        "op://operations/mongodb/password": "locks of the database that orders uses",
    }
    asked = action("use-credentials", Entity.of("investigation", None, "ses_1"), references=tuple(wanted), minutes=15)
    item = plan(asked, fingerprint={}, diff=Redacted(""), undo=None, dry_run="none", blast_radius=redact(
        "Nothing is changed; two databases get a few read-only queries."
    ))  # fmt: skip
    return request(item, purposes=dict(wanted), evidence=())


def hostile(text: str) -> View:
    """Somebody else's words wherever there can be any."""
    words = text or "x"
    # Built past the check of names, as a store that somebody wrote into would give it back.
    restart = replace(action("restart-workload"), target=Entity("deployment", "shop", words))
    references = tuple(f"{words}{number}" for number in range(9))
    lend = action("use-credentials", Entity("investigation", "", words), references=references, minutes=9)
    items = [
        plan(
            replace(done, cluster=words),
            diff=redact(words),
            blast_radius=redact(words),
            dry_run=words,
            fingerprint={words: words},
            undo=restart,
        )
        for done in (restart, lend) * 4
    ]
    asked = request(
        *items,
        title=words,
        reason=words,
        proposed_by=words,
        prompted_by=words,
        evidence=tuple(cited(id=words, tool=words, query=words, excerpt=redact(words)) for _ in range(8)),
        watched=(Watched(cause=words, entity=CART),),
        prose=redact(words),
        purposes=dict.fromkeys(references, words),
        environment=words,
        agreed=terms(groups=frozenset({words, f"{words}2"}), barred=frozenset({Principal(words)}), risk=words),
    )
    votes = tuple(vote(words, reason=words, principal=Principal(words)) for _ in range(12))
    return view(
        asked,
        votes=votes,
        why=words,
        receipts=(receipt(detail=words), receipt(Outcome.UNKNOWN, words)),
        verification=verification(helped=None, said=words),
        frozen=words,
    )
