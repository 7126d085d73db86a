"""`locum checks test FILE --snapshot DIR`: what custom checks find in a recorded world, one line a check."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from agents.causes import Checked, Rule, run
from agents.custom.checks import Checks
from agents.finding import Finding
from agents.scene import Scene
from bot.cli.outcome import BadInput, settings


def run_test(file: Path, *, snapshot: Path | None, output: str) -> None:
    """Prints what each check found; exit code 1 when one could not be evaluated.

    A check whose source is not in the snapshot is told as not seen, and never as quiet.
    """
    from agents.custom.file import CustomCheckError, load

    try:
        checks = load(file)
    except CustomCheckError as error:
        raise BadInput(str(error)) from error
    scene = asyncio.run(_scene(checks, snapshot))
    results = [_result(each, scene) for each in checks.rules]
    if output == "json":
        sys.stdout.write(orjson.dumps(results).decode() + "\n")
    else:
        sys.stdout.write("".join(_lines(results)))
    if any(each["state"] == "failed" for each in results):
        sys.exit(1)


async def _scene(checks: Checks, snapshot: Path | None) -> Scene:
    from agents.gathering import gather, gather_for
    from agents.investigation import new_session_id, open_case
    from bot.wiring import ConnectorError, open_world
    from tools.caching import MemoryCache
    from tools.looking import Looker
    from tools.snapshot.folder import SnapshotError

    current = settings()
    if snapshot is not None:
        current = current.model_copy(update={"snapshot": snapshot})
    try:
        async with open_world(current) as world:
            case = open_case("custom checks", (), world, session_id=new_session_id())
            look = Looker(world, cache=MemoryCache()).look
            evidence = await gather(case, frozenset(), look, world)
            return Scene.of(case, (*evidence, *await gather_for(checks, case, look, world)), partial=world.partial)
    except (SnapshotError, ConnectorError) as error:
        raise BadInput(str(error)) from error


def _result(rule: Rule, scene: Scene) -> Mapping[str, Any]:
    checked = run([rule], scene)
    return {
        "id": rule.cause.id,
        "title": rule.cause.title,
        "state": _state(rule, checked, scene),
        "why": "; ".join(each.why for each in checked.failures),
        "findings": [_found(each) for each in checked.findings],
    }


def _state(rule: Rule, checked: Checked, scene: Scene) -> str:
    if checked.failures:
        return "failed"
    if checked.findings:
        return "fired"
    # What a check of a series needs is one of two sources: its own query, or the recorded signals.
    needed = rule.cause.needs or {"signals", "range"}
    return "quiet" if any(scene.saw(each) for each in needed) else "not seen"


def _found(finding: Finding) -> Mapping[str, Any]:
    return {
        "entity": str(finding.entity),
        "severity": str(finding.severity),
        "summary": finding.summary,
        "evidence": [{"query": each.query, "excerpt": each.excerpt} for each in finding.evidence],
    }


def _lines(results: Sequence[Mapping[str, Any]]) -> list[str]:
    lines: list[str] = []
    for each in results:
        lines.append(f"{each['state']:<9} {each['id']}{': ' + each['why'] if each['why'] else ''}\n")
        lines += [f"            {found['summary']}\n" for found in each["findings"]]
    return lines
