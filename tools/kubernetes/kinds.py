"""How people and `kubectl` call kinds of objects, and what the objects themselves say. Pure."""

from tools.kind import plural

_SHORT = {
    "po": "Pod", "deploy": "Deployment", "rs": "ReplicaSet", "sts": "StatefulSet", "ds": "DaemonSet", "cj": "CronJob",
    "svc": "Service", "ep": "Endpoints", "ing": "Ingress", "netpol": "NetworkPolicy", "no": "Node", "ns": "Namespace",
    "cm": "ConfigMap", "pvc": "PersistentVolumeClaim", "pv": "PersistentVolume", "sc": "StorageClass",
    "hpa": "HorizontalPodAutoscaler", "pdb": "PodDisruptionBudget", "sa": "ServiceAccount", "ev": "Event",
    "quota": "ResourceQuota", "limits": "LimitRange", "crd": "CustomResourceDefinition", "pc": "PriorityClass",
}  # fmt: skip

NATIVE = (
    *_SHORT.values(), "Job", "EndpointSlice", "IngressClass", "Lease", "Secret", "VolumeAttachment", "CSIDriver",
    "CSINode", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration", "APIService", "RuntimeClass", "ControllerRevision", "ReplicationController",
)  # fmt: skip
"""The kinds whose names people shorten, write in lower case or in the plural."""

CLUSTER_SCOPED = frozenset((
    "Node", "Namespace", "PersistentVolume", "StorageClass", "CustomResourceDefinition", "PriorityClass",
    "IngressClass", "VolumeAttachment", "CSIDriver", "CSINode", "ClusterRole", "ClusterRoleBinding",
    "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "APIService", "RuntimeClass",
))  # fmt: skip


_WORDS = {**_SHORT, **{kind.lower(): kind for kind in NATIVE}, **{plural(kind): kind for kind in NATIVE}}


def canonical(word: str) -> str:
    """`Pod` for `pod`, `pods` and `po`; a word that is no native kind stays as it is."""
    return _WORDS.get(word.lower(), word)
