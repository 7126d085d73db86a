"""`locum approvals`: what waits and what became of it, freezes, and what a person saw after an unknown outcome."""

import asyncio
import getpass
import re
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import orjson
from whenever import Instant, TimeDelta

from approvals.audit import Draft, Entry, Kind
from approvals.ballot import State
from bot.cli.outcome import BadInput, settings
from bot.stores.ledger.errors import LedgerError
from bot.stores.ledger.ledger import Ledger, open_ledger
from bot.stores.ledger.rows import PROPOSED, RequestRow

MOST = 500
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
T = TypeVar("T")


def run_list(*, is_all: bool, output: str) -> None:
    """Prints what waits or runs, or everything, newest first."""
    states = None if is_all else [PROPOSED, State.PENDING, State.APPROVED, State.EXECUTING, State.UNKNOWN]
    rows = _with_ledger(lambda ledger: ledger.requests(states=states, limit=MOST))
    if output == "json":
        _print([_summary(row) for row in rows])
        return
    for row in rows:
        sys.stdout.write(f"{row.id}  {row.state:<10} {str(row.created_at)[:19]}Z  {'; '.join(_sentences(row))}\n")
    if not rows:
        sys.stdout.write("nothing\n" if is_all else "nothing waits\n")


def run_show(request_id: str, *, output: str) -> None:
    """Prints one request with everything that happened to it."""

    async def read(ledger: Ledger) -> tuple[RequestRow | None, list[Entry]]:
        return await ledger.request(request_id), await ledger.entries(request_id=request_id, limit=MOST)

    row, entries = _with_ledger(read)
    if row is None:
        raise BadInput(f"there is no request {request_id[:80]!r}; `locum approvals list --all` shows them")
    if output == "json":
        happened = [
            {"seq": each.seq, "at": str(each.at), "kind": each.kind, "actor": each.actor, "facts": dict(each.facts)}
            for each in entries
        ]
        _print({**_summary(row), "request": orjson.loads(row.body), "happened": happened})
        return
    lines = [f"{row.id}  {row.state}", *(f"  {each}" for each in _sentences(row)), f"  digest {row.digest or '-'}"]
    for each in entries:
        said = each.facts.get("why") or each.facts.get("text") or ""
        lines.append(f"  {str(each.at)[:19]}Z  {each.kind:<18} {each.actor}  {said}")
    sys.stdout.write("\n".join(lines) + "\n")


def run_freeze(*, environment: str, lasts: str, reason: str) -> None:
    """Stops approvals and executions of an environment, or of all, until a time or until it is ended."""
    if not reason.strip():
        raise BadInput("--reason: say why, for those whose approval is refused meanwhile")
    now = Instant.now()
    until = now + _duration(lasts) if lasts else None
    facts = {"environment": environment, "reason": reason, "until": str(until) if until else None}
    draft = Draft(kind=Kind.FROZEN, at=now, actor=_actor(), facts=facts)
    _with_ledger(lambda ledger: ledger.freeze(environment, _actor(), reason, until, draft))
    ends = f"until {str(until)[:16]}Z" if until else "until `locum approvals unfreeze`"
    sys.stdout.write(f"{_named(environment)} is frozen {ends}: {reason}\n")


def run_unfreeze(*, environment: str) -> None:
    """Ends a freeze; those of the policy file are ended there."""
    draft = Draft(kind=Kind.UNFROZEN, at=Instant.now(), actor=_actor(), facts={"environment": environment})
    if not _with_ledger(lambda ledger: ledger.unfreeze(environment, draft)):
        raise BadInput(f"{_named(environment)} is not frozen from here; a freeze of the policy file is ended there")
    sys.stdout.write(f"{_named(environment)} is frozen no more\n")


def run_record(request_id: str, *, outcome: str, reason: str) -> None:
    """Notes what a person saw after an execution that ended without anybody knowing how; nothing runs again."""
    if not reason.strip():
        raise BadInput("--reason: say what you looked at")

    async def write(ledger: Ledger) -> RequestRow | None:
        row = await ledger.request(request_id)
        if row is not None and row.state == State.UNKNOWN:
            facts = {"outcome": outcome, "reason": reason}
            kind = Kind.OUTCOME_RECORDED
            await ledger.append(Draft(kind=kind, at=Instant.now(), request_id=request_id, actor=_actor(), facts=facts))
        return row

    row = _with_ledger(write)
    if row is None:
        raise BadInput(f"there is no request {request_id[:80]!r}; `locum approvals list --all` shows them")
    if row.state != State.UNKNOWN:
        raise BadInput(f"request {request_id} is {row.state}: only what ended as unknown needs a person's word")
    sys.stdout.write(f"recorded: {request_id} {outcome}, seen by {_actor()}\n")


def _with_ledger(work: Callable[[Ledger], Awaitable[T]]) -> T:
    from bot.deciding import ledger_url

    url = ledger_url(settings())

    async def opened() -> T:
        async with open_ledger(url, create=False) as ledger:
            return await work(ledger)

    try:
        return asyncio.run(opened())
    except (LedgerError, ValueError) as error:
        raise BadInput(str(error)) from error


def _summary(row: RequestRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "state": row.state,
        "incident_id": row.incident_id,
        "session_id": row.session_id,
        "actions": _sentences(row),
        "digest": row.digest,
        "created_at": str(row.created_at),
    }


def _sentences(row: RequestRow) -> list[str]:
    from bot.requests import proposal_of

    try:
        return [action.sentence for action in proposal_of(row.state if row.digest else PROPOSED, row.body).actions]
    except (KeyError, ValueError, TypeError):
        # Another version wrote it; that it is there must still be seen.
        return ["(this version cannot read it)"]


def _duration(text: str) -> TimeDelta:
    found = re.fullmatch(r"([1-9]\d{0,4})([mhd])", text)
    if not found:
        raise BadInput(f"--for {text!r}: expected a number with m, h or d, such as 90m, 2h or 1d")
    return TimeDelta(minutes=int(found[1]) * _MINUTES[found[2]])


def _named(environment: str) -> str:
    return "everything" if environment == "*" else environment


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


def _print(value: object) -> None:
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")
