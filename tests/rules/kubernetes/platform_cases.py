"""Cases about nodes, storage, configuration, the control plane and recent changes."""

from typing import Any

from tests.rules.builders import (
    ago,
    condition,
    container,
    deployment,
    event,
    obj,
    owned,
    pod,
    replica_set,
    status,
    waits,
)
from tests.rules.kubernetes.cases import Shown

CART = "deployment/shop/cart"


def claim(name: str = "data", storage_class: Any = "fast", **more: Any) -> dict[str, Any]:
    """A claim that waits."""
    spec = {"storageClassName": storage_class} if storage_class is not None else {}
    return obj("PersistentVolumeClaim", name, spec=spec, status={"phase": "Pending"}, age=30, **more)


def storage_class(name: str = "fast", *, is_default: bool = True, **more: Any) -> dict[str, Any]:
    """A storage class."""
    flag = {"storageclass.kubernetes.io/is-default-class": str(is_default).lower()}
    return obj("StorageClass", name, "", metadata={"annotations": flag}, **more)


def node(name: str = "worker-1", *conditions: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A node."""
    return obj("Node", name, "", spec=spec, status={"conditions": list(conditions) or [condition("Ready")]})


def sick(cause: str, kind: str) -> Shown:
    """A node under some pressure."""
    return Shown(
        cause=cause,
        objects=(node("worker-1", condition(kind)),),
        entity="node//worker-1",
        twin={"0/status/conditions/0/status": "False"},
        alarm={"0/status/conditions/0/lastTransitionTime": ago(0.1)},
    )


POD = pod()
MOUNT = event("FailedMount", 'MountVolume.SetUp failed for volume "x": permission denied', POD)
ATTACH = event("FailedAttachVolume", "Multi-Attach error for volume: already exclusively attached", POD)
PROVISION = event("ProvisioningFailed", "failed to provision volume: quota of disks exceeded", claim())
NEEDS = {"phase": "Pending", "containerStatuses": [status(state=waits("ContainerCreating"))]}
ENV = [{"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}}}]
SETTINGS = obj("ConfigMap", "settings", data={"colour": "red"})
WEBHOOK = obj(
    "ValidatingWebhookConfiguration", "policy", "",
    webhooks=[{"name": "check.policy.test", "failurePolicy": "Fail",
               "clientConfig": {"service": {"namespace": "shop", "name": "policy"}}}],
)  # fmt: skip
DNS = deployment("coredns", replicas=2, ready=0, namespace="kube-system")
NEWER = replica_set(
    "cart-9c1b",
    metadata={"ownerReferences": owned("Deployment", "cart"), "creationTimestamp": ago(20)},
    spec={"replicas": 1, "template": {"spec": {"containers": [container(image="registry.test/cart:2")]}}},
)
OLDER = replica_set(spec={"replicas": 1, "template": {"spec": {"containers": [container()]}}})


CASES: tuple[Shown, ...] = (
    Shown(
        cause="node-not-ready",
        objects=(node("worker-1", condition("Ready", "Unknown", reason="NodeStatusUnknown")),),
        entity="node//worker-1",
        twin={"0/status/conditions/0/status": "True"},
        alarm={"0/status/conditions/0/lastTransitionTime": ago(0.5)},
    ),
    sick("node-memory-pressure", "MemoryPressure"),
    sick("node-disk-pressure", "DiskPressure"),
    sick("node-pid-pressure", "PIDPressure"),
    sick("node-network-unavailable", "NetworkUnavailable"),
    Shown(
        cause="node-cordoned",
        objects=(
            node(unschedulable=True, taints=[{"key": "node.kubernetes.io/unschedulable", "timeAdded": ago(3000)}]),
        ),
        entity="node//worker-1",
        twin={"0/spec/unschedulable": False},
        alarm={"0/spec/taints/0/timeAdded": ago(60)},
    ),
    Shown(
        cause="configmap-missing",
        objects=(pod(spec={"volumes": [{"name": "x", "configMap": {"name": "settings"}}]}, status=NEEDS),),
        entity=CART,
        twin={"0/status/phase": "Running"},
        alarm={"0/spec/volumes/0/configMap/optional": True},
    ),
    Shown(
        cause="secret-missing",
        objects=(POD, event("FailedMount", 'MountVolume.SetUp failed: secret "cart-db" not found', POD)),
        entity=CART,
        twin={"1/message": "MountVolume.SetUp failed: permission denied"},
        alarm={"0/status/conditions": [condition("Ready")]},
    ),
    Shown(
        cause="config-key-missing",
        objects=(pod(spec={"containers": [container(env=ENV)]}, status=NEEDS), SETTINGS),
        entity=CART,
        twin={"1/data": {"level": "info"}},
        alarm={"0/spec/containers/0/env/0/valueFrom/configMapKeyRef/optional": True},
    ),
    Shown(
        cause="claim-pending",
        objects=(claim(), storage_class()),
        entity="persistentvolumeclaim/shop/data",
        twin={"0/status/phase": "Bound"},
        alarm={"1/volumeBindingMode": "WaitForFirstConsumer"},
    ),
    Shown(
        cause="claim-missing",
        objects=(
            pod(spec={"volumes": [{"name": "x", "persistentVolumeClaim": {"claimName": "data"}}]}, status=NEEDS),
            claim("data-1"),
        ),
        entity=CART,
        twin={"1/metadata/name": "data"},
        alarm={"0/status/phase": "Running"},
    ),
    Shown(
        cause="storage-class-missing",
        objects=(claim(), storage_class("standard")),
        entity="persistentvolumeclaim/shop/data",
        twin={"1/metadata/name": "fast"},
        alarm={"0/spec/storageClassName": ""},
    ),
    Shown(
        cause="no-default-class",
        objects=(claim(storage_class=None), storage_class(is_default=False)),
        entity="persistentvolumeclaim/shop/data",
        twin={"1/metadata/annotations/storageclass.kubernetes.io~1is-default-class": "true"},
        alarm={"0/spec/storageClassName": "fast"},
    ),
    Shown(
        cause="provisioning-failed",
        objects=(claim(), PROVISION),
        entity="persistentvolumeclaim/shop/data",
        twin={"1/reason": "Provisioning"},
        alarm={"0/status/phase": "Bound"},
    ),
    Shown(
        cause="claim-lost",
        objects=(obj("PersistentVolumeClaim", "data", spec={"volumeName": "pv-1"}, status={"phase": "Lost"}),),
        entity="persistentvolumeclaim/shop/data",
        twin={"0/status/phase": "Bound"},
    ),
    Shown(
        cause="volume-mount-failed",
        objects=(POD, MOUNT),
        entity=CART,
        twin={"1/reason": "SuccessfulMountVolume"},
        alarm={"0/status/conditions": [condition("Ready")]},
    ),
    Shown(
        cause="volume-multi-attach",
        objects=(POD, ATTACH),
        entity=CART,
        twin={"1/message": "AttachVolume.Attach failed: quota"},
        alarm={"1/firstTimestamp": ago(3)},
    ),
    Shown(
        cause="csi-driver-missing",
        objects=(POD, event("FailedMount", "driver name x not found in the list of registered CSI drivers", POD)),
        entity=CART,
        twin={"1/message": "permission denied"},
        alarm={"0/status/conditions": [condition("Ready")]},
    ),
    Shown(
        cause="coredns-down",
        objects=(DNS,),
        entity="deployment/kube-system/coredns",
        twin={"0/status/readyReplicas": 2},
        alarm={"0/metadata/namespace": "shop"},
    ),
    Shown(
        cause="apiservice-unavailable",
        objects=(
            obj("APIService", "v1beta1.metrics.k8s.io", "", status={"conditions": [condition("Available", False)]}),
        ),
        entity="apiservice//v1beta1.metrics.k8s.io",
        twin={"0/status/conditions/0/status": "True"},
        alarm={"0/status/conditions/0/lastTransitionTime": ago(1)},
    ),
    Shown(
        cause="webhook-service-missing",
        objects=(WEBHOOK,),
        entity="validatingwebhookconfiguration//policy",
        twin={"0/webhooks/0/failurePolicy": "Ignore"},
        alarm={"0/webhooks/0/clientConfig": {"url": "https://policy.test/"}},
    ),
    Shown(
        cause="namespace-terminating",
        objects=(
            obj("Namespace", "old", "", metadata={"deletionTimestamp": ago(60)}, status={"phase": "Terminating"}),
        ),
        entity="namespace//old",
        twin={"0/status/phase": "Active"},
        alarm={"0/metadata/deletionTimestamp": ago(3)},
    ),
    Shown(
        cause="recent-change",
        objects=(deployment(), OLDER, NEWER),
        entity=CART,
        twin={"2/metadata/creationTimestamp": ago(3000)},
        # Restarted by hand: nothing differs.
        alarm={"2/spec/template/spec/containers/0/image": "registry.test/cart:1"},
    ),
)
