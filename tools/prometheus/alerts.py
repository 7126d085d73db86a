"""The tool that reads the alerts that fire."""

from collections.abc import Mapping
from typing import Any

from tools.catalogue import Args, Reading, tool
from tools.world import World, need

SHOWN = 40
_ORDER = {"critical": 0, "page": 0, "error": 1, "high": 1, "warning": 2}
_OWN_PLACE = ("alertname", "severity", "__name__")


class ActiveArgs(Args):
    pass


@tool("alerts.active", ActiveArgs, ttl_s=15)
async def active(world: World, args: ActiveArgs) -> Reading:
    """All alerts that fire now, the severest first. Ask this early: what fires together belongs together.

    EMPTY means that no rule fires, not that all is well: a rule may be missing, or its metric may not be scraped.
    """
    source = need(world.alerts, "alerts", "set the address of Prometheus, or capture alerts/*.json")
    alerts = sorted(await source.active(), key=_rank)
    lines = [_line(alert) for alert in alerts[:SHOWN]]
    if len(alerts) > SHOWN:
        lines.append(f"[… {len(alerts) - SHOWN} more alerts …]")
    return Reading(query="alerts that fire", text="\n".join(lines), data=alerts)


def _rank(alert: Mapping[str, Any]) -> tuple[bool, int, str]:
    labels = alert.get("labels", {})
    resolved = alert.get("status") == "resolved"
    return resolved, _ORDER.get(str(labels.get("severity", "")).lower(), 3), str(alert.get("startsAt"))


def _line(alert: Mapping[str, Any]) -> str:
    labels: Mapping[str, str] = alert.get("labels", {})
    annotations: Mapping[str, str] = alert.get("annotations", {})
    about = " ".join(f"{key}={value}" for key, value in sorted(labels.items()) if key not in _OWN_PLACE)
    said = annotations.get("summary") or annotations.get("description") or annotations.get("message") or ""
    severity = f" [{labels['severity']}]" if labels.get("severity") else ""
    head = (
        f"{alert.get('status', 'firing')} {labels.get('alertname', 'unnamed')}{severity} since {alert.get('startsAt')}"
    )
    return f"{head} {about[:300]}{f': {said[:300]}' if said else ''}"
