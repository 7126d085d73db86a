"""The worlds that were recorded after somebody did the right thing about an incident, a quarter of an hour later."""

from collections.abc import Callable
from pathlib import Path

import yaml

from benchmarks.worlds import Json, Revision, World, at, env_of, shop, since, traffic

UNTIL = -15.0
"""Minutes before the capture of the incident: after it."""
DONE = -1.0
OVER = -6.0


def after_rollback() -> World:
    """checkout is at the template of revision 7 again, which is now called revision 9."""
    world = shop(leave_out=("checkout",), until=UNTIL)
    good = Revision(
        image="registry.example/checkout:2.4.0", created=8_000, replicas=2, number=7, env=env_of("checkout")
    )
    given_up = Revision(
        image="registry.example/checkout:2.5.0", created=18, replicas=0, number=8,
        env=tuple(pair for pair in env_of("checkout") if pair[0] != "PAYMENTS_URL"),
    )  # fmt: skip
    world.service("checkout", pods=world.workload("checkout", given_up, good))
    deployment = world.deployment("checkout")
    sets = [each for each in world.objects if each["kind"] == "ReplicaSet"]
    kept = next(each for each in sets if _revision(each) == "7" and each["metadata"]["labels"]["app"] == "checkout")
    for each in (deployment, kept):
        each["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "9"
    deployment["metadata"]["generation"] = deployment["status"]["observedGeneration"] = 9
    scaled = next(each for each in sets if _revision(each) == "8")["metadata"]["name"]
    world.event(
        "Deployment", "checkout", "ScalingReplicaSet", f"Scaled down replica set {scaled} to 0 from 1",
        first=DONE, last=DONE,
    )  # fmt: skip
    traffic(world, "checkout")
    world.signal("service/shop/checkout", "error_ratio", lambda _: 0.002, jitter=0.3)
    world.signal("service/shop/checkout", "latency_p95_seconds", lambda _: 0.12)
    world.changes = [
        {
            "at": at(18),
            "kind": "deploy",
            "entity": "deployment/shop/checkout",
            "who": "deploy-bot",
            "summary": "checkout 2.4.0 -> 2.5.0 (revision 8)",
            "diff": "-image: checkout:2.4.0\n+image: checkout:2.5.0\n-env PAYMENTS_URL",
        },
    ]
    world.alert(
        "KubeDeploymentRolloutStuck",
        "bad-rollout",
        started=7,
        ended=OVER,
        labels={"deployment": "checkout", "severity": "critical"},
        summary="Deployment rollout is not progressing.",
        description="Rollout of deployment shop/checkout is not progressing for longer than 10 minutes.",
    )
    return world


def after_selector() -> World:
    """payments' Service selects its pods again, and its callers get answers."""
    world = shop(leave_out=("payments", "checkout", "frontend"), until=UNTIL)
    for name in ("payments", "checkout", "frontend"):
        revision = Revision(image=f"registry.example/{name}:2.4.0", created=8_000, replicas=2, env=env_of(name))
        pods = world.workload(name, revision)
        world.service(name, pods=pods)
        for pod in pods:
            world.logs[f"{pod}/{name}.log"] = f"{at(-14)} INFO {name}/http: {SERVED[name]}\n"
    for name in ("checkout", "frontend"):
        traffic(world, name)
        world.signal(f"service/shop/{name}", "latency_p95_seconds", during(0.12, 1.1), jitter=0.1)
    world.signal("service/shop/checkout", "error_ratio", during(0.002, 0.62), jitter=0.1)
    world.signal("service/shop/frontend", "error_ratio", during(0.003, 0.31), jitter=0.1)
    world.signal("service/shop/payments", "requests_per_second", during(40.0, 0.0), jitter=0.05)
    world.probe("payments", ok=True)
    world.changes = [
        {
            "at": at(25),
            "kind": "config",
            "entity": "service/shop/payments",
            "who": "ben",
            "summary": "selector of Service payments: added tier=backend",
            "diff": " selector:\n   app: payments\n+  tier: backend",
        },
    ]
    world.alert(
        "CheckoutErrorRateHigh",
        "dependency-down",
        started=20,
        ended=OVER,
        labels={"service": "checkout", "severity": "critical"},
        summary="checkout fails for its users",
        description="62 % of the requests to checkout end with a 5xx.",
    )
    return world


SERVED = {
    "payments": "POST /charge 200",
    "checkout": "POST /checkout 200 in 84 ms",
    "frontend": "GET / 200 in 41 ms",
}

AFTER: dict[str, tuple[Json, str, Callable[[], World]]] = {
    "bad-rollout": (
        {"name": "rollback-workload", "target": "deployment/shop/checkout", "arguments": {"revision": 7}},
        "after-rollback",
        after_rollback,
    ),
    "dependency-down": (
        {
            "name": "patch-service-selector",
            "target": "service/shop/payments",
            "arguments": {"selector": {"app": "payments"}},
        },
        "after-selector",
        after_selector,
    ),
}
"""By incident: the action, exactly; the folder inside the incident's; the world."""


def during(before: float, bad: float) -> Callable[[float], float]:
    """Bad from 24 minutes before the capture of the incident until what was done about it."""
    begun, over = since(24, before, bad), since(DONE, bad, before)
    return lambda m: over(m) if m <= DONE else begun(m)


def write_recoveries(incident: str, folder: Path) -> None:
    """Writes what was recorded after an action beside the incident's own recording."""
    if incident not in AFTER:
        return
    action, name, make = AFTER[incident]
    (folder / "outcomes.yaml").write_text(yaml.safe_dump([{"action": action, "world": name}], sort_keys=False))
    make().write(folder / name)


def _revision(replica_set: Json) -> str:
    return str(replica_set["metadata"]["annotations"]["deployment.kubernetes.io/revision"])
