"""Whether the network policies of a namespace keep a pod apart. Pure: judges what the cluster says that it enforces.

Policies add up: a pod that any of them lets out is let out, and one that none selects may go anywhere. What cannot be
judged for certain counts against the pod. Whether the cluster's network enforces policies at all shows nowhere in them.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from tools.kubernetes.fields import items, mapping, text

METADATA = ipaddress.ip_address("169.254.169.254")
_SIXTH = ipaddress.ip_address("fd00:ec2::254")


def why_open(policies: Sequence[Mapping[str, Any]], labels: Mapping[str, str], *, network: bool) -> str | None:
    """What lets a pod with these labels further out than it may; `None` if nothing does."""
    closing = [policy for policy in policies if _limits_egress(policy) and _surely_selects(policy, labels)]
    if not closing:
        return f"no NetworkPolicy with the type Egress selects pods with the labels {dict(labels)}"
    for policy in policies:
        if not _may_select(policy, labels):
            continue
        for rule in items(mapping(policy, "spec"), "egress"):
            if not network:
                return f"the NetworkPolicy {text(policy, 'metadata', 'name')!r} lets out a pod that has no network"
            if _reaches_metadata(rule):
                return f"the NetworkPolicy {text(policy, 'metadata', 'name')!r} leads to {METADATA}, or may"
    return None


def _limits_egress(policy: Mapping[str, Any]) -> bool:
    spec = mapping(policy, "spec")
    # Without types a policy limits egress only if it has rules of it.
    return "Egress" in spec.get("policyTypes", ("Egress",) if spec.get("egress") else ())


def _surely_selects(policy: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    return not mapping(policy, "spec", "podSelector").get("matchExpressions") and _may_select(policy, labels)


def _may_select(policy: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    wanted = mapping(policy, "spec", "podSelector", "matchLabels")
    return all(labels.get(key) == value for key, value in wanted.items())


def _reaches_metadata(rule: Mapping[str, Any]) -> bool:
    peers = items(rule, "to")
    # A rule without peers lets out to anywhere; peers that are pods are at no such address.
    return not peers or any(_holds_metadata(mapping(peer, "ipBlock")) for peer in peers if peer.get("ipBlock"))


def _holds_metadata(block: Mapping[str, Any]) -> bool:
    return any(
        address in ipaddress.ip_network(text(block, "cidr"), strict=False)
        and not any(address in ipaddress.ip_network(each, strict=False) for each in block.get("except", ()))
        for address in (METADATA, _SIXTH)
    )
