"""What every cluster rests on: nodes, the control plane, DNS, metrics, storage, the way in."""

from tests.incidents.cluster import DAY, Cluster, Json, at, condition
from tests.incidents.kubelet import WORKERS, run
from tests.incidents.workloads import container, daemons, deploy, service


def add_nodes(cluster: Cluster) -> None:
    """One node of the control plane, and the workers."""
    for name in ("control-1", *WORKERS):
        control = name == "control-1"
        labels = {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "topology.kubernetes.io/zone": f"zone-{'a' if name in ('control-1', 'worker-1') else name[-1]}",
        }
        if control:
            labels["node-role.kubernetes.io/control-plane"] = ""
        capacity = {"cpu": "8", "memory": "32Gi", "pods": "110", "ephemeral-storage": "100Gi"}
        spec: Json = {"podCIDR": "10.244.0.0/24"}
        if control:
            spec["taints"] = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
        cluster.put(
            "Node",
            "",
            name,
            age=200 * DAY,
            metadata={"labels": labels},
            spec=spec,
            status={
                "capacity": capacity,
                "allocatable": capacity | {"memory": "31Gi"},
                "addresses": [{"type": "InternalIP", "address": f"172.18.0.{2 if control else int(name[-1]) + 2}"}],
                "nodeInfo": {
                    "kubeletVersion": "v1.31.4",
                    "containerRuntimeVersion": "containerd://1.7.24",
                    "kubeProxyVersion": "v1.31.4",
                    "osImage": "Ubuntu 22.04.5 LTS",
                    "architecture": "amd64",
                },
                "conditions": [
                    _node_condition(
                        "MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"
                    ),
                    _node_condition("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                    _node_condition("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                    _node_condition("Ready", "KubeletReady", "kubelet is posting ready status", status=True),
                ],
            },
        )
        cluster.put(
            "Lease",
            "kube-node-lease",
            name,
            age=200 * DAY,
            spec={"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": at(0.1)},
        )


def _node_condition(kind: str, reason: str, message: str, *, status: bool = False) -> Json:
    return condition(kind, status=status, reason=reason, message=message, changed=30 * DAY) | {
        "lastHeartbeatTime": at(2)
    }


def add_platform(cluster: Cluster) -> None:
    """Everything in kube-system, and the controller of ingresses."""
    everywhere = ("control-1", *WORKERS)
    for name in ("kube-apiserver", "etcd", "kube-controller-manager", "kube-scheduler"):
        static_pod(cluster, name)
    for name in ("kube-controller-manager", "kube-scheduler"):
        cluster.put(
            "Lease",
            "kube-system",
            name,
            age=200 * DAY,
            spec={"holderIdentity": "control-1_6f2c", "leaseDurationSeconds": 15, "renewTime": at(0.05)},
        )
    proxy = container("kube-proxy", "registry.k8s.io/kube-proxy:v1.31.4", 10256)
    daemons(
        cluster,
        "kube-system",
        "kube-proxy",
        {"spec": {"containers": [proxy], "hostNetwork": True}, "labels": {"k8s-app": "kube-proxy"}},
        nodes=everywhere,
    )
    network = container("calico-node", "docker.io/calico/node:v3.29.1", 9099)
    daemons(
        cluster,
        "kube-system",
        "calico-node",
        {"spec": {"containers": [network], "hostNetwork": True}, "labels": {"k8s-app": "calico-node"}},
        nodes=everywhere,
    )
    dns = container("coredns", "registry.k8s.io/coredns/coredns:v1.11.3", 53)
    deploy(
        cluster,
        "kube-system",
        "coredns",
        {"spec": {"containers": [dns]}, "labels": {"k8s-app": "kube-dns"}},
        replicas=2,
    )
    service(
        cluster,
        "kube-system",
        "kube-dns",
        53,
        selector={"k8s-app": "kube-dns"},
        clusterIP="10.96.0.10",
        ports=[
            {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
            {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
        ],
    )
    corefile = (
        ".:53 {\n    errors\n    health\n    ready\n    kubernetes cluster.local in-addr.arpa ip6.arpa\n    "
        "forward . /etc/resolv.conf\n    cache 30\n}\n"
    )
    cluster.put("ConfigMap", "kube-system", "coredns", age=200 * DAY, data={"Corefile": corefile})
    metrics = container("metrics-server", "registry.k8s.io/metrics-server/metrics-server:v0.7.2", 10250)
    deploy(cluster, "kube-system", "metrics-server", {"spec": {"containers": [metrics]}})
    service(cluster, "kube-system", "metrics-server", 443, ports=[{"name": "https", "port": 443, "targetPort": "main"}])
    cluster.put(
        "APIService",
        "",
        "v1beta1.metrics.k8s.io",
        age=200 * DAY,
        spec={"service": {"name": "metrics-server", "namespace": "kube-system", "port": 443}},
        status={"conditions": [condition("Available", status=True, reason="Passed", message="all checks passed")]},
    )
    cluster.put(
        "StorageClass",
        "",
        "standard",
        age=200 * DAY,
        provisioner="csi.example.com",
        reclaimPolicy="Delete",
        volumeBindingMode="WaitForFirstConsumer",
        metadata={"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    )
    cluster.put("IngressClass", "", "nginx", age=200 * DAY, spec={"controller": "k8s.io/ingress-nginx"})
    for name, value in (("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)):
        cluster.put("PriorityClass", "", name, age=200 * DAY, value=value)
    cluster.put(
        "Service",
        "default",
        "kubernetes",
        age=200 * DAY,
        spec={
            "type": "ClusterIP",
            "clusterIP": "10.96.0.1",
            "ports": [{"name": "https", "port": 443, "targetPort": 6443}],
        },
    )
    gate = container("controller", "registry.k8s.io/ingress-nginx/controller:v1.12.0", 443)
    deploy(cluster, "ingress-nginx", "ingress-nginx-controller", {"spec": {"containers": [gate]}})
    service(cluster, "ingress-nginx", "ingress-nginx-controller", 443, type="LoadBalancer")
    cluster.get("Service", "ingress-nginx-controller", "ingress-nginx")["status"] = {
        "loadBalancer": {"ingress": [{"ip": "203.0.113.10"}]}
    }
    service(
        cluster,
        "ingress-nginx",
        "ingress-nginx-controller-admission",
        443,
        selector={"app": "ingress-nginx-controller"},
    )
    cluster.put(
        "ValidatingWebhookConfiguration",
        "",
        "ingress-nginx-admission",
        webhooks=[
            {
                "name": "validate.nginx.ingress.kubernetes.io",
                "failurePolicy": "Fail",
                "timeoutSeconds": 10,
                "sideEffects": "None",
                "clientConfig": {
                    "caBundle": "Q0E=",
                    "service": {
                        "namespace": "ingress-nginx",
                        "port": 443,
                        "name": "ingress-nginx-controller-admission",
                    },
                },
                "rules": [
                    {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "operations": ["CREATE", "UPDATE"]}
                ],
            }
        ],
    )


def static_pod(cluster: Cluster, name: str) -> Json:
    """A control-plane pod that the kubelet runs from a file."""
    made = container(name, f"registry.k8s.io/{name}:v1.31.4", 6443)
    node = cluster.get("Node", "control-1")
    template: Json = {
        "metadata": {"labels": {"component": name, "tier": "control-plane"}},
        "spec": {"containers": [made], "hostNetwork": True, "priorityClassName": "system-node-critical"},
    }
    return run(cluster, "kube-system", node, template, f"{name}-control-1", age=30 * DAY, node="control-1", restarts=2)
