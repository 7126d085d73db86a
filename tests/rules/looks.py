"""What tools other than Kubernetes ones answer, for tests of rules. Everything happens around `builders.NOW`."""

from collections.abc import Mapping, Sequence
from typing import Any

from agents.causes import Rule, run
from agents.finding import Finding
from agents.scene import Scene
from tests.rules.builders import NOW, case
from tools.evidence import Evidence

STEP_MINUTES = 2
BASELINE = 60
"""Points before the window of an hour, and `WINDOW` within it."""
WINDOW = 30


def found(of: Rule, scene: Scene) -> list[Finding]:
    """What one rule finds, through the door that every rule runs through."""
    checked = run([of], scene)
    assert checked.failures == ()
    return list(checked.findings)


def series(entity: str, signal: str, *values: float) -> dict[str, Any]:
    """One point every two minutes, the last at `NOW`."""
    end = NOW.timestamp()
    last = len(values) - 1
    return {
        "entity": entity,
        "signal": signal,
        "points": [[end - (last - place) * STEP_MINUTES * 60, each] for place, each in enumerate(values)],
    }


def moved(entity: str, signal: str, before: float, after: float, *, back: int = 0) -> dict[str, Any]:
    """A signal that changed at the beginning of the window; `back` points at the end are as before."""
    wobble = [before * (1 + 0.01 * (place % 3)) for place in range(BASELINE)]
    return series(entity, signal, *wobble, *[after] * (WINDOW - back), *[before] * back)


def steady(entity: str, signal: str, value: float) -> dict[str, Any]:
    """A signal that is as always."""
    return moved(entity, signal, value, value)


def signals(*found: Mapping[str, Any]) -> Evidence:
    """What `metrics.signals` answers."""
    return Evidence.found("metrics.signals", "all signals, 180 minutes", f"{len(found)} series", data=list(found))


def probes(*found: Mapping[str, Any]) -> Evidence:
    """What `network.probes` answers."""
    whole = [{"entity": None, "latency_ms": None, "at": str(NOW), "detail": "", **each} for each in found]
    return Evidence.found("network.probes", "all probes", f"{len(found)} probes", data=whole)


def mongodb(tool: str, **record: Any) -> Evidence:
    """What a tool of MongoDB answers about the deployment `main`."""
    data = [{"deployment": "main", "entity": "mongodb//main", **record}]
    return Evidence.found(f"mongodb.{tool}", tool, "main", data=data)


def postgres(tool: str, **record: Any) -> Evidence:
    """What a tool of PostgreSQL answers about the deployment `main`."""
    data = [{"deployment": "main", "entity": "postgres//main", **record}]
    return Evidence.found(f"postgres.{tool}", "SELECT 1", "main", data=data)


def host(**record: Any) -> Evidence:
    """What `host.usage` answers."""
    return Evidence.found("host.usage", "host usage", "host", data={"entity": "host//box", **record})


def lines(*said: str, pod: str = "cart-7d4f-a", namespace: str = "shop") -> Evidence:
    """What `logs.lines` answers."""
    data = [{"at": None, "namespace": namespace, "pod": pod, "container": "cart", "line": each} for each in said]
    return Evidence.found("logs.lines", "lines", "\n".join(said), data=data)


def alerts(*labels: Mapping[str, str]) -> Evidence:
    """What `alerts.active` answers."""
    data = [{"status": "firing", "labels": dict(each), "startsAt": str(NOW)} for each in labels]
    return Evidence.found("alerts.active", "alerts that fire", f"{len(data)} alerts", data=data)


def calls(*pairs: tuple[str, str]) -> Evidence:
    """What `history.calls` answers."""
    return Evidence.found("history.calls", "calls", "calls", data=[list(each) for each in pairs])


def world(*looks: Evidence, about: Sequence[str] = ()) -> Scene:
    """A scene without a cluster."""
    return Scene.of(case(*about), looks)
