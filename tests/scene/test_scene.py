"""What a scene knows, what it does not know, and how each part of it is cited."""

from collections.abc import Mapping
from typing import Any

from agents.report import Edge
from agents.scene import Scene
from tests.rules.builders import (
    ago,
    case,
    container,
    deployment,
    event,
    listing,
    log,
    obj,
    owned,
    pod,
    replica_set,
    scene,
    service,
    status,
)
from tools.entity import Entity
from tools.evidence import Evidence, Outcome


def entity(written: str) -> Entity:
    return Entity.parse(written)


def seen(*looks: Evidence, partial: frozenset[str] = frozenset()) -> Scene:
    return Scene.of(case(), looks, partial=partial)


def test_what_was_not_listed_is_unknown_and_not_absent() -> None:
    blind = seen(listing("Pod", [pod()]))
    assert not blind.cluster.lacks("Secret", "shop", "db")
    assert seen(listing("Secret", [])).cluster.lacks("Secret", "shop", "db")


def test_a_listing_of_one_namespace_says_nothing_of_another() -> None:
    narrow = seen(listing("Secret", [], namespace="shop"))
    assert narrow.cluster.lacks("Secret", "shop", "db")
    assert not narrow.cluster.lacks("Secret", "pay", "db")
    assert narrow.saw("kubernetes", "Secret", "shop")
    assert not narrow.saw("kubernetes", "Secret", "pay")


def test_a_look_at_one_object_by_name_is_no_listing() -> None:
    query = "kubectl get secrets other -n shop -o yaml"
    assert not seen(Evidence.found("kubernetes.objects", query, "", data=[])).cluster.lacks("Secret", "shop", "db")


def test_an_incomplete_capture_never_shows_that_something_is_absent() -> None:
    partial = seen(listing("Secret", []), partial=frozenset({"kubernetes"}))
    assert partial.saw("kubernetes", "Secret")
    assert not partial.cluster.lacks("Secret", "shop", "db")


def test_a_refused_look_is_not_among_what_was_seen() -> None:
    refused = Evidence.gap("kubernetes.objects", "kubernetes.objects {}", Outcome.ERROR, "Refused: no permission")
    assert not seen(refused).saw("kubernetes")
    assert seen(listing("Pod", [])).saw("kubernetes")


def test_an_event_counts_for_the_object_that_has_its_uid() -> None:
    one, other = pod(), pod(metadata={"uid": "another"})
    assert [each.reason for each in scene(one, event("BackOff", "again", one)).cluster.events] == ["BackOff"]
    assert scene(one, event("BackOff", "again", other)).cluster.events == ()


def test_an_event_without_a_uid_counts_by_kind_and_name() -> None:
    one = pod()
    told = event("BackOff", "again", one)
    del told["involvedObject"]["uid"]
    assert len(scene(one, told).cluster.events) == 1


def test_an_event_of_an_object_that_is_gone_is_left_out_unless_nobody_looked() -> None:
    told = event("BackOff", "again", pod())
    assert scene(told).cluster.events == ()
    assert len(scene(told, unseen=frozenset({"Pod"})).cluster.events) == 1


def test_an_event_of_a_node_counts_though_its_uid_is_the_nodes_name() -> None:
    node = obj("Node", "worker-1", "")
    told = event("SystemOOM", "out of memory", node)
    told["involvedObject"]["uid"] = "worker-1"
    assert len(scene(node, told).cluster.events) == 1


def test_events_of_both_api_versions_are_read() -> None:
    one = pod()
    newer = {
        "kind": "Event",
        "metadata": {"name": "x", "uid": "x"},
        "regarding": {"kind": "Pod", "namespace": "shop", "name": "cart-7d4f-a"},
        "reason": "BackOff",
        "note": "again",
        "eventTime": ago(30),
        "series": {"count": 7, "lastObservedTime": ago(1)},
    }
    (found,) = seen(listing("Pod", [one]), Evidence.found("kubernetes.events", "q", "x", data=[newer])).cluster.events
    assert (found.message, found.count, str(found.last_at)) == ("again", 7, ago(1))


def test_a_pod_belongs_to_the_deployment_above_its_set() -> None:
    whole = scene(deployment(), replica_set(), pod())
    assert whole.cluster.workload(whole.cluster.all("Pod")[0]) == entity("deployment/shop/cart")
    assert len(whole.cluster.pods_of(entity("deployment/shop/cart"))) == 1
    assert len(whole.cluster.pods_of(entity("replicaset/shop/cart-7d4f"))) == 1


def test_a_set_that_was_not_listed_still_gives_its_deployment() -> None:
    bare = scene(pod(), unseen=frozenset({"ReplicaSet", "Deployment"}))
    assert bare.cluster.workload(bare.cluster.all("Pod")[0]) == entity("deployment/shop/cart")


def test_owners_that_own_each_other_do_not_hang() -> None:
    left = obj("ReplicaSet", "a", metadata={"ownerReferences": owned("ReplicaSet", "b")})
    right = obj("ReplicaSet", "b", metadata={"ownerReferences": owned("ReplicaSet", "a")})
    assert scene(left, right).cluster.workload(scene(left, right).cluster.all("ReplicaSet")[0]).kind == "replicaset"


def test_a_cited_object_shows_its_fields_and_the_line_that_reads_it() -> None:
    here = scene(pod("cart-7d4f-a", status(restarts=3)))
    cited = here.cite(here.cluster.all("Pod")[0], "status.containerStatuses[*].restartCount")
    assert cited.query == "kubectl get pod cart-7d4f-a -n shop -o yaml"
    assert cited.bears_out("restartCount: 3")
    assert not cited.bears_out("phase: Running")


def test_a_cited_event_says_when_how_often_and_what() -> None:
    one = pod()
    here = scene(one, event("BackOff", "Back-off restarting failed container", one, count=9))
    cited = here.cite_event(here.cluster.events[0])
    assert cited.bears_out(f"{ago(2)} Warning BackOff pod/shop/cart-7d4f-a (x9, first {ago(12)})")
    assert "--field-selector involvedObject.kind=Pod,involvedObject.name=cart-7d4f-a" in cited.query


def test_a_cited_log_line_comes_with_what_led_up_to_it() -> None:
    here = scene(pod(), looks=[log("cart-7d4f-a", *(f"line {number}" for number in range(9)), previous=True)])
    (found,) = here.logs_of(here.cluster.all("Pod")[0])
    cited = here.cite_log(found, 6)
    assert cited.excerpt == "line 3\nline 4\nline 5\nline 6\nline 7"
    assert cited.query == "kubectl logs cart-7d4f-a -n shop -c cart --previous"


def test_lines_of_a_log_store_are_logs_too_and_cite_its_own_query() -> None:
    data = [{"at": ago(1), "namespace": "shop", "pod": "cart-7d4f-a", "container": "cart", "line": "panic: gone"}]
    here = scene(pod(), looks=[Evidence.found("logs.lines", '{namespace="shop"}', "x", data=data)])
    (found,) = here.logs_of(here.cluster.all("Pod")[0])
    assert here.cite_log(found, 0).query == '{namespace="shop"} # pod/shop/cart-7d4f-a'
    assert here.saw("logs")


def test_a_cited_series_names_its_signal_and_its_last_value() -> None:
    points = [[1_767_268_800 + 60 * at, float(at)] for at in range(100)]
    data = [{"entity": "pod/shop/cart-1", "signal": "cpu_cores", "points": points}]
    here = seen(Evidence.found("metrics.signals", "cpu_cores", "x", data=data))
    series = here.signal(entity("pod/shop/cart-1"), "cpu_cores")
    assert series is not None
    assert here.cite_series(series).bears_out("2026-01-01T13:39:00Z 99")
    assert here.cite_series(series) is here.cite_series(series)


def calling(settings: list[Mapping[str, Any]], **more: Any) -> frozenset[Edge]:
    web = deployment("web")
    web["spec"]["template"]["spec"]["containers"] = [container("web", env=settings, **more)]
    here = scene(web, service("cart"), service("db"), obj("Service", "mail", "post"), SETTINGS)
    return frozenset(each for each in here.edges() if each.relation == "calls")


SETTINGS = obj("ConfigMap", "settings", data={"CART_URL": "http://cart:8080/"})
WEB = entity("deployment/shop/web")


def test_a_host_name_in_a_setting_is_a_call() -> None:
    for value in ("http://user:secret@db/x", "db:5432", "db.shop.svc.cluster.local", "postgres://db.shop:5432/x"):
        assert calling([{"name": "DATABASE_URL", "value": value}]) == {Edge(entity("service/shop/db"), WEB, "calls")}


def test_a_service_of_another_namespace_is_called_by_its_longer_name() -> None:
    found = calling([{"name": "X", "value": "mail.post.svc:25"}])
    assert found == {Edge(entity("service/post/mail"), WEB, "calls")}


def test_a_word_that_happens_to_be_a_service_is_no_call() -> None:
    assert calling([{"name": "MODE", "value": "cart"}]) == frozenset()
    assert calling([{"name": "CART_HOST", "value": "cart"}]) == {Edge(entity("service/shop/cart"), WEB, "calls")}


def test_arguments_and_configmaps_are_read_for_calls_too() -> None:
    assert calling([], args=["--upstream=http://cart:80"]) == {Edge(entity("service/shop/cart"), WEB, "calls")}
    found = calling([], envFrom=[{"configMapRef": {"name": "settings"}}])
    assert found == {Edge(entity("service/shop/cart"), WEB, "calls")}


def test_trouble_finds_its_way_from_a_node_to_an_ingress() -> None:
    backend = {"service": {"name": "cart", "port": {"number": 80}}}
    spec = {"rules": [{"http": {"paths": [{"backend": backend}]}}]}
    claim = {"volumes": [{"name": "x", "persistentVolumeClaim": {"claimName": "data"}}]}
    found = scene(deployment(), replica_set(), pod(spec=claim), service(), obj("Ingress", "web", spec=spec)).edges()
    one = entity("pod/shop/cart-7d4f-a")
    assert {
        Edge(entity("node//worker-1"), one, "runs-on"),
        Edge(entity("persistentvolumeclaim/shop/data"), one, "mounts"),
        Edge(one, entity("replicaset/shop/cart-7d4f"), "owns"),
        Edge(entity("replicaset/shop/cart-7d4f"), entity("deployment/shop/cart"), "owns"),
        Edge(one, entity("service/shop/cart"), "selects"),
        Edge(entity("deployment/shop/cart"), entity("service/shop/cart"), "selects"),
        Edge(entity("service/shop/cart"), entity("ingress/shop/web"), "routes-to"),
    } <= found


def test_recorded_calls_point_from_callee_to_caller() -> None:
    data = [["service//web", "service//cart"], ["broken", None], "x"]
    found = seen(Evidence.found("history.calls", "calls between entities", "x", data=data)).edges()
    assert found == {Edge(entity("service//cart"), entity("service//web"), "calls")}
