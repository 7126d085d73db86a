"""`locum audit verify` and `locum audit show`: whether the audit is what was written, and what it says."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from approvals.audit import Anchor, Broken, Entry, Intact, Verification, read_anchor
from approvals.canonical import canonical
from bot.cli.outcome import BadInput
from tools.redaction import redact

PAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    result: Intact | Broken
    last_anchor: Anchor | None


def run_verify(*, url: str, anchors: Path | None, output: str) -> None:
    """Walks along the whole chain; exit code 1 when it is broken.

    Args:
        url: of the ledger; none is made there.
        anchors: a file of anchors that were kept elsewhere, one line of JSON each, beside those the ledger knows.
        output: `text` or `json`.

    Raises:
        BadInput: when there is no ledger, it does not answer, or the file cannot be used.
    """
    from bot.stores.ledger.errors import LedgerDamaged, LedgerError

    given = _anchors(anchors) if anchors else ()
    try:
        verdict = asyncio.run(_verify(url, given))
    except LedgerDamaged as error:
        _say_damaged(str(error), output)
        sys.exit(1)
    except (LedgerError, ValueError) as error:
        raise BadInput(str(error)) from error
    sys.stdout.write(_json(verdict) if output == "json" else _text(verdict))
    if isinstance(verdict.result, Broken):
        sys.exit(1)


def run_show(*, url: str, request_id: str | None, limit: int, output: str) -> None:
    """Prints the last entries, oldest first, of one request or of all.

    Raises:
        BadInput: when there is no ledger, or it cannot be read.
    """
    from bot.stores.ledger.errors import LedgerError

    if limit < 1:
        raise BadInput(f"--limit {limit}: expected 1 or more")
    try:
        entries = asyncio.run(_latest(url, request_id, limit))
    except (LedgerError, ValueError) as error:
        raise BadInput(str(error)) from error
    if output == "json":
        sys.stdout.write(orjson.dumps([_row(entry) for entry in entries]).decode() + "\n")
    else:
        sys.stdout.writelines(_line(entry) for entry in entries)


async def _verify(url: str, given: Sequence[Anchor]) -> _Verdict:
    from bot.stores.ledger.ledger import open_ledger

    async with open_ledger(url, create=False) as ledger:
        anchors = [*given, *await ledger.anchors()]
        last = max(anchors, key=lambda anchor: anchor.seq, default=None)
        verification = Verification(anchors)
        page = await ledger.records(limit=PAGE)
        while page:
            for record in page:
                if broken := verification.see(record):
                    return _Verdict(result=broken, last_anchor=last)
            page = await ledger.records(after=page[-1].seq, limit=PAGE)
    return _Verdict(result=verification.end(), last_anchor=last)


async def _latest(url: str, request_id: str | None, limit: int) -> list[Entry]:
    from bot.stores.ledger.ledger import open_ledger

    async with open_ledger(url, create=False) as ledger:
        return await ledger.latest(limit=limit, request_id=request_id)


def _anchors(file: Path) -> list[Anchor]:
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: cannot be read ({type(error).__name__})") from error
    found: list[Anchor] = []
    for number, line in enumerate(lines, 1):
        try:
            found += [read_anchor(line)] if line.strip() else []
        except ValueError as error:
            raise BadInput(f"{file}, line {number}: {error}") from error
    return found


def _say_damaged(why: str, output: str) -> None:
    if output == "json":
        sys.stdout.write(
            orjson.dumps({"intact": False, "entry": None, "fault": "DAMAGED", "what": why}).decode() + "\n"
        )
    else:
        sys.stdout.write(f"BROKEN: {why}\n")


def _json(verdict: _Verdict) -> str:
    anchor = verdict.last_anchor
    last = {"seq": anchor.seq, "hash": anchor.hash, "at": anchor.at.format_iso()} if anchor else None
    match verdict.result:
        case Broken() as broken:
            row = {
                "intact": False,
                "entry": broken.seq,
                "fault": broken.fault,
                "what": broken.what,
                "last_anchor": last,
            }
        case Intact() as intact:
            head = intact.head.hash if intact.head else None
            row = {"intact": True, "entries": intact.count, "head": head, "last_anchor": last}
    return orjson.dumps(row).decode() + "\n"


def _text(verdict: _Verdict) -> str:
    if isinstance(verdict.result, Broken):
        return f"BROKEN at entry {verdict.result.seq}: {verdict.result.what}\n"
    anchor, head = verdict.last_anchor, verdict.result.head
    lines = [f"intact: {verdict.result.count} entries", f"head    {head.hash if head else 'none yet'}"]
    if anchor:
        lines.append(f"anchor  entry {anchor.seq}, {anchor.at.format_iso()}")
    else:
        lines.append("anchor  none is known: a tail that was cut would not be found")
    return "\n".join(lines) + "\n"


def _row(entry: Entry) -> dict[str, object]:
    return {
        "seq": entry.seq, "at": entry.at.format_iso(), "kind": entry.kind, "request_id": entry.request_id,
        "actor": entry.actor, "facts": entry.facts, "hash": entry.hash,
    }  # fmt: skip


def _line(entry: Entry) -> str:
    facts = canonical(entry.facts).decode() if entry.facts else ""
    words = (f"{entry.seq:>6}", entry.at.format_iso(), f"{entry.kind:<18}", entry.request_id or "-", entry.actor, facts)
    # Once more: whoever changed an entry could hide things from the eye in it.
    return redact("  ".join(words)).rstrip() + "\n"
