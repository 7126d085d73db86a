"""However much there is to tell, the model is told little, and nothing that is secret."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from agents.finding import CauseId, Role
from agents.model import prompts
from agents.model.client import connect
from agents.model.explain import explain
from agents.model.loop import ECHO_LIMIT, investigate
from agents.model.offering import offered
from agents.specialist import Limits
from bot.setting_groups import Model
from bot.settings import Settings
from bot.terminal import diagnose
from tests.anthropic_emulator.script import Call, Say, Step, claim, concluding
from tests.anthropic_emulator.server import serve
from tests.e2e.answers import proven
from tests.model.cases import NOW, World, brief, config, diagnosis, finding, tools
from tools.entity import Entity
from tools.evidence import EXCERPT_LIMIT, Evidence
from tools.world import World as RealWorld

FIRST = 10_000
LARGEST = FIRST + prompts.TALK + 2 * ECHO_LIMIT
"""Bytes of any request: the first one, what the talk may add, the turn in which it runs out."""
SECRET = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
MANY = 500


def flood(number: int) -> Evidence:
    return Evidence.found("kubernetes.logs", f"kubectl logs pod-{number}", f'{number} é "quoted" \\ line\n' * 400)


@cache
def findings() -> tuple[Any, ...]:
    return tuple(
        replace(
            finding(flood(number)),
            cause=CauseId(f"cause-{number}"),
            entity=Entity.of("pod", "shop", f"pod-{number}"),
            summary="It says a lot. " * 40,
            role=Role.SYMPTOM if number else Role.CAUSE,
        )
        for number in range(MANY)
    )


class Flooding(World):
    """A new flood for every look."""

    async def look(self, name: str, args: Mapping[str, Any]) -> Evidence:
        await super().look("kubernetes.logs", args)
        return flood(MANY + len(self.asked))


@pytest.mark.parametrize("at_once", [1, 8, 30])
async def test_a_talk_that_never_has_enough_stays_bounded(at_once: int) -> None:
    told = replace(brief(), findings=findings())
    ids = [each.id for each in told.all_evidence]

    def greedy(body: Mapping[str, Any]) -> Step:
        if body["tool_choice"].get("name") == "conclude":
            return concluding(claim("it is a lot", ("ev_0", "x" * 400)))
        start = len(body["messages"]) * 40
        reads = (Call("read_evidence", {"id": ids[start + number]}) for number in range(0, at_once, 2))
        looks = (Call("kubernetes__logs", {"namespace": "shop", "pod": f"p{start + n}"}) for n in range(1, at_once, 2))
        return Say("I want more. " * 80, (*reads, *looks))

    async with serve(greedy) as emulator, connect(config(emulator, max_tokens=2_000_000)) as model:
        limits = Limits(model_calls=12, tool_calls=100, seconds=60)
        answer = await investigate(told, model=model, look=Flooding().look, limits=limits, tools=tools())
    assert emulator.sizes[0] < FIRST
    assert max(emulator.sizes) < LARGEST
    assert emulator.requests[-1]["tool_choice"]["name"] == "conclude"
    assert answer.usage.model_calls <= 12
    assert emulator.refusals == []


async def test_a_reply_with_a_thousand_calls_ends_the_talk() -> None:
    calls = tuple(Call("kubernetes__events", {"namespace": f"n{number}"}) for number in range(1_000))
    async with serve([Say(calls=calls, stop="tool_use")]) as emulator, connect(config(emulator)) as model:
        world = World()
        limits = Limits()
        answer = await investigate(brief(), model=model, look=world.look, limits=limits, tools=tools())
    assert answer.failure is not None
    assert world.asked == []
    assert len(emulator.requests) == 1


async def test_an_explanation_of_500_findings_is_one_small_request() -> None:
    many = findings()
    told = replace(diagnosis(), findings=many, evidence=tuple(each for one in many for each in one.evidence))
    top = many[0].evidence[0]
    async with serve([concluding(claim("x", (top.id, "line")))]) as emulator, connect(config(emulator)) as model:
        await explain(told, model=model)
    assert emulator.sizes[0] < FIRST
    text = str(emulator.requests[0]["messages"])
    assert "kubectl logs pod-0" in text
    assert "more]" in text


async def test_no_excerpt_is_shown_whole_before_the_model_asks_for_it() -> None:
    async with serve(proven) as emulator, connect(config(emulator)) as model:
        await explain(replace(diagnosis(), evidence=(flood(1),)), model=model)
    said = str(emulator.requests[0]["messages"])
    assert "[cut: " in said
    assert len(said) < EXCERPT_LIMIT


async def test_of_a_series_the_end_is_shown() -> None:
    lines = "\n".join(f"2026-03-14T10:{number:02d}:00Z {number}.5" for number in range(60))
    series = Evidence.found("metrics.signals", "memory", f"memory of cart\n{lines}")
    async with serve(proven) as emulator, connect(config(emulator)) as model:
        await explain(replace(diagnosis(), evidence=(series,)), model=model)
    assert "59.5" in str(emulator.requests[0]["messages"])


def test_tools_without_a_source_are_not_offered() -> None:
    wanted = tools("kubernetes.objects", "metrics.signals", "prometheus.query", "history.changes", "mongodb.status")
    recorded = RealWorld(name="recorded", captured_at=NOW)
    assert [each.name for each in offered(wanted, recorded)] == ["history.changes"]


async def test_a_case_of_500_findings_and_50_mb_of_logs_is_told_in_bounded_and_redacted_requests(
    tmp_path: Path,
) -> None:
    _broken_namespace(tmp_path)
    async with serve(_reading) as emulator:
        model = Model(api_key=SecretStr(emulator.key), base_url=emulator.url)
        answer = await diagnose("Why do the pods in shop crash?", Settings(snapshot=tmp_path, model=model))
    assert answer.mode == "model"
    assert len(answer.findings) >= MANY
    assert max(emulator.sizes) < LARGEST
    assert answer.usage.input_tokens + answer.usage.output_tokens < 60_000
    assert SECRET not in json.dumps(emulator.requests)
    assert emulator.refusals == []


def _reading(body: Mapping[str, Any]) -> Step:
    """A model that reads a log in full, then concludes."""
    offered = {each["name"] for each in body["tools"]}
    if "kubernetes__logs" in offered and len(body["messages"]) == 1:
        return Say(calls=(Call("kubernetes__logs", {"namespace": "shop", "pod": "app-1", "tail_lines": 5_000}),))
    return proven(body)


def _broken_namespace(folder: Path) -> None:
    (folder / "snapshot.yaml").write_text("version: 1\ncaptured_at: 2026-03-01T10:00:00Z\ndefault_namespace: shop\n")
    (folder / "kubernetes").mkdir()
    pods = {"apiVersion": "v1", "kind": "List", "items": [_pod(number) for number in range(MANY)]}
    (folder / "kubernetes" / "pods.json").write_text(json.dumps(pods))
    line = f"2026-03-01T09:59:00Z INFO nothing to see {'x' * 120}\n"
    end = f"2026-03-01T09:59:30Z FATAL panic: no settings, token {SECRET}\n"
    for number in range(10):
        place = folder / "logs" / "shop" / f"app-{number}"
        place.mkdir(parents=True)
        (place / "app.log").write_text(line * (5_000_000 // len(line)) + end)


def _pod(number: int) -> dict[str, Any]:
    ended = {"exitCode": 1, "reason": "Error", "finishedAt": "2026-03-01T09:59:30Z"}
    status = {
        "name": "app",
        "image": "registry.test/app:1",
        "restartCount": 14,
        "ready": False,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
        "lastState": {"terminated": ended},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"app-{number}",
            "namespace": "shop",
            "uid": f"u-{number}",
            "creationTimestamp": "2026-03-01T09:00:00Z",
        },
        "spec": {"nodeName": "n1", "containers": [{"name": "app", "image": "registry.test/app:1"}]},
        "status": {"phase": "Running", "containerStatuses": [status]},
    }
