"""What is asked of the world, with a small fake of it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import orjson

from agents.alert import Alert
from agents.case import Case
from agents.gathering import MOST_CONTAINERS, gather
from tests.conclusion.builders import NOW, ago, alert, case
from tools.evidence import Evidence, Outcome
from tools.kubernetes.objects import get_line
from tools.world import Cluster, Logs, Network, World

ALL = frozenset({"pods", "storage", "services", "ingress", "network", "mongodb", "applications"})
PORT = cast("Any", object())
"""A port that is there; `gather` never asks it anything itself."""
LIVE = World(name="test", captured_at=NOW, cluster=cast(Cluster, PORT), logs=cast(Logs, PORT))


class Looks:
    """Answers looks from objects by kind, and remembers what was asked."""

    def __init__(
        self, objects: Mapping[str, Sequence[Mapping[str, Any]]], *, silent: frozenset[str] = frozenset()
    ) -> None:
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.most_at_once = 0
        self._now = 0
        self._objects = objects
        self._silent = silent

    async def look(self, name: str, args: Mapping[str, Any]) -> Evidence:
        self.asked.append((name, args))
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        await asyncio.sleep(0)
        self._now -= 1
        query = f"{name} {orjson.dumps(dict(args)).decode()}"
        if name in self._silent:
            return Evidence.gap(name, query, Outcome.ERROR, "no answer")
        if name != "kubernetes.objects":
            return Evidence.found(name, query, "")
        kind, namespace = str(args["kind"]), args.get("namespace")
        found = [each for each in self._objects.get(kind, ()) if namespace in (None, each["metadata"].get("namespace"))]
        text = "\n".join(each["metadata"]["name"] for each in found)
        return Evidence.found(name, get_line(kind, namespace, None), text, data=found)

    def args_of(self, name: str) -> list[Mapping[str, Any]]:
        return [args for asked, args in self.asked if asked == name]


def pod(name: str, *, waiting: str = "", restarts: int = 0, code: int = 0, minutes: float = 2) -> dict[str, Any]:
    ended = {"terminated": {"exitCode": code, "finishedAt": str(ago(minutes))}} if code else {}
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {"startedAt": str(ago(600))}}
    status = {"name": "main", "ready": not waiting, "restartCount": restarts, "state": state, "lastState": ended}
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop"},
        "status": {"containerStatuses": [status]},
    }


async def gathered(
    looks: Looks, about: Case | None = None, world: World = LIVE, areas: frozenset[str] = ALL
) -> tuple[Evidence, ...]:
    return await gather(about or case(namespaces=["shop"]), areas, looks.look, world)


async def test_namespaced_kinds_are_asked_of_the_scope_and_cluster_wide_ones_always_of_all() -> None:
    looks = Looks({"Pod": [pod("a")]})
    await gathered(looks)
    namespaces = {args["kind"]: args.get("namespace") for args in looks.args_of("kubernetes.objects")}
    assert namespaces["Pod"] == namespaces["PersistentVolumeClaim"] == "shop"
    assert namespaces["Node"] is namespaces["PersistentVolume"] is namespaces["StorageClass"] is None


async def test_the_first_round_is_asked_all_at_once() -> None:
    looks = Looks({"Pod": [pod("a")]})
    await gathered(looks)
    assert looks.most_at_once > 10


async def test_a_source_that_does_not_answer_is_kept_as_a_gap() -> None:
    found = await gathered(Looks({"Pod": [pod("a")]}, silent=frozenset({"metrics.signals"})))
    assert [each.outcome for each in found if each.tool == "metrics.signals"]
    assert all(each.is_gap for each in found if each.tool == "metrics.signals")


async def test_the_second_round_reads_the_logs_of_the_sick_and_of_their_ended_containers() -> None:
    looks = Looks({"Pod": [pod("well"), pod("crashing", waiting="CrashLoopBackOff", restarts=4, code=1)]})
    await gathered(looks)
    logs = looks.args_of("kubernetes.logs")
    assert {args["pod"] for args in logs} == {"crashing"}
    assert {args["previous"] for args in logs} == {False, True}


async def test_a_container_that_never_started_has_no_log_to_read() -> None:
    looks = Looks({"Pod": [pod("pulling", waiting="ImagePullBackOff")]})
    await gathered(looks)
    assert not looks.args_of("kubernetes.logs")


async def test_a_thousand_sick_pods_are_not_a_thousand_looks_and_the_worst_come_first() -> None:
    sick = [pod(f"old-{number}", restarts=1, code=1, minutes=300) for number in range(1000)]
    looks = Looks({"Pod": [*sick, pod("worst", waiting="CrashLoopBackOff", restarts=50, code=1)]})
    await gathered(looks)
    read = {args["pod"] for args in looks.args_of("kubernetes.logs")}
    assert len(read) == MOST_CONTAINERS
    assert "worst" in read


async def test_a_healthy_pod_of_the_case_is_read_too() -> None:
    looks = Looks({"Pod": [pod("cart-7d4f-a"), pod("web-1")]})
    await gathered(looks, case("deployment/shop/cart", namespaces=["shop"]))
    assert {args["pod"] for args in looks.args_of("kubernetes.logs")} == {"cart-7d4f-a"}


async def test_a_namespace_that_is_not_there_is_said_with_the_near_one_and_all_are_looked_at() -> None:
    looks = Looks({"Pod": [pod("a")]})
    found = await gathered(looks, case(namespaces=["shopp"]))
    (said,) = [each for each in found if "did you mean" in each.why]
    assert "'shop'" in said.why
    assert {"kind": "Pod"} in looks.args_of("kubernetes.objects")


async def test_an_incomplete_capture_is_said() -> None:
    found = await gathered(Looks({"Pod": [pod("a")]}), world=replace(LIVE, partial=frozenset({"logs"})))
    assert [each.query for each in found if each.tool == "logs"] == ["partial logs"]


async def test_without_a_cluster_it_is_asked_once_and_not_for_every_kind() -> None:
    looks = Looks({})
    await gathered(looks, world=World(name="test", captured_at=NOW))
    assert looks.args_of("kubernetes.objects") == [{"kind": "Pod"}]
    assert not looks.args_of("kubernetes.logs")


async def test_this_machine_is_read_when_there_is_nothing_else() -> None:
    looks = Looks({})
    await gathered(looks, world=World(name="test", captured_at=NOW))
    assert looks.args_of("host.usage")
    looks = Looks({"Pod": [pod("a")]})
    await gathered(looks)
    assert not looks.args_of("host.usage")


async def test_mongodb_is_asked_only_where_there_is_one_or_the_case_speaks_of_it() -> None:
    looks = Looks({})
    await gathered(looks)
    assert not looks.args_of("mongodb.status")
    await gathered(looks, case(question="why is mongo slow?"))
    assert looks.args_of("mongodb.status")


def about(labelled: Alert) -> Case:
    return case(namespaces=["shop"], alerts=[labelled])


async def test_tls_is_probed_where_alerts_and_ingresses_name_hosts() -> None:
    ingress = {
        "kind": "Ingress",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"tls": [{"hosts": ["shop.example", "*.wild.example"]}]},
    }
    looks = Looks({"Pod": [pod("a")], "Ingress": [ingress]})
    world = replace(LIVE, network=cast(Network, PORT))
    await gathered(looks, about(alert(instance="https://pay.example:8443/health")), world)
    assert looks.args_of("network.tls") == [
        {"host": "pay.example", "port": 8443},
        {"host": "shop.example", "port": 443},
    ]


async def test_signals_reach_back_before_the_onset_for_a_baseline() -> None:
    looks = Looks({"Pod": [pod("a")]})
    await gathered(looks)
    assert all(args["minutes"] >= 180 for args in looks.args_of("metrics.signals"))


async def test_metrics_that_know_nothing_of_the_namespace_are_asked_without_it() -> None:
    looks = Looks({"Pod": [pod("a")]})
    await gathered(looks)
    assert {"minutes": 180} in looks.args_of("metrics.signals")
