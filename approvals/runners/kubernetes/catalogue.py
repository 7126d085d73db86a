"""Every change that can be made, by the action that asks for it. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from approvals.action import ActionName
from approvals.runners.kubernetes.change import Change
from approvals.runners.kubernetes.changes import removals, rollouts, services, switches, templates

CHANGES: Mapping[ActionName, Change[Any]] = MappingProxyType(
    {
        change.kind.name: change
        for change in (
            rollouts.restart, rollouts.rollback, rollouts.scale, templates.image, templates.resources, templates.probe,
            services.port, services.selector, removals.pod, removals.job, switches.cordon, switches.uncordon,
            switches.suspend, switches.resume,
        )
    }
)  # fmt: skip

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "deployment": "Deployment", "statefulset": "StatefulSet", "daemonset": "DaemonSet", "service": "Service",
        "pod": "Pod", "job": "Job", "cronjob": "CronJob", "node": "Node",
    }
)  # fmt: skip
"""How an API server calls what targets name."""
