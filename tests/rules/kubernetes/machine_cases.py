"""Cases about the platform's own parts, nodes, volumes, and pods that find no node."""

from typing import Any

from tests.rules.builders import ago, condition, deployment, ended, event, obj, owned, pod, status, waits
from tests.rules.kubernetes.cases import DROP, Shown
from tests.rules.kubernetes.platform_cases import CART, claim, node, storage_class

SYSTEM = "kube-system"


def static(name: str, *, ready: bool = False) -> dict[str, Any]:
    """A control-plane pod."""
    labels = {"component": name, "tier": "control-plane"}
    metadata: dict[str, Any] = {"namespace": SYSTEM, "labels": labels, "ownerReferences": [], "uid": f"uid-{name}"}
    crash = status(name, ready=ready, restarts=7, state=None if ready else waits("CrashLoopBackOff"), last=ended(1))
    return pod(f"{name}-control-1", crash, ready=ready, metadata=metadata)


def daemon(name: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A DaemonSet whose pod on worker-1 is not ready, and that node."""
    counts = {"desiredNumberScheduled": 3, "numberReady": 2}
    owner = obj("DaemonSet", name, SYSTEM, spec={}, status=counts)
    metadata: dict[str, Any] = {
        "namespace": SYSTEM,
        "ownerReferences": owned("DaemonSet", name),
        "labels": {},
        "uid": f"uid-{name}",
    }
    return owner, pod(f"{name}-x", status(restarts=5), metadata=metadata), node("worker-1", condition("Ready"))


def volume(**spec: Any) -> dict[str, Any]:
    """A volume that somebody made by hand."""
    stated = {"capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "manual", **spec}
    return obj("PersistentVolume", "disk-1", "", spec=stated, status={"phase": "Available"})


def waiting(**fields: Any) -> dict[str, Any]:
    """A pod without a node and without a word about it."""
    place = {"nodeName": "", **fields.pop("spec", {})}
    return pod(spec=place, status={"phase": "Pending", "conditions": [], "containerStatuses": [], **fields})


UNPLACED = waiting(conditions=[condition("PodScheduled", False, reason="Unschedulable", message="0/3 nodes")])
GONE = pod("cart-7d4f-gone")
WANTS = claim("data", "manual")
WANTS["spec"] |= {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "5Gi"}}}
HAND = storage_class("manual", is_default=False, provisioner="kubernetes.io/no-provisioner")
RESIZED = claim()
RESIZED["status"] = {"phase": "Bound", "conditions": [condition("FileSystemResizePending")]}
MOUNT = pod(status={"phase": "Pending", "containerStatuses": [status(state=waits("ContainerCreating"))]})
WEBHOOK_SERVICE = obj("Service", "policy", spec={"selector": {"app": "policy"}, "ports": [{"port": 443}]})
PLACE = {"namespace": "shop", "name": "policy"}
HOOK = {"name": "check.policy.test", "failurePolicy": "Fail", "clientConfig": {"service": PLACE}}
WEBHOOK = obj("ValidatingWebhookConfiguration", "policy", "", webhooks=[HOOK])


def versioned(name: str, version: str) -> dict[str, Any]:
    """A node with a kubelet of that version."""
    return obj("Node", name, "", status={"nodeInfo": {"kubeletVersion": version}, "conditions": [condition("Ready")]})


CASES: tuple[Shown, ...] = (
    Shown(
        cause="controller-down",
        objects=(static("kube-scheduler"),),
        entity="pod/kube-system/kube-scheduler-control-1",
        twin={"0/status/conditions/0/status": "True"},
        alarm={"0/status/conditions/0/lastTransitionTime": ago(1)},
    ),
    Shown(
        cause="control-plane-pod-down",
        objects=(static("etcd"),),
        entity="pod/kube-system/etcd-control-1",
        twin={"0/status/conditions/0/status": "True"},
        alarm={"0/status/conditions/0/lastTransitionTime": ago(1)},
    ),
    Shown(
        cause="kube-proxy-down",
        objects=daemon("kube-proxy"),
        entity="daemonset/kube-system/kube-proxy",
        twin={"1/status/conditions/0/status": "True"},
        # On a node that is down everything is.
        alarm={"2/status/conditions/0/status": "Unknown"},
    ),
    Shown(
        cause="cni-down",
        objects=daemon("calico-node"),
        entity="daemonset/kube-system/calico-node",
        twin={"1/status/conditions/0/status": "True"},
        alarm={"2/status/conditions/0/status": "False"},
    ),
    Shown(
        cause="webhook-no-pods",
        objects=(WEBHOOK, WEBHOOK_SERVICE),
        entity="validatingwebhookconfiguration//policy",
        twin={"0/webhooks/0/failurePolicy": "Ignore"},
        alarm={"0/webhooks/0/clientConfig": {"url": "https://policy.test/"}},
    ),
    Shown(
        cause="node-custom-condition",
        objects=(node("worker-1", condition("ReadonlyFilesystem", message="remounted read-only")),),
        entity="node//worker-1",
        twin={"0/status/conditions/0/status": "False"},
        # A type where True is good.
        alarm={"0/status/conditions/0/type": "EtcdIsVoter"},
    ),
    Shown(
        cause="clock-skew",
        objects=(node("worker-1", condition("NTPProblem", message="clock is off by 312 s")),),
        entity="node//worker-1",
        twin={"0/status/conditions/0/status": "False"},
    ),
    Shown(
        cause="version-skew",
        objects=(versioned("worker-1", "v1.27.3"), versioned("worker-2", "v1.31.4")),
        entity="node//worker-1",
        twin={"0/status/nodeInfo/kubeletVersion": "v1.28.9"},
        alarm={"0/status/nodeInfo/kubeletVersion": "unknown"},
    ),
    Shown(
        cause="scheduling-gated",
        objects=(waiting(spec={"schedulingGates": [{"name": "cost.test/approved"}]}), deployment()),
        entity=CART,
        twin={"0/spec/schedulingGates": []},
        alarm={"0/spec/schedulingGates/0/name": "kueue.x-k8s.io/admission"},
    ),
    Shown(
        cause="scheduler-silent",
        objects=(waiting(spec={"schedulerName": "batch"}), deployment()),
        entity=CART,
        twin={"0/status/conditions": [condition("PodScheduled", False, reason="Unschedulable")]},
        alarm={"0/metadata/creationTimestamp": ago(0.5)},
    ),
    Shown(
        cause="autoscaler-not-scaling",
        objects=(UNPLACED, deployment(), event("NotTriggerScaleUp", "max node group size reached", UNPLACED)),
        entity=CART,
        twin={"2/reason": "TriggeredScaleUp"},
        alarm={"0/status/conditions/0/lastTransitionTime": ago(3)},
    ),
    Shown(
        cause="pod-preempted",
        objects=(UNPLACED, deployment(), event("Preempted", "Preempted by pod 2b1c on node worker-1", GONE), GONE),
        entity=CART,
        twin={"2/reason": "Killing"},
        # It got its pods back.
        alarm={"0/status/conditions/0/status": "True"},
    ),
    Shown(
        cause="volume-claim-mismatch",
        objects=(WANTS, volume(), HAND),
        entity="persistentvolumeclaim/shop/data",
        twin={"0/spec/accessModes": ["ReadWriteOnce"]},
        # Somebody makes the volumes of this class.
        alarm={"2/provisioner": "csi.test"},
    ),
    Shown(
        cause="mount-refused",
        objects=(MOUNT, event("FailedMount", "mount failed: exit status 32: mount.nfs: Connection timed out", MOUNT)),
        entity=CART,
        twin={"1/message": "failed to sync configmap cache"},
        alarm={"0/status/conditions": [condition("Ready", minutes=30)]},
    ),
    Shown(
        cause="several-default-classes",
        objects=(storage_class("fast"), storage_class("slow")),
        entity="storageclass//fast",
        twin={"1/metadata/annotations": {}},
    ),
    Shown(
        cause="pv-failed",
        objects=(volume() | {"status": {"phase": "Failed", "message": "disk is in use"}},),
        entity="persistentvolume//disk-1",
        twin={"0/status/phase": "Bound"},
    ),
    Shown(
        cause="pv-released",
        objects=(volume() | {"status": {"phase": "Released"}},),
        entity="persistentvolume//disk-1",
        twin={"0/status/phase": "Bound"},
    ),
    Shown(
        cause="volume-resize-pending",
        objects=(RESIZED,),
        entity="persistentvolumeclaim/shop/data",
        twin={"0/status/conditions/0/status": "False"},
        alarm={"0/status/conditions/0/lastTransitionTime": ago(2)},
    ),
    Shown(
        cause="deprecated-provisioner",
        objects=(storage_class(provisioner="kubernetes.io/aws-ebs"),),
        entity="storageclass//fast",
        twin={"0/provisioner": "ebs.csi.aws.com"},
        # Volumes made by hand are no driver.
        alarm={"0/provisioner": "kubernetes.io/no-provisioner"},
    ),
    Shown(
        cause="tiny-volume",
        objects=(obj("PersistentVolumeClaim", "data", spec={"resources": {"requests": {"storage": "100Mi"}}}),),
        entity="persistentvolumeclaim/shop/data",
        twin={"0/spec/resources/requests/storage": "1Gi"},
        alarm={"0/spec/resources": DROP},
    ),
)
