"""Pods as the scheduler and the kubelet show them: well, waiting, crashing, unready, never placed."""

from typing import Any

from tests.incidents.cluster import Cluster, Json, at, condition, copied, digest

WORKERS = ("worker-1", "worker-2", "worker-3")


def run(
    cluster: Cluster,
    namespace: str,
    owner: Json,
    template: Json,
    name: str,
    *,
    age: float,
    node: str = "",
    restarts: int = 0,
) -> Json:
    """A pod that runs and is ready."""
    number = len(cluster.all("Pod"))
    node = node or WORKERS[number % len(WORKERS)]
    spec: Json = (
        {
            "serviceAccountName": "default",
            "restartPolicy": "Always",
            "dnsPolicy": "ClusterFirst",
            "schedulerName": "default-scheduler",
            "terminationGracePeriodSeconds": 30,
            "priority": 0,
            "tolerations": [
                {
                    "key": f"node.kubernetes.io/{key}",
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": 300,
                }
                for key in ("not-ready", "unreachable")
            ],
        }
        | copied(template["spec"])
        | {"nodeName": node}
    )
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    pod = cluster.put(
        "Pod",
        namespace,
        name,
        age=age,
        spec=spec,
        metadata={"labels": dict(template["metadata"]["labels"]), "ownerReferences": [reference]},
    )
    pod["status"] = {
        "phase": "Running",
        "podIP": cluster.address(),
        "hostIP": f"172.18.0.{int(node[-1:]) + 2 if node[-1:].isdigit() else 2}",
        "startTime": at(age),
        "qosClass": "Burstable",
        "conditions": [
            condition("PodReadyToStartContainers", status=True, changed=age),
            condition("Initialized", status=True, changed=age),
            condition("Ready", status=True, changed=age - 0.3),
            condition("ContainersReady", status=True, changed=age - 0.3),
            condition("PodScheduled", status=True, changed=age),
        ],
        "containerStatuses": [_running(each, pod, age, restarts) for each in spec["containers"]],
    }
    if spec.get("initContainers"):
        pod["status"]["initContainerStatuses"] = [_completed(each, age) for each in spec["initContainers"]]
    return pod


def _running(container: Json, pod: Json, age: float, restarts: int) -> Json:
    since = age - 0.1 if not restarts else 5 * 24 * 60.0
    status: Json = {
        "name": container["name"],
        "image": container["image"],
        "ready": True,
        "started": True,
        "restartCount": restarts,
        "state": {"running": {"startedAt": at(since)}},
        "lastState": {},
        "imageID": f"{container['image'].split(':')[0]}@sha256:{digest(container['image'], 40)}",
        "containerID": f"containerd://{digest(pod['metadata']['name'] + container['name'], 40)}",
    }
    if restarts:
        ended = {"exitCode": 255, "reason": "Unknown", "startedAt": at(age), "finishedAt": at(since + 1)}
        status["lastState"] = {"terminated": ended}
    return status


def _completed(container: Json, age: float) -> Json:
    ended = {"exitCode": 0, "reason": "Completed", "startedAt": at(age), "finishedAt": at(age - 0.1)}
    return {
        "name": container["name"],
        "image": container["image"],
        "ready": True,
        "restartCount": 0,
        "imageID": f"sha256:{digest(container['image'], 40)}",
        "state": {"terminated": ended},
        "lastState": {},
    }


def status_of(pod: Json, container: str = "") -> Json:
    """One container's status; the first one's by default."""
    statuses = pod["status"]["containerStatuses"]
    return next((each for each in statuses if each["name"] == container), statuses[0])


def set_condition(pod: Json, kind: str, **fields: Any) -> None:
    """Replaces one condition of a pod."""
    conditions = pod["status"].setdefault("conditions", [])
    conditions[:] = [each for each in conditions if each["type"] != kind]
    conditions.append(condition(kind, **fields))


def unready(cluster: Cluster, pod: Json, *, since: float = 18, message: str = "", container: str = "") -> None:
    """It runs and its readiness probe fails."""
    status = status_of(pod, container)
    status["ready"] = False
    said = f"containers with unready status: [{status['name']}]"
    for kind in ("Ready", "ContainersReady"):
        set_condition(pod, kind, status=False, reason="ContainersNotReady", message=said, changed=since)
    if message:
        text = f"Readiness probe failed: {message}"
        cluster.event(pod, "Unhealthy", text, first=since, last=0.2, count=round(since * 6))


def waits(
    cluster: Cluster,
    pod: Json,
    reason: str,
    message: str,
    *,
    since: float = 18,
    event: str = "Failed",
    said: str = "",
    container: str = "",
) -> None:
    """A container that cannot be started; `said` is the event's text where it differs."""
    status = status_of(pod, container)
    status |= {"ready": False, "started": False, "imageID": "", "lastState": {}}
    status["state"] = {"waiting": {"reason": reason, "message": message}}
    status.pop("containerID", None)
    pod["status"]["phase"] = "Pending"
    unready(cluster, pod, since=since, container=container)
    if event:
        cluster.event(pod, event, said or message, first=since, last=0.6, count=round(since * 4))


def crash(
    cluster: Cluster,
    pod: Json,
    *lines: str,
    code: int = 1,
    reason: str = "Error",
    restarts: int = 7,
    since: float = 18,
    message: str = "",
    container: str = "",
    lasted: float = 0.05,
    age: float = 1.5,
) -> None:
    """It ends soon after each start, with these last words."""
    status = status_of(pod, container)
    name = status["name"]
    ended: Json = {
        "exitCode": code,
        "reason": reason,
        "startedAt": at(age + lasted),
        "finishedAt": at(age),
        "containerID": f"containerd://{digest(name + 'old', 40)}",
    }
    if message:
        ended["message"] = message
    full = f"{pod['metadata']['name']}_{pod['metadata']['namespace']}({pod['metadata']['uid']})"
    back_off = f"back-off 5m0s restarting failed container={name} pod={full}"
    status |= {
        "ready": False,
        "started": False,
        "restartCount": restarts,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": back_off}},
        "lastState": {"terminated": ended},
    }
    pod["status"]["phase"] = "Running"
    unready(cluster, pod, since=since, container=container)
    text = f"Back-off restarting failed container {name} in pod {full}"
    cluster.event(pod, "BackOff", text, first=since - 1, last=0.3, count=round(since * 5))
    image = status["image"]
    pulled = f'Container image "{image}" already present on machine'
    cluster.event(pod, "Pulled", pulled, first=since, last=age, count=restarts, kind="Normal")
    cluster.event(pod, "Created", f"Created container: {name}", first=since, last=age, count=restarts, kind="Normal")
    if reason != "StartError":
        cluster.event(pod, "Started", f"Started container {name}", first=since, last=age, count=restarts, kind="Normal")
    if lines:
        cluster.log(pod, *lines, container=name, since=age + lasted)
        cluster.log(pod, *lines, container=name, since=age + lasted, previous=True)


def pends(cluster: Cluster, pod: Json, why: str, *, since: float = 18) -> None:
    """No node takes it."""
    pod["spec"].pop("nodeName", None)
    pod["status"] = {"phase": "Pending", "qosClass": "Burstable", "conditions": []}
    if why:
        set_condition(pod, "PodScheduled", status=False, reason="Unschedulable", message=why, changed=since)
        cluster.event(
            pod, "FailedScheduling", why, first=since, last=min(2.0, since), count=4, source="default-scheduler"
        )


def creating(
    cluster: Cluster, pod: Json, reason: str, message: str, *, since: float = 18, state: str = "ContainerCreating"
) -> None:
    """It has a node, and its volumes or its network are not there."""
    pod["status"].pop("podIP", None)
    for status in pod["status"]["containerStatuses"]:
        status |= {"ready": False, "started": False, "state": {"waiting": {"reason": state}}, "imageID": ""}
    pod["status"]["phase"] = "Pending"
    said = f"containers with unready status: [{' '.join(each['name'] for each in pod['spec']['containers'])}]"
    for kind in ("Ready", "ContainersReady"):
        set_condition(pod, kind, status=False, reason="ContainersNotReady", message=said, changed=since)
    cluster.event(pod, reason, message, first=since, last=0.8, count=round(since / 2))


def init_fails(
    cluster: Cluster, pod: Json, container: Json, *lines: str, code: int = 1, since: float = 18, running: bool = False
) -> None:
    """Its init container fails, or never ends."""
    creating(
        cluster,
        pod,
        "Pulled",
        f'Container image "{container["image"]}" already present on machine',
        since=since,
        state="PodInitializing",
    )
    cluster.events.pop()
    state: Json = {"running": {"startedAt": at(since)}}
    last: Json = {}
    if not running:
        last = {"terminated": {"exitCode": code, "reason": "Error", "startedAt": at(2.1), "finishedAt": at(2)}}
        text = f"back-off 5m0s restarting failed container={container['name']} pod={pod['metadata']['name']}"
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": text}}
        cluster.event(
            pod, "BackOff", f"Back-off restarting failed container {container['name']}", first=since, last=0.5, count=60
        )
    pod["status"]["initContainerStatuses"] = [
        {
            "name": container["name"],
            "image": container["image"],
            "ready": False,
            "started": running,
            "restartCount": 0 if running else 7,
            "state": state,
            "lastState": last,
            "imageID": f"sha256:{digest(container['image'], 40)}",
        }
    ]
    set_condition(
        pod,
        "Initialized",
        status=False,
        reason="ContainersNotInitialized",
        changed=since,
        message=f"containers with incomplete status: [{container['name']}]",
    )
    cluster.log(pod, *lines, container=container["name"], since=since if running else 2)
    if not running:
        cluster.log(pod, *lines, container=container["name"], previous=True, since=2)


def killed(c: Cluster, pod: Json, message: str, *, lasted: float = 0.6, code: int = 137) -> None:
    """Its liveness probe fails again and again."""
    name = pod["spec"]["containers"][0]["name"]
    ip = pod["status"]["podIP"]
    crash(
        c,
        pod,
        "INFO listening on port 8080",
        "INFO received SIGTERM, shutting down",
        code=code,
        reason="Error" if code else "Completed",
        lasted=lasted,
    )
    c.event(pod, "Unhealthy", f"Liveness probe failed: {message.format(ip=ip)}", first=18, last=1.6, count=24)
    c.event(
        pod,
        "Killing",
        f"Container {name} failed liveness probe, will be restarted",
        first=17.5,
        last=1.5,
        count=7,
        kind="Normal",
    )
