"""Changes recorded worlds as a cluster would be: the same patches, checks and words, on a copy of the recording.

Where the recording has the world after exactly this action, that is the world from then on; else only the changed
object is another, as no controller works in a folder.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from approvals.action import Action
from approvals.actions.objects import CLUSTER_SCOPED, named
from approvals.plan import NotPossible, NotReached, Plan, Receipt
from approvals.runners.kubernetes.catalogue import KINDS
from approvals.runners.kubernetes.change import Change
from approvals.runners.kubernetes.patching import REQUEST, annotated
from approvals.runners.kubernetes.runner import change_of, compare, done, planned
from approvals.runners.kubernetes.seen import Seen
from approvals.runners.overlay import changed, outcome, overlaid, point
from tools.errors import ToolError
from tools.kubernetes.fields import name, text
from tools.redaction import redact
from tools.world import Object, World

OpenWorld = Callable[[Path], Awaitable[World]]
"""Opens one recorded world; raises `ValueError` when the folder holds none."""

_DESCRIPTION = "snapshot.yaml"


class RecordedRunner:
    """Carries out, in one snapshot or a folder of them, what `KubernetesRunner` does in a cluster."""

    name = "kubernetes"

    def __init__(self, *, snapshot: Path, overlay: Path, open_world: OpenWorld) -> None:
        """`overlay`: a folder that the readers of the snapshot know too; see `approvals.runners.overlay.overlaid`."""
        self._snapshot = snapshot
        self._overlay = overlay
        self._open_world = open_world
        # One change at a time: each begins with the world that the one before left.
        self._changing = asyncio.Lock()

    async def plan(self, action: Action) -> Plan:
        """Looks at the recorded target and makes the change on paper."""
        change = change_of(action)
        seen = await self._see(action, change, self._original(action))
        wanted = change.after(seen, change.kind.arguments(action))
        return planned(change, seen, wanted, dry_run="recorded")

    async def execute(
        self,
        action: Action,
        *,
        fingerprint: Mapping[str, str | int],
        key: str,
        is_wanted: Callable[[], Awaitable[bool]],
    ) -> Receipt:
        """Makes the changed world the one that is read from now on."""
        change = change_of(action)
        async with self._changing:
            original = self._original(action)
            seen = await self._see(action, change, original)
            if text(seen.target, "metadata", "annotations", REQUEST) == key:
                return done(seen, "This request had changed it already.")
            compare(change.fingerprint(seen), fingerprint, action)
            wanted = change.after(seen, change.kind.arguments(action))
            if not await is_wanted():
                raise NotPossible(f"{named(action.target)}: it was called off before it was done.")
            after = None if wanted is None else annotated(wanted, key)
            try:
                await asyncio.to_thread(self._make, original, action, after)
            except (OSError, LookupError) as e:
                raise NotPossible(f"the recorded world cannot be changed: {e}") from e
        return done(seen, "The recorded world was changed.", after)

    def _make(self, original: Path, action: Action, after: Object | None) -> None:
        world = overlaid(original, self._overlay)
        next_world = outcome(world, action.to_json())
        if next_world is None:
            next_world = changed(original, world, self._overlay, action.target, after)
        point(original, next_world, self._overlay)

    def _original(self, action: Action) -> Path:
        """The recording that the action is about; an empty name is the only one."""
        if (self._snapshot / _DESCRIPTION).is_file() or not self._snapshot.is_dir():
            return self._snapshot
        for each in sorted(self._snapshot.iterdir()):
            if action.cluster in (each.name, overlaid(each, self._overlay).name) and (each / _DESCRIPTION).is_file():
                return each
        raise NotPossible(f"there is no recorded world {action.cluster!r}")

    async def _see(self, action: Action, change: Change[Any], original: Path) -> Seen:
        target = action.target
        try:
            world = await self._open_world(overlaid(original, self._overlay))
            if world.cluster is None:
                raise NotPossible("the recorded world has no Kubernetes objects")
            listed = await world.cluster.objects(KINDS[target.kind], target.namespace or None)
        except (ToolError, ValueError) as e:
            raise NotReached(f"the recorded world cannot be read: {redact(str(e))}") from e
        found = next((each for each in listed if name(each) == target.name), None)
        if found is None:
            raise NotPossible(f"{named(target)} is not there")
        related: dict[str, Sequence[Object]] = {}
        unread: list[str] = []
        for kind in change.related_to(target):
            try:
                related[kind] = await world.cluster.objects(
                    kind, None if target.kind in CLUSTER_SCOPED else target.namespace
                )
            except ToolError:
                unread.append(kind)
        return Seen(action=action, target=found, related=related, unread=tuple(unread), now=world.now())
