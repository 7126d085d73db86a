"""`locum prove-secrets`: what an incident left behind, searched for the credentials that it read with."""

import asyncio
import sys
from typing import Any

import orjson

from bot.cli.outcome import BadInput, settings
from bot.proving.proof import Proof
from bot.settings import Settings


def run(incident: str, *, output: str) -> None:
    """Prints what was searched and found; exit code 1 when a value was found, 3 when not everything was searched."""
    proof = asyncio.run(_proved(settings(), incident))
    if output == "json":
        sys.stdout.write(orjson.dumps(to_json(proof), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        sys.stdout.write("\n".join(lines(proof)) + "\n")
    if proof.exit_code:
        sys.exit(proof.exit_code)


def to_json(proof: Proof) -> dict[str, Any]:
    """The proof as programs read it; never a value."""
    return {
        "incident_id": proof.incident_id,
        "references": list(proof.references),
        "gaps": list(proof.gaps),
        "sinks": [
            {
                "sink": each.sink,
                "ending": each.ending,
                "items": each.items,
                "characters": each.size,
                "why": each.why,
                "found": [
                    {"where": place.where, "reference": place.reference, "way": place.way} for place in each.places
                ],
            }
            for each in proof.looked
        ],
        "exit_code": proof.exit_code,
    }


def lines(proof: Proof) -> list[str]:
    """The proof as people read it."""
    told = [f"incident {proof.incident_id}: {len(proof.references)} values, by their references:"]
    told += [f"  {each}" for each in proof.references] or ["  none was lent that could be looked for"]
    for each in proof.looked:
        told.append(f"{each.sink:<15} {each.ending:<13} {each.items:>6} items  {each.size:>10} characters  {each.why}")
        told += [f"    FOUND in {place.where}: {place.reference}, written as {place.way}" for place in each.places]
    told += [f"not proved: {each}" for each in proof.gaps]
    ends = {
        0: "clean: everything was searched, and none of the values is in it",
        1: "FOUND: revoke what was found, then remove it",
        3: "not proved: not everything could be searched; none of the values is in what was",
    }
    return [*told, ends[proof.exit_code]]


async def _proved(current: Settings, incident: str) -> Proof:
    from bot.embedded.child import ServerFailed
    from bot.embedded.folder import FolderTaken
    from bot.proving.opening import NoSuchIncident, prove_incident
    from bot.stores.connection import StoreError
    from bot.stores.ledger.errors import LedgerError
    from bot.workflows.service import WorkflowsAway

    try:
        return await prove_incident(current, incident)
    except (NoSuchIncident, LedgerError, StoreError, WorkflowsAway, ServerFailed, FolderTaken) as error:
        raise BadInput(str(error)) from error
