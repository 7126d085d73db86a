"""Which logs of a cluster are worth recording, and how much of each: pods in trouble first and longer."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from tools.errors import ToolError, ToolNoSource
from tools.snapshot.times import moment_of_line
from tools.world import Cluster, Object

LINES_IN_TROUBLE = 2_000
LINES_OF_OTHERS = 100
MAX_OTHERS = 300
"""Containers of pods without trouble whose log is recorded."""
MAX_LINES = 50_000
"""Lines that are taken from a store of logs."""
_GIVE_UP_AFTER = 20
"""Logs that may fail one after the other before the rest is not asked for: each may cost a time-out."""
_PARALLEL = 8


class Captured:
    """Logs by the name of their file."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.problems: list[str] = []

    def add_lines(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Adds what a store of logs holds of containers whose own log was not read.

        A line that does not say its time gets it in front, unless it is that of the line before.
        """
        known = set(self.files)
        gathered: dict[str, list[str]] = {}
        times: dict[str, str | None] = {}
        for each in lines:
            name = _file(*(str(each.get(key) or "") for key in ("namespace", "pod", "container")))
            if name is None or name in known:
                continue
            at, line = each.get("at"), str(each.get("line", ""))
            if at and moment_of_line(line) is None and times.get(name) != at:
                line = f"{at} {line}"
            times[name] = at
            gathered.setdefault(name, []).append(line)
        self.files |= {name: "\n".join([*found, ""]) for name, found in gathered.items()}
        if len(lines) >= MAX_LINES:
            self.problems.append(f"only the newest {MAX_LINES} lines of the window were recorded")


async def captured(cluster: Cluster, pods: Sequence[Object]) -> Captured:
    """The logs of all containers of pods in trouble, and the end of those of some others."""
    found = Captured()
    failed: list[str] = []
    in_a_row = 0
    turns = asyncio.Semaphore(_PARALLEL)

    async def one(namespace: str, pod: str, container: str, *, previous: bool, lines: int) -> None:
        nonlocal in_a_row
        name = _file(namespace, pod, f"{container}.previous" if previous else container)
        async with turns:
            if name is None or in_a_row >= _GIVE_UP_AFTER:
                failed.append(f"{namespace}/{pod} {container}")
                return
            try:
                content = await cluster.log(namespace, pod, container, previous=previous, tail_lines=lines)
            except ToolNoSource:
                return
            except ToolError as e:
                in_a_row += 1
                failed.append(f"{namespace}/{pod} {container} ({str(e)[:200]})")
                return
            in_a_row = 0
        if content or not previous:
            found.files[name] = f"{content}\n" if content else ""

    wanted = list(_wanted(pods))
    async with asyncio.TaskGroup() as group:
        for namespace, pod, container, previous, lines in wanted:
            group.create_task(one(namespace, pod, container, previous=previous, lines=lines))
    if failed:
        more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
        found.problems.append(f"logs could not be read of {'; '.join(failed[:3])}{more}")
    if (left := sum(1 for _ in _others(pods)) - MAX_OTHERS) > 0:
        found.problems.append(f"the logs of {left} containers of pods without trouble were not read")
    return found


def _wanted(pods: Sequence[Object]) -> Iterator[tuple[str, str, str, bool, int]]:
    for pod in pods:
        if _is_in_trouble(pod):
            for namespace, name, container in _containers(pod):
                yield namespace, name, container, False, LINES_IN_TROUBLE
                yield namespace, name, container, True, LINES_IN_TROUBLE
    for number, (namespace, name, container) in enumerate(_others(pods)):
        if number < MAX_OTHERS:
            yield namespace, name, container, False, LINES_OF_OTHERS


def _others(pods: Sequence[Object]) -> Iterator[tuple[str, str, str]]:
    for pod in pods:
        if not _is_in_trouble(pod):
            yield from _containers(pod)


def _is_in_trouble(pod: Object) -> bool:
    status = _mapping(pod.get("status"))
    if status.get("phase") not in ("Running", "Succeeded"):
        return True
    return any(
        each.get("restartCount") or (each.get("ready") is False and status.get("phase") == "Running")
        for each in _items(status.get("containerStatuses"))
    )


def _containers(pod: Object) -> Iterator[tuple[str, str, str]]:
    metadata, spec = _mapping(pod.get("metadata")), _mapping(pod.get("spec"))
    for each in (*_items(spec.get("initContainers")), *_items(spec.get("containers"))):
        yield str(metadata.get("namespace") or ""), str(metadata.get("name") or ""), str(each.get("name") or "")


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _items(value: Any) -> list[Mapping[str, Any]]:
    return [_mapping(item) for item in cast("list[Any]", value)] if isinstance(value, list) else []


def _file(namespace: str, pod: str, container: str) -> str | None:
    """Where a log goes; `None` for names that are no names of files, such as labels that somebody chose."""
    parts = (namespace, pod, container)
    if any(not part or part.startswith(".") or "/" in part or "\x00" in part or len(part) > 240 for part in parts):
        return None
    return f"logs/{namespace}/{pod}/{container}.log"
