"""Cases about pods: how containers end, start, pull their images, pass their probes and find a node."""

from typing import Any

from tests.rules.builders import ago, condition, container, ended, event, owned, pod, status, waits
from tests.rules.kubernetes.cases import DROP, Shown

CART = "deployment/shop/cart"
STATE = "0/status/containerStatuses/0/state"
LAST = "0/status/containerStatuses/0/lastState/terminated"
WELL = {"running": {"startedAt": ago(30)}}
BACK_OFF = waits("CrashLoopBackOff", "back-off 5m0s restarting failed container")
RETRIED = {"0/metadata/ownerReferences": owned("Job", "cart")}
SETTLED = {STATE: WELL, "0/status/containerStatuses/0/ready": True, "0/status/conditions": [condition("Ready")]}


def crashing(code: int, reason: str = "Error", **more: Any) -> dict[str, Any]:
    """A pod whose container ended so and waits to be started again."""
    return pod("cart-7d4f-a", status(restarts=5, state=BACK_OFF, last=ended(code, reason, **more)))


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    """A pod whose container waits for that reason."""
    fields: dict[str, Any] = {"status": {"phase": "Pending"}, **more}
    return pod("cart-7d4f-a", status(state=waits(reason, message)), **fields)


def pending(message: str, **spec: Any) -> dict[str, Any]:
    """A pod that the scheduler cannot place."""
    why = condition("PodScheduled", False, minutes=10, reason="Unschedulable", message=message)
    state = {"phase": "Pending", "containerStatuses": [], "conditions": [why]}
    return pod(spec={"nodeName": "", **spec}, status=state)


def probed(message: str, probe: dict[str, Any], kind: str = "readiness", **more: Any) -> tuple[dict[str, Any], ...]:
    """A pod that runs unready, and the probe's event."""
    spec = {"containers": [container() | {f"{kind}Probe": probe}]}
    found = pod("cart-7d4f-a", status(**more), spec=spec)
    about = event("Unhealthy", message, found)
    about["involvedObject"]["fieldPath"] = "spec.containers{cart}"
    return found, about


REFUSED = 'Readiness probe failed: Get "http://10.0.0.1:9090/": dial tcp 10.0.0.1:9090: connect: connection refused'
SLOW = 'Liveness probe failed: Get "http://10.0.0.1:8080/": context deadline exceeded'
LIVE = {"httpGet": {"port": 8080, "path": "/"}, "periodSeconds": 10, "failureThreshold": 3}
PULL = "Failed to pull image: "
POD = pod()
EVICTED = pod(status={"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."})
SCHEDULING = "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 "
PREEMPTION = ". preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."


def unplaced(cause: str, reason: str, alarm: str) -> Shown:
    """A scheduler's reason, beside one that is not to be taken for it."""
    return Shown(
        cause=cause,
        objects=(pending(SCHEDULING + reason + PREEMPTION),),
        entity=CART,
        twin={"0/status/conditions/0/status": "True"},
        alarm={"0/status/conditions/0/message": alarm},
    )


def unpulled(cause: str, message: str, twin: str) -> Shown:
    """A registry's answer, beside another."""
    return Shown(
        cause=cause,
        objects=(waiting("ErrImagePull", PULL + message),),
        entity=CART,
        twin={f"{STATE}/waiting/message": PULL + twin},
        alarm=SETTLED,
    )


ABSENT = "rpc error: code = NotFound: registry.test/cart:9: not found"
DENIED = "unexpected status: 401 Unauthorized"

CASES: tuple[Shown, ...] = (
    Shown(cause="crash-loop", objects=(crashing(1),), entity=CART, twin={STATE: WELL, LAST: {}}, alarm=SETTLED),
    Shown(
        cause="restart-storm",
        objects=(pod("cart-7d4f-a", status(restarts=4, last=ended(1)), age=15),),
        entity=CART,
        twin={"0/status/containerStatuses/0/restartCount": 2},
        alarm={f"{LAST}/finishedAt": ago(200)},
    ),
    Shown(cause="app-exits", objects=(crashing(1),), entity=CART, twin={f"{LAST}/exitCode": 0}, alarm=RETRIED),
    Shown(
        cause="command-not-found",
        objects=(crashing(127, "ContainerCannotRun"),),
        entity=CART,
        twin={f"{LAST}/exitCode": 1},
        alarm=SETTLED,
    ),
    Shown(
        cause="main-process-ends",
        objects=(crashing(0, "Completed"),),
        entity=CART,
        twin={f"{LAST}/exitCode": 1},
        alarm=RETRIED,
    ),
    Shown(cause="segfault", objects=(crashing(139),), entity=CART, twin={f"{LAST}/exitCode": 1}, alarm=SETTLED),
    Shown(
        cause="exec-format-error",
        objects=(crashing(1, message="exec /app: exec format error"),),
        entity=CART,
        twin={f"{LAST}/message": "panic: no configuration"},
    ),
    Shown(
        cause="oom-killed",
        objects=(crashing(137, "OOMKilled"),),
        entity=CART,
        twin={f"{LAST}/reason": "Error"},
        alarm={f"{LAST}/finishedAt": ago(600)},
    ),
    Shown(
        cause="init-failing",
        objects=(
            pod(
                spec={"initContainers": [{"name": "migrate"}]},
                status={
                    "phase": "Pending",
                    "containerStatuses": [],
                    "initContainerStatuses": [status("migrate", restarts=3, state=BACK_OFF, last=ended(1))],
                },
            ),
        ),
        entity=CART,
        twin={"0/status/initContainerStatuses/0/state": {"terminated": ended(0, "Completed")}},
        # Still in its usual time.
        alarm={"0/status/initContainerStatuses/0": status("migrate", state={"running": {"startedAt": ago(4)}})},
    ),
    Shown(
        cause="sidecar-not-ready",
        objects=(
            pod(
                "cart-7d4f-a",
                status(ready=True),
                status("proxy"),
                spec={"containers": [container(), container("proxy")]},
            ),
        ),
        entity=CART,
        twin={"0/status/containerStatuses/1/ready": True},
        alarm={"0/status/conditions/0": condition("Ready", False, minutes=1)},
    ),
    Shown(
        cause="container-config-error",
        objects=(waiting("CreateContainerConfigError", 'configmap "settings" not found'),),
        entity=CART,
        twin={STATE: WELL},
    ),
    Shown(
        cause="container-create-error",
        objects=(waiting("CreateContainerError", "the container name is already in use"),),
        entity=CART,
        twin={f"{STATE}/waiting/reason": "ContainerCreating"},
    ),
    Shown(
        cause="post-start-hook-failed",
        objects=(POD, event("FailedPostStartHook", "Exec lifecycle hook failed", POD)),
        entity=CART,
        twin={"1/reason": "Started"},
        alarm=SETTLED,
    ),
    Shown(
        cause="sandbox-create-failed",
        objects=(POD, event("FailedCreatePodSandBox", "failed to assign an IP address", POD)),
        entity=CART,
        twin={"1/reason": "Started"},
        alarm={"1/count": 1},
    ),
    Shown(
        cause="pod-evicted",
        objects=(EVICTED,),
        entity=CART,
        twin={"0/status/reason": "Completed"},
        alarm={"0/status/conditions/0/lastTransitionTime": ago(6000)},
    ),
    Shown(
        cause="ephemeral-storage-exceeded",
        objects=(
            pod(status={"phase": "Failed", "reason": "Evicted", "message": "usage exceeds ephemeral-storage limit"}),
        ),
        entity=CART,
        twin={"0/status/message": "The node was low on resource: memory."},
        alarm={"0/status/conditions/0/lastTransitionTime": ago(6000)},
    ),
    Shown(
        cause="stuck-terminating",
        objects=(
            pod(
                metadata={
                    "deletionTimestamp": ago(20),
                    "finalizers": ["example.test/hold"],
                    "ownerReferences": owned("Deployment", "cart"),
                }
            ),
        ),
        entity=CART,
        twin={"0/metadata/deletionTimestamp": DROP},
        alarm={"0/metadata/deletionTimestamp": ago(1)},
    ),
    unpulled("image-not-found", ABSENT, DENIED),
    unpulled("image-auth-failed", DENIED, ABSENT),
    unpulled("registry-unreachable", "dial tcp: lookup registry.test: no such host", ABSENT),
    unpulled("image-rate-limited", "429 Too Many Requests - toomanyrequests", ABSENT),
    unpulled("image-store-broken", "write /var/lib: no space left on device", ABSENT),
    Shown(
        cause="pull-secret-missing",
        objects=(waiting("ErrImagePull", PULL + DENIED, spec={"imagePullSecrets": [{"name": "registry"}]}),),
        entity=CART,
        twin={"0/spec/imagePullSecrets": []},
        alarm=SETTLED,
    ),
    Shown(
        cause="invalid-image-name",
        objects=(waiting("InvalidImageName", "couldn't parse image name"),),
        entity=CART,
        twin={f"{STATE}/waiting/reason": "ContainerCreating"},
    ),
    Shown(
        cause="image-never-pull",
        objects=(waiting("ErrImageNeverPull", "image is not present with pull policy of Never"),),
        entity=CART,
        twin={f"{STATE}/waiting/reason": "ContainerCreating"},
    ),
    Shown(
        cause="readiness-failing",
        objects=(pod(),),
        entity=CART,
        twin={"0/status/containerStatuses/0/ready": True},
        alarm={"0/status/conditions/0/lastTransitionTime": ago(1)},
    ),
    Shown(
        cause="liveness-killing",
        objects=probed(SLOW, LIVE, "liveness", restarts=3, last=ended(137, "Error")),
        entity=CART,
        twin={"1/message": SLOW.replace("Liveness", "Readiness")},
        alarm=SETTLED,
    ),
    Shown(
        cause="startup-too-short",
        objects=probed(SLOW, LIVE, "liveness", restarts=3, last=ended(137, lived_s=40)),
        entity=CART,
        twin={f"{LAST}/startedAt": ago(90)},
        alarm={f"{LAST}/startedAt": ago(3.05)},
    ),
    Shown(
        cause="probe-port-mismatch",
        objects=probed(REFUSED, {"httpGet": {"port": 9090, "path": "/"}}),
        entity=CART,
        twin={"0/spec/containers/0/readinessProbe/httpGet/port": 8080},
        # A port need not be declared.
        alarm={"0/spec/containers/0/ports": []},
    ),
    Shown(
        cause="probe-path-wrong",
        objects=probed("Readiness probe failed: HTTP probe failed with statuscode: 404", {"httpGet": {"port": 8080}}),
        entity=CART,
        twin={"1/message": "Readiness probe failed: HTTP probe failed with statuscode: 503"},
        alarm=SETTLED,
    ),
    Shown(
        cause="probe-timeout",
        objects=probed(SLOW, LIVE, "liveness"),
        entity=CART,
        twin={"1/message": "Liveness probe failed: HTTP probe failed with statuscode: 500"},
        alarm={"1/count": 1},
    ),
    Shown(
        cause="pod-pending",
        objects=(pending(SCHEDULING + "Insufficient cpu" + PREEMPTION),),
        entity=CART,
        twin={"0/status/phase": "Running"},
        alarm={"0/status/conditions/0/lastTransitionTime": ago(0.5)},
    ),
    unplaced("insufficient-cpu", "Insufficient cpu", SCHEDULING + "Insufficient memory" + PREEMPTION),
    unplaced("insufficient-memory", "Insufficient memory", SCHEDULING + "Insufficient cpu" + PREEMPTION),
    unplaced("insufficient-extended-resource", "Insufficient nvidia.com/gpu", SCHEDULING + "Insufficient cpu"),
    unplaced(
        "node-selector-mismatch",
        "node(s) didn't match Pod's node affinity/selector",
        # The nodes that match are full: the selector is met.
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match Pod's node affinity/selector.",
    ),
    unplaced("taint-not-tolerated", "node(s) had untolerated taint {team: data}", SCHEDULING + "Insufficient cpu."),
    unplaced(
        "affinity-unsatisfiable",
        "node(s) didn't match pod anti-affinity rules",
        SCHEDULING + "Insufficient cpu.",
    ),
    unplaced(
        "spread-unsatisfiable",
        "node(s) didn't match pod topology spread constraints",
        SCHEDULING + "Insufficient cpu.",
    ),
    unplaced("volume-zone-conflict", "node(s) had volume node affinity conflict", SCHEDULING + "Insufficient cpu."),
    unplaced(
        "host-port-conflict",
        "node(s) didn't have free ports for the requested pod ports",
        SCHEDULING + "Insufficient cpu.",
    ),
    unplaced("node-pods-full", "Too many pods", SCHEDULING + "Insufficient cpu."),
    unplaced(
        "all-nodes-cordoned",
        "node(s) were unschedulable",
        "0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.",
    ),
)
