"""What is executed is what was approved: every part of a request that decides something is bound by its digest."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import orjson
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from whenever import Instant, TimeDelta

from approvals.action import Action, ActionError, Effect
from approvals.actions.objects import NoArgs
from approvals.actions.restart_workload import restart_workload
from approvals.actions.scale_workload import ScaleArgs, scale_workload
from approvals.actions.use_credentials import UseCredentials, for_session, use_credentials
from approvals.ballot import Principal, Terms
from approvals.plan import Plan
from approvals.request import ApprovalRequest, Cited, Proposal, RequestId, Watched, from_json, proposal_from_json
from tools.entity import Entity
from tools.redaction import redact

NOW = Instant.parse_iso("2026-03-01T12:00:00Z")
CART = Entity.parse("deployment/shop/cart")


def scale(replicas: int = 3, where: Entity = CART) -> Action:
    return scale_workload.on(where, ScaleArgs(replicas=replicas), cluster="prod-1")


def cited(*, is_measured: bool = True) -> Cited:
    return Cited(
        id="ev_1", tool="kubernetes.objects", query="kubectl get", excerpt=redact("0/2"), is_measured=is_measured
    )


def proposal(*actions: Action, **changes: Any) -> Proposal:
    values: dict[str, Any] = {
        "actions": actions or (scale(), restart_workload.on(CART, NoArgs(), cluster="prod-1")),
        "title": "Scaled to zero",
        "reason": "Callers need it.",
        "proposed_by": "rules",
        "prompted_by": "U1",
        "evidence": (cited(),),
        "watched": (Watched(cause="scaled-to-zero", entity=CART),),
        "prose": redact("It was scaled down."),
        "purposes": {"vault:db#password": "slow queries"},
        **changes,
    }
    return Proposal(**values)


def plan(action: Action) -> Plan:
    return Plan(
        action=action,
        fingerprint={"uid": "u-1", "resourceVersion": "41", "generation": 2},
        diff=redact("-replicas: 0\n+replicas: 3"),
        blast_radius=redact("Starts 3 pods."),
        dry_run="server",
        undo=scale(0),
    )


def request(what: Proposal | None = None) -> ApprovalRequest:
    about = what or proposal()
    return ApprovalRequest(
        id=RequestId("r" * 32),
        incident_id="inc_1",
        session_id="ses_1",
        environment="production",
        proposal=about,
        items=tuple(plan(each) for each in about.actions),
        terms=Terms(
            risk="medium",
            quorum=2,
            groups=frozenset({"oncall", "leads"}),
            barred=frozenset({Principal("locum"), Principal("ada")}),
            policy_version="7-0123456789ab",
            expires_at=NOW + TimeDelta(minutes=30),
        ),
        credential="vault:kubernetes/creds/scale#token",
        timeout_s=120,
        created_at=NOW,
    )


STORED = request().to_json()
DECIDING = (
    ("id",), ("environment",), ("credential",), ("timeout_s",), ("items",), ("terms", "quorum"), ("terms", "groups"),
    ("terms", "barred"), ("terms", "policy_version"), ("terms", "expires_at"),
)  # fmt: skip
TOLD = ("diff", "blast_radius", "dry_run", "undo")
"""What a plan tells people; it decides nothing."""


def test_a_request_is_read_back_as_it_was_stored() -> None:
    for asked in (request(), request(proposal(scale(), prompted_by="", watched=(), prose=redact(""), purposes={}))):
        again = from_json(orjson.loads(orjson.dumps(asked.to_json())))
        assert again == asked
        assert again.digest == asked.digest
    without = replace(plan(scale()), undo=None)
    asked = replace(request(proposal(scale())), items=(without,))
    assert from_json(asked.to_json()) == asked
    assert proposal_from_json(proposal().to_json()) == proposal()


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(cast("dict[str, Any]", value))
    elif isinstance(value, list):
        keys = list(range(len(cast("list[Any]", value))))
    else:
        yield path
    for key in keys:
        yield from _leaves(value[key], (*path, key))


def _bound() -> list[tuple[Any, ...]]:
    """Every place of a stored request that decides what happens."""
    return [
        path
        for path in _leaves(STORED)
        if any(path[: len(each)] == each for each in DECIDING) and not (path[0] == "items" and path[2] in TOLD)
    ]


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    data: dict[str, Any] = copy.deepcopy(STORED)
    _at(data, path[:-1])[path[-1]] = value
    if path[0] == "items" and path[2] == "action":
        # The proposal's own copy goes along: a forger would change both.
        _at(data, ("proposal", "actions", path[1], *path[3:-1]))[path[-1]] = value
    return data


def test_a1_the_parts_that_are_bound_are_these() -> None:
    assert len(_bound()) > 20
    assert {path[-1] for path in _bound() if path[0] == "items"} == {
        "name", "target", "replicas", "cluster", "uid", "resourceVersion", "generation",
    }  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(path=st.sampled_from(_bound()), bit=st.integers(0, 2**16 - 1))
def test_a1_one_flipped_bit_is_another_digest_or_no_request_at_all(path: tuple[Any, ...], bit: int) -> None:
    before = _at(STORED, path)
    if isinstance(before, int):
        after: Any = before ^ (1 << bit % 31)
    else:
        raw = bytearray(before.encode())
        assume(raw)
        raw[bit // 8 % len(raw)] ^= 1 << bit % 8
        after = raw.decode(errors="replace")
    assume(after != before)
    try:
        forged = from_json(_changed(path, after))
    except (ActionError, ValueError):
        return
    # A kind in capitals is read as the same kind: then it is the same request in every part.
    assert forged.digest != request().digest or forged == request()


@pytest.mark.parametrize("path", _bound(), ids=lambda path: ".".join(map(str, path)))
def test_a1_each_bound_part_changes_the_digest(path: tuple[Any, ...]) -> None:
    others: dict[Any, Any] = {"name": "restart-workload", "target": "deployment/shop/other", "cluster": "prod-2"}
    before = _at(STORED, path)
    default = before + 1 if isinstance(before, int) else f"{before}x"
    if path[-1] == "expires_at":
        default = str(NOW + TimeDelta(minutes=31))
    after = others.get(path[-1], default)
    try:
        forged = from_json(_changed(path, after))
    except (ActionError, ValueError):
        assert path[-1] == "name"
        return
    assert (forged.digest != request().digest) is (after != before)


def test_a1_what_is_only_told_is_not_bound() -> None:
    asked = request()
    other = replace(asked, proposal=replace(asked.proposal, title="Another", prose=redact("Other words")))
    assert other.digest == asked.digest


def test_a29_a_batch_is_one_digest_over_its_ordered_items() -> None:
    one, two = scale(3), scale(3, Entity.parse("deployment/shop/pay"))
    assert request(proposal(one, two)).digest != request(proposal(two, one)).digest
    assert request(proposal(one)).digest != request(proposal(one, two)).digest
    assert request(proposal(one, one)).digest != request(proposal(one)).digest


def test_a29_each_item_has_a_key_of_its_own() -> None:
    asked = request()
    assert [asked.key(item) for item in range(2)] == [f"{'r' * 32}-0", f"{'r' * 32}-1"]


def test_a4_another_fingerprint_is_another_digest() -> None:
    asked = request(proposal(scale()))
    moved = replace(asked.items[0], fingerprint={**asked.items[0].fingerprint, "resourceVersion": "42"})
    assert replace(asked, items=(moved,)).digest != asked.digest


def test_plans_of_other_actions_than_the_proposed_ones_make_no_request() -> None:
    for items in ((), (plan(scale(4)),), (plan(scale()), plan(scale()))):
        with pytest.raises(ValueError, match="not those of the proposed actions"):
            replace(request(proposal(scale())), items=items)


def test_a_proposal_without_an_action_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="without an action"):
        replace(proposal(), actions=())


def test_a_change_rests_on_something_that_outsiders_cannot_write() -> None:
    said = cited(is_measured=False)
    for evidence in ((), (said,)):
        with pytest.raises(ValueError, match="words that an outsider may have written"):
            proposal(evidence=evidence)
    assert proposal(evidence=(said, cited())).effect is Effect.WRITE


def test_a_way_back_and_a_read_need_no_measurement() -> None:
    assert proposal(scale(), evidence=(), is_way_back=True)
    read = use_credentials.on(for_session("ses_1"), UseCredentials(references=("vault:db#password",), minutes=5))
    assert proposal(read, evidence=()).effect is Effect.READ


def test_a30_equal_actions_of_one_incident_merge() -> None:
    same = proposal(scale(), title="Other", prompted_by="U9").merge_key("inc_1")
    assert proposal(scale()).merge_key("inc_1") == same
    assert proposal(scale(4)).merge_key("inc_1") != same
    assert proposal(scale()).merge_key("inc_2") != same
