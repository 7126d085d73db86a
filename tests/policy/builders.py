"""A small sound policy, its parts exchanged one by one, and proposals to hold against it."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
from whenever import Instant, TimeDelta

from approvals.action import Action, ActionArgs, ActionName
from approvals.actions.objects import NoArgs
from approvals.actions.restart_workload import restart_workload
from approvals.actions.scale_workload import ScaleArgs, scale_workload
from approvals.actions.set_image import ImageArgs, set_image
from approvals.actions.use_credentials import UseCredentials, for_session, use_credentials
from approvals.ballot import Principal, Stranger
from approvals.plan import Plan
from approvals.policy import Facts, Freeze, Refused, Reviewed, review
from approvals.policy_file import load
from approvals.policy_schema import Policy, Unusable
from approvals.request import ApprovalRequest, Cited, Proposal, RequestId
from tools.entity import Entity
from tools.redaction import redact

NOW = Instant.parse_iso("2026-03-01T12:00:00Z")
BOTH = {"staging": "non-critical-writes", "production": "production-writes"}


def rule(**changes: Any) -> dict[str, Any]:
    """The terms of one action, sound unless changed."""
    return {
        "risk": "medium",
        "environments": ["staging", "production"],
        "needs": BOTH,
        "quorum": 1,
        "groups": ["oncall"],
        "timeout": "2m",
        **changes,
    }


SOUND: dict[str, Any] = {
    "version": 7,
    "default": "refuse",
    "environments": [
        {"name": "staging", "kind": "non-production", "namespaces": ["staging", "staging-*"]},
        {"name": "lab", "kind": "non-production", "clusters": ["lab-?"]},
    ],
    "autonomy": BOTH,
    "people": {
        "ada": {"slack": ["U1", "U2"], "email": ["ada@example.com"], "api": ["ci"]},
        "grace": {"slack": ["U3"]},
        "bot": {"slack": ["U8"]},
        "guest": {"slack": ["U9"], "email": ["guest@elsewhere.example"]},
    },
    "groups": {"oncall": {"members": ["ada", "grace"]}, "leads": {"members": ["grace"]}, "slack": {"slack": "S1"}},
    "actions": {
        "restart-workload": rule(),
        "scale-workload": rule(arguments={"replicas": {"min": 1, "max": 20}}),
        "set-image": rule(
            risk="high",
            quorum=2,
            groups=["oncall", "leads"],
            arguments={
                "image": {"registries": ["registry.test/shop", "docker.io/library"]},
                "other_repository": {"one_of": [False]},
            },
        ),
        "use-credentials": rule(
            needs={"staging": "read-only", "production": "read-only"}, self_approval=True, ttl="15m"
        ),
    },
}


def policy_of(data: dict[str, Any], folder: Path) -> Policy:
    """The policy that a file with this content is."""
    path = folder / "policy.yaml"
    path.write_bytes(orjson.dumps(data))
    return load(path)


def changed(**sections: Any) -> dict[str, Any]:
    """The sound policy with some sections exchanged; `actions` are added to the present ones."""
    data = deepcopy(SOUND)
    actions = {**data["actions"], **sections.pop("actions", {})}
    return {**data, **sections, "actions": actions}


def restart(where: str = "deployment/shop/cart", cluster: str = "") -> Action:
    return restart_workload.on(Entity.parse(where), NoArgs(), cluster=cluster)


def scale(replicas: int) -> Action:
    return scale_workload.on(Entity.parse("deployment/shop/cart"), ScaleArgs(replicas=replicas))


def image(name: str, *, other: bool = False) -> Action:
    args = ImageArgs(container="cart", image=name, other_repository=other)
    return set_image.on(Entity.parse("deployment/shop/cart"), args)


def credentials() -> Action:
    return use_credentials.on(for_session("ses_1"), UseCredentials(references=("vault:db/ro#password",), minutes=5))


def unknown(name: str = "drop-database", target: str = "deployment/shop/cart") -> Action:
    """An action of no kind, as only a forger would make one."""
    args: dict[str, Any] = ActionArgs().model_dump()
    return Action(name=ActionName(name), target=Entity.parse(target), arguments=args)


def proposal(*actions: Action, **changes: Any) -> Proposal:
    seen = Cited(id="ev_1", tool="kubernetes.objects", query="kubectl get", excerpt=redact("0/2"), is_measured=True)
    values: dict[str, Any] = {"title": "Probe port", "reason": "It asks 9090.", "proposed_by": "rules", **changes}
    return Proposal(actions=actions, evidence=(seen,), **values)


def facts(
    *,
    now: Instant = NOW,
    open_in_thread: int = 0,
    requests_last_hour: int = 0,
    freezes: tuple[Freeze, ...] = (),
    prompter: Principal | Stranger | None = None,
) -> Facts:
    return Facts(
        now=now,
        open_in_thread=open_in_thread,
        requests_last_hour=requests_last_hour,
        freezes=freezes,
        prompter=prompter,
    )


def reviewed(what: Proposal, policy: Policy, about: Facts | None = None) -> Reviewed:
    found = review(what, about or facts(), policy)
    assert isinstance(found, Reviewed), found
    return found


def refused(what: Proposal, policy: Policy | Unusable, about: Facts | None = None) -> str:
    found = review(what, about or facts(), policy)
    assert isinstance(found, Refused), found
    return found.reason


def request(what: Proposal, policy: Policy, about: Facts | None = None) -> ApprovalRequest:
    """What people are asked for a proposal that passes."""
    found = reviewed(what, policy, about)
    plans = (
        Plan(
            action=each,
            fingerprint={"uid": "u1", "resourceVersion": "5", "generation": 2},
            diff=redact("+1"),
            blast_radius=redact("2 pods"),
            dry_run="server",
            undo=None,
        )
        for each in what.actions
    )
    return ApprovalRequest(
        id=RequestId("req-1"),
        incident_id="inc_1",
        session_id="ses_1",
        environment=found.environment,
        proposal=what,
        items=tuple(plans),
        terms=found.terms,
        credential=found.credential,
        timeout_s=found.timeout_s,
        created_at=NOW - TimeDelta(seconds=1),
    )
