"""Changes Kubernetes objects: plans by the server's own dry run, then does it once, if the target is as it was shown.

The write carries the `resourceVersion` of the object that was compared with the approved fingerprint a moment before,
and leaves the request's name on the object: an answer that was lost is found out by looking again.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from whenever import Instant

from approvals.action import Action, ActionError, read
from approvals.actions.objects import named
from approvals.plan import NotPossible, NotReached, Outcome, Plan, Receipt, RunnerError, TargetChanged, Unclear
from approvals.runners.kubernetes.api import Answered, Api, ApiError, Lost
from approvals.runners.kubernetes.catalogue import CHANGES, KINDS
from approvals.runners.kubernetes.change import Change
from approvals.runners.kubernetes.patching import REQUEST, annotated, operations, unified
from approvals.runners.kubernetes.seen import Seen
from tools.kubernetes.fields import text
from tools.redaction import Redacted, redact
from tools.world import Object

LOOKS = 3
"""Times that the target is looked at when the answer to a write was lost."""
PAUSE_S = 0.5
"""Before each of them: the server may still be at it."""
DRY_RUN = "dry-run"
"""What the request is called where nothing is changed."""


class KubernetesRunner:
    """Carries out what the catalogue of changes knows, in one cluster."""

    name = "kubernetes"

    def __init__(self, api: Api) -> None:
        self._api = api

    async def plan(self, action: Action) -> Plan:
        """Looks at the target and has the server try the change without effect."""
        change = change_of(action)
        try:
            seen = await self._see(action, change)
            wanted = change.after(seen, change.kind.arguments(action))
            tried = await self._write(seen, wanted, DRY_RUN, dry_run=True)
        except ApiError as e:
            raise refusal(action, e) from e
        return planned(change, seen, tried, dry_run="server")

    async def sketch(self, action: Action) -> Plan:
        """Looks at the target and makes the change on paper: only what is lent after the approval may try it."""
        change = change_of(action)
        try:
            seen = await self._see(action, change)
        except ApiError as e:
            raise refusal(action, e) from e
        return planned(change, seen, change.after(seen, change.kind.arguments(action)), dry_run="none")

    @contextlib.asynccontextmanager
    async def borrowing(self, token: Callable[[], str]) -> AsyncGenerator["KubernetesRunner"]:
        """Changes with the rights of that token; looks with its own."""
        api = self._api.borrowing(token)
        try:
            yield KubernetesRunner(api)
        finally:
            await api.aclose()

    async def execute(
        self,
        action: Action,
        *,
        fingerprint: Mapping[str, str | int],
        key: str,
        is_wanted: Callable[[], Awaitable[bool]],
    ) -> Receipt:
        """Does it, once, if the target still is as `fingerprint` says."""
        change = change_of(action)
        try:
            seen = await self._see(action, change)
        except ApiError as e:
            raise refusal(action, e) from e
        if text(seen.target, "metadata", "annotations", REQUEST) == key:
            return done(seen, "This request had changed it already; nothing was sent again.")
        compare(change.fingerprint(seen), fingerprint, action)
        wanted = change.after(seen, change.kind.arguments(action))
        if not await is_wanted():
            raise NotPossible(f"{named(action.target)}: it was called off right before it was sent; nothing was done.")
        try:
            changed = await self._write(seen, wanted, key, dry_run=False)
        except Lost as e:
            return await self._look_again(seen, wanted, key, e)
        except ApiError as e:
            raise refusal(action, e) from e
        return done(seen, "The API server confirmed it.", changed)

    async def _see(self, action: Action, change: Change[Any]) -> Seen:
        kind, target = KINDS[action.target.kind], action.target
        related: dict[str, Sequence[Object]] = {}
        unread: list[str] = []
        for each in change.related_to(target):
            try:
                related[each] = await self._api.list(each, target.namespace)
            except Answered as e:
                # A kind that the cluster does not serve has no objects.
                if e.status != 404:
                    unread.append(each)
        # Last, so that little time is between this look and the write.
        obj = await self._api.get(kind, target.namespace, target.name)
        return Seen(action=action, target=obj, related=related, unread=tuple(unread), now=Instant.now())

    async def _write(self, seen: Seen, wanted: Object | None, key: str, *, dry_run: bool) -> Object | None:
        target, kind = seen.action.target, KINDS[seen.action.target.kind]
        version = text(seen.target, "metadata", "resourceVersion")
        if wanted is None:
            uid = text(seen.target, "metadata", "uid")
            await self._api.delete(
                kind, target.namespace, target.name, uid=uid, version=version, dry_run=dry_run
            )  # fmt: skip
            return None
        # The precondition: whoever changed the object since then makes the server refuse this.
        steps = [
            *operations(seen.target, annotated(wanted, key)),
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
        ]
        return await self._api.patch(kind, target.namespace, target.name, steps, dry_run=dry_run)

    async def _look_again(self, seen: Seen, wanted: Object | None, key: str, lost: Lost) -> Receipt:
        """What became of a write whose answer was lost, as far as the target tells."""
        target, kind = seen.action.target, KINDS[seen.action.target.kind]
        for _ in range(LOOKS):
            await asyncio.sleep(PAUSE_S)
            found: Object | None = None
            try:
                found = await self._api.get(kind, target.namespace, target.name)
            except ApiError as e:
                if not isinstance(e, Answered) or e.status != 404:
                    continue
            if _shows(found, seen, wanted, key):
                return done(seen, f"The answer was lost ({lost}); looked at again, the target shows it.", found)
        raise Unclear(
            f"{named(target)}: the change was sent and the answer lost ({redact(str(lost))}). Looked at again, the "
            "target does not show it; it may still be carried out."
        ) from lost


def change_of(action: Action) -> Change[Any]:
    """How the action changes its target; the action is checked once more, as if it came from outside.

    Raises:
        NotPossible: when no such change can be made.
    """
    try:
        return CHANGES[read(action.to_json()).name]
    except (ActionError, KeyError) as e:
        raise NotPossible(f"{action.name!r} is no change of a Kubernetes object that can be made: {e}") from e


def compare(found: Mapping[str, str | int], approved: Mapping[str, str | int], action: Action) -> None:
    """Returns when the target is what was approved.

    Raises:
        TargetChanged: with what is different.
    """
    different = sorted(key for key in found.keys() | approved.keys() if found.get(key) != approved.get(key))
    if different:
        was, now = ({key: each.get(key, "not there") for key in different} for each in (approved, found))
        changes = "; ".join(f"{key} was {was[key]}, is {now[key]}" for key in different)
        raise TargetChanged(f"{named(action.target)} is not what was shown: {redact(changes)}. Nothing was done.")


def planned(change: Change[Any], seen: Seen, tried: Object | None, *, dry_run: str) -> Plan:
    """The plan of a change that was tried: `tried` is the target as it would be, `None` where it would be gone."""
    args = change.kind.arguments(seen.action)
    return Plan(
        action=seen.action,
        fingerprint=change.fingerprint(seen),
        diff=Redacted("") if tried is None else unified(seen.target, tried),
        blast_radius=redact(change.reach(seen, args)),
        dry_run=dry_run,
        undo=change.undo(seen, args),
    )


def refusal(action: Action, error: ApiError) -> RunnerError:
    """What an answer of the API server means for the action; nothing was done."""
    about, said = named(action.target), redact(str(error))
    if not isinstance(error, Answered):
        return NotReached(f"{about}: {said}. Nothing was done.")
    match error.status:
        case 403:
            return NotPossible(f"{about}: the runner lacks a permission that {action.name} needs: {said}")
        case 404:
            return NotPossible(f"{about} is not there: {said}")
        case 409:
            return TargetChanged(f"{about} was changed by somebody else in this moment: {said}. Nothing was done.")
        case 429:
            return NotReached(f"{about}: the API server is too busy: {said}. Nothing was done.")
        case _:
            return NotPossible(f"{about}: the API server refuses it: {said}")


def done(seen: Seen, how: str, changed: Object | None = None) -> Receipt:
    """What is told of a change that was made."""
    diff = Redacted("") if changed is None else unified(seen.target, changed)
    return Receipt(outcome=Outcome.SUCCEEDED, detail=redact(how), diff=diff)


def _shows(found: Object | None, seen: Seen, wanted: Object | None, key: str) -> bool:
    """Whether the target, looked at again, has the change."""
    if wanted is not None:
        return text(found, "metadata", "annotations", REQUEST) == key
    is_another = text(found, "metadata", "uid") != text(seen.target, "metadata", "uid")
    return is_another or bool(text(found, "metadata", "deletionTimestamp"))
