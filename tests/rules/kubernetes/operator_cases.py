"""Cases about what operators report, and about rights."""

from typing import Any

from tests.rules.builders import ago, condition, container, deployment, obj, pod
from tests.rules.kubernetes.cases import Shown


def role(**fields: Any) -> dict[str, Any]:
    """A role that may do everything with pods."""
    return obj("Role", "builder", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}], **fields)


PRIVILEGED = {"spec": {"containers": [container(securityContext={"privileged": True})], "serviceAccountName": "cart"}}

CASES: tuple[Shown, ...] = (
    Shown(
        cause="certificate-not-ready",
        objects=(obj("Certificate", "shop", status={"conditions": [condition("Ready", False, reason="Failed")]}),),
        entity="certificate/shop/shop",
        twin={"0/status/conditions/0/status": "True"},
        alarm={"0/status/conditions/0/lastTransitionTime": ago(1)},
    ),
    Shown(
        cause="keda-not-ready",
        objects=(obj("ScaledObject", "cart", status={"conditions": [condition("Ready", False)]}),),
        entity="scaledobject/shop/cart",
        twin={"0/status/conditions/0/status": "True"},
        alarm={"0/status/conditions/0/type": "Active"},
    ),
    Shown(
        cause="operator-not-installed",
        objects=(obj("InstallPlan", "mongo", status={"phase": "RequiresApproval"}),),
        entity="installplan/shop/mongo",
        twin={"0/status/phase": "Complete"},
        alarm={"0/metadata/creationTimestamp": ago(1)},
    ),
    Shown(
        cause="catalog-unhealthy",
        objects=(obj("CatalogSource", "community", status={"connectionState": {"lastObservedState": "CONNECTING"}}),),
        entity="catalogsource/shop/community",
        twin={"0/status/connectionState/lastObservedState": "READY"},
        alarm={"0/status/connectionState/lastConnect": ago(1)},
    ),
    Shown(
        cause="several-operator-groups",
        objects=(obj("OperatorGroup", "first"), obj("OperatorGroup", "second")),
        entity="operatorgroup/shop/second",
        twin={"1/metadata/namespace": "other"},
    ),
    Shown(
        cause="default-account",
        objects=(deployment(),),
        entity="namespace//shop",
        twin={"0/spec/template/spec/serviceAccountName": "cart"},
        alarm={"0/spec/template/spec/automountServiceAccountToken": False},
    ),
    Shown(
        cause="privileged-container",
        objects=(deployment(spec={"template": PRIVILEGED}),),
        entity="namespace//shop",
        twin={"0/spec/template/spec/containers/0/securityContext/privileged": False},
        alarm={"0/metadata/namespace": "kube-system"},
    ),
    Shown(
        cause="no-security-context",
        objects=(deployment(),),
        entity="namespace//shop",
        twin={"0/spec/template/spec/securityContext": {"runAsNonRoot": True}},
        # Pods of a controller are not written by people.
        alarm={"0": pod()},
    ),
    Shown(
        cause="wildcard-role",
        objects=(role(),),
        entity="role/shop/builder",
        twin={"0/rules/0/verbs": ["get"]},
        alarm={"0/metadata/name": "system:builder"},
    ),
)
