"""What findings say: one for a workload, counted, as bad as it is, with the words that name the mechanism."""

from typing import Any

import pytest

from agents.causes import rules, run
from agents.finding import Finding, Severity
from agents.scene import Scene
from tests.rules.builders import (
    NOW,
    ago,
    condition,
    container,
    deployment,
    ended,
    endpoints,
    event,
    fleet,
    log,
    obj,
    owned,
    pod,
    replica_set,
    scene,
    service,
    status,
    waits,
)
from tests.rules.kubernetes.cases import changed
from tests.rules.kubernetes.pod_cases import BACK_OFF, PULL, REFUSED, SETTLED, crashing, pending, probed, waiting
from tools.evidence import Evidence
from tools.redaction import redact


def findings(of: str, here: Scene) -> list[Finding]:
    return list(run([each for each in rules() if each.cause.id == of], here).findings)


def only(of: str, here: Scene) -> Finding:
    (found,) = findings(of, here)
    return found


def causes(here: Scene) -> set[str]:
    return {str(each.cause) for each in run(rules(), here).findings if each.role == "cause"}


def pods(count: int, broken: int) -> list[dict[str, Any]]:
    last = ended(137, "OOMKilled")
    sick = [pod(f"cart-7d4f-{at}", status(restarts=5, state=BACK_OFF, last=last)) for at in range(broken)]
    return [*sick, *(pod(f"cart-7d4f-{at}", ready=True) for at in range(broken, count))]


def test_pods_of_one_workload_are_one_finding_that_counts_them() -> None:
    found = only("oom-killed", scene(deployment(), replica_set(), *pods(5, broken=3)))
    assert "3 of 5 pods of deployment/shop/cart" in found.summary


def test_no_ready_pod_is_critical_and_one_that_is_left_makes_it_a_warning() -> None:
    assert only("oom-killed", scene(*pods(2, broken=2))).severity is Severity.CRITICAL
    assert only("oom-killed", scene(*pods(2, broken=1))).severity is Severity.WARNING


def test_a_single_kill_that_is_over_is_only_information() -> None:
    (over,) = changed((crashing(137, "OOMKilled", minutes=20),), SETTLED)
    over["status"]["containerStatuses"][0]["restartCount"] = 1
    assert only("oom-killed", scene(over)).severity is Severity.INFO


def test_the_limit_that_was_hit_is_named() -> None:
    limits = container(resources={"limits": {"memory": "256Mi"}})
    one = pod(
        "cart-7d4f-a", status(restarts=5, state=BACK_OFF, last=ended(137, "OOMKilled")), spec={"containers": [limits]}
    )
    found = only("oom-killed", scene(one))
    assert "256Mi" in found.summary
    assert any(each.bears_out("memory: 256Mi") for each in found.evidence)


def test_the_last_words_before_the_end_are_cited() -> None:
    words = log("cart-7d4f-a", "starting", "panic: no such table", previous=True)
    found = only("app-exits", scene(crashing(2), looks=[words]))
    assert "panic: no such table" in found.summary
    assert any(each.bears_out("panic: no such table") for each in found.evidence)


def test_a_settled_pod_has_no_cause_at_all() -> None:
    (well,) = changed((crashing(1, minutes=40),), SETTLED)
    assert causes(scene(well)) == set()


def test_a_probe_that_kills_takes_the_place_of_the_exit_that_it_caused() -> None:
    one = crashing(1)
    killed = event("Killing", "Container cart failed liveness probe, will be restarted", one)
    assert findings("app-exits", scene(one)) != []
    assert findings("app-exits", scene(one, killed)) == []


def test_a_job_that_gave_up_failed_for_its_exit() -> None:
    given_up = obj("Job", "report", status={"conditions": [condition("Failed", reason="BackoffLimitExceeded")]})
    one = crashing(3)
    one["metadata"]["ownerReferences"] = owned("Job", "report")
    assert only("app-exits", scene(one, given_up)).entity.kind == "job"


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ('failed to resolve reference "r.test/cart:9": r.test/cart:9: not found', "image-not-found"),
        ("manifest for cart:9 not found: manifest unknown", "image-not-found"),
        # Nobody logs in here: then it is not the login that is wrong.
        ("pull access denied for cart, repository does not exist or may require authorization", "image-not-found"),
        ("unexpected status: 401 Unauthorized", "image-auth-failed"),
        ("no basic auth credentials", "image-auth-failed"),
        ("dial tcp 10.0.0.1:443: i/o timeout", "registry-unreachable"),
        ("x509: certificate signed by unknown authority", "registry-unreachable"),
        ("You have reached your pull rate limit: 429 Too Many Requests", "image-rate-limited"),
    ],
)
def test_what_the_registry_says_decides_the_cause(answer: str, cause: str) -> None:
    assert causes(scene(waiting("ErrImagePull", PULL + answer))) == {cause}


def test_a_pull_whose_reason_was_not_captured_is_inferred() -> None:
    found = only("image-not-found", scene(waiting("ImagePullBackOff", 'Back-off pulling image "cart:9"')))
    assert not found.direct
    assert "was not captured" in found.summary


def test_the_reason_of_a_pull_is_taken_from_its_event_when_the_status_has_it_no_more() -> None:
    one = waiting("ImagePullBackOff", 'Back-off pulling image "cart:9"')
    told = event("Failed", PULL + "toomanyrequests: rate limit", one)
    assert only("image-rate-limited", scene(one, told)).direct


def test_a_taint_of_control_plane_nodes_is_never_the_reason() -> None:
    message = (
        "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, "
        "2 node(s) didn't match Pod's node affinity/selector."
    )
    assert causes(scene(pending(message))) == {"node-selector-mismatch"}


def test_a_request_that_no_node_could_ever_meet_is_said_to_be_so() -> None:
    resources = {"requests": {"cpu": "64"}}
    one = pending("0/1 nodes are available: 1 Insufficient cpu.", containers=[container(resources=resources)])
    small = obj("Node", "worker-1", "", status={"allocatable": {"cpu": "8"}})
    assert "can never fit" in only("insufficient-cpu", scene(one, small)).summary


def test_a_probe_port_is_corrected_by_what_the_log_says() -> None:
    one, told = probed(REFUSED, {"httpGet": {"port": 9090}})
    words = log("cart-7d4f-a", "server listening on port 8080")
    found = only("probe-port-mismatch", scene(one, told, looks=[words]))
    assert found.direct
    assert found.remedy == "Set the readiness probe's port of deployment/cart -n shop to 8080 (now 9090)"


def test_one_of_several_ports_that_is_not_declared_is_legal() -> None:
    both = service(ports=[{"port": 80, "targetPort": 8080}, {"port": 9000, "targetPort": 9000}])
    assert findings("service-port-mismatch", scene(both, pod(ready=True))) == []


def test_a_selector_is_mended_by_the_label_that_is_nearly_it() -> None:
    found = only("selector-mismatch", scene(service(spec={"selector": {"app": "cart-v2"}}), deployment("cart")))
    assert '{"app":"cart"}' in found.remedy


def test_missing_endpoints_are_not_claimed_where_nobody_listed_anything() -> None:
    blind = frozenset({"EndpointSlice", "Pod"})
    assert findings("endpoints-empty", scene(service(), unseen=blind)) == []


def test_a_secret_that_nobody_may_list_is_not_called_missing() -> None:
    volume = {"volumes": [{"name": "x", "secret": {"secretName": "db"}}]}
    one = pod(spec=volume, status={"phase": "Pending", "containerStatuses": [status(state=waits("ContainerCreating"))]})
    assert findings("secret-missing", scene(one, unseen=frozenset({"Secret"}))) == []
    assert len(findings("secret-missing", scene(one))) == 1


def test_a_change_names_what_differs_and_keeps_secrets_to_itself() -> None:
    def version(name: str, minutes: float, **fields: Any) -> dict[str, Any]:
        template = {"template": {"spec": {"containers": [container(**fields)]}}}
        metadata = {"ownerReferences": owned("Deployment", "cart"), "creationTimestamp": ago(minutes)}
        return replica_set(name, metadata=metadata, spec={"replicas": 1, **template})

    before = version("cart-1", 900, env=[{"name": "DB_PASSWORD", "value": "plainword"}, {"name": "DB", "value": "a"}])
    after = version("cart-2", 20, image="r.test/cart:2", env=[{"name": "DB_PASSWORD", "value": "otherword"}])
    found = only("recent-change", scene(deployment(), before, after))
    assert "cart.image registry.test/cart:1 -> r.test/cart:2" in found.summary
    assert "cart.env.DB_PASSWORD changed" in found.summary
    assert "cart.env.DB a -> absent" in found.summary
    everything = found.summary + " ".join(each.excerpt for each in found.evidence)
    assert "word" not in everything.replace("DB_PASSWORD", "")
    assert not found.direct


def test_a_policy_that_keeps_out_a_known_caller_is_critical() -> None:
    web = deployment("web")
    web["spec"]["template"]["spec"]["containers"] = [container("web", env=[{"name": "CART_HOST", "value": "cart"}])]
    caller = pod(
        "web-1", ready=True, metadata={"labels": {"app": "web"}, "ownerReferences": owned("Deployment", "web")}
    )
    allow = {"from": [{"podSelector": {"matchLabels": {"app": "admin"}}}]}
    policy = obj(
        "NetworkPolicy", "only-admin", spec={"podSelector": {"matchLabels": {"app": "cart"}}, "ingress": [allow]}
    )
    found = only("network-policy-blocks", scene(web, caller, service(), pod(ready=True), policy))
    assert found.severity is Severity.CRITICAL
    assert "deployment/shop/web" in found.summary


def test_endpoints_of_a_workload_at_zero_are_a_symptom_once_somebody_asks() -> None:
    asleep = (deployment(replicas=0, ready=0), service(), endpoints("cart"))
    assert findings("endpoints-empty", scene(*asleep)) == []
    assert len(findings("endpoints-empty", scene(*asleep, about=["service/shop/cart"]))) == 1
    assert len(findings("scaled-to-zero", scene(*asleep, about=["service/shop/cart"]))) == 1


def test_words_of_the_world_are_redacted_before_they_are_said() -> None:
    one = crashing(1, message="cannot connect to postgres://app:hunter22@db:5432")
    found = only("app-exits", scene(one))
    assert "hunter22" not in found.summary + "".join(each.excerpt for each in found.evidence)
    assert found.summary == redact(found.summary)


def test_a_restart_rate_is_read_from_the_series_where_there_is_one() -> None:
    one = pod("cart-7d4f-a", status(restarts=40, last=ended(1, minutes=1)), age=90_000)

    def counting(*values: float) -> Evidence:
        at = NOW.timestamp()
        points = [[at - 120 * (len(values) - step), value] for step, value in enumerate(values)]
        data = [{"entity": "pod/shop/cart-7d4f-a", "signal": "restarts_total", "points": points}]
        return Evidence.found("metrics.signals", "restarts_total", "x", data=data)

    assert findings("restart-storm", scene(one, looks=[counting(36, 38, 40)])) != []
    assert findings("restart-storm", scene(one, looks=[counting(39, 39, 40)])) == []
    # Forty restarts in two months are no storm.
    assert findings("restart-storm", scene(one)) == []


def test_a_refusal_in_a_condition_counts_where_its_event_is_gone() -> None:
    said = condition("ReplicaFailure", message="pods is forbidden: exceeded quota: compute", reason="FailedCreate")
    here = scene(deployment(ready=0, status={"conditions": [said]}))
    assert "resourcequota compute -n shop" in only("quota-exceeded", here).remedy


def test_a_refusal_is_history_once_all_replicas_are_ready() -> None:
    sets = replica_set()
    refusal = event("FailedCreate", "pods is forbidden: exceeded quota: compute", sets)
    assert findings("quota-exceeded", scene(deployment(ready=1), sets, refusal)) == []


def test_a_failing_webhook_is_the_culprit_where_its_configuration_is_known() -> None:
    sets = replica_set()
    refusal = event("FailedCreate", 'failed calling webhook "check.policy.test": timeout', sets)
    policy = obj("ValidatingWebhookConfiguration", "policy", "", webhooks=[{"name": "check.policy.test"}])
    found = only("webhook-failing", scene(deployment(ready=0), sets, refusal, policy))
    assert str(found.entity) == "validatingwebhookconfiguration//policy"


@pytest.mark.parametrize(
    "message",
    ["couldn't find key level in ConfigMap shop/settings", "references non-existent config key: level"],
)
def test_the_kubelet_names_the_key_that_is_missing(message: str) -> None:
    volume = {"name": "x", "configMap": {"name": "settings", "items": [{"key": "level"}]}}
    one = waiting("CreateContainerConfigError", message, spec={"volumes": [volume]})
    found = only("config-key-missing", scene(one, unseen=frozenset({"ConfigMap"})))
    assert "key 'level' of ConfigMap 'settings'" in found.summary


def test_older_endpoints_objects_tell_as_much_as_slices() -> None:
    older = obj("Endpoints", "cart", subsets=[{"notReadyAddresses": [{"ip": "10.0.0.1"}]}])
    found = only("endpoints-not-ready", scene(service(), older, unseen=frozenset({"EndpointSlice"})))
    assert "0 ready endpoints and 1 that are not ready" in found.summary


def test_a_policy_may_let_callers_in_by_their_namespace() -> None:
    web = deployment("web", namespace="front")
    setting = [{"name": "CART_URL", "value": "http://cart.shop:80"}]
    web["spec"]["template"]["spec"]["containers"] = [container("web", env=setting)]
    labels = {"labels": {"app": "web"}, "ownerReferences": owned("Deployment", "web")}
    caller = pod("web-1", ready=True, namespace="front", metadata=labels)

    def blocked(selector: dict[str, Any]) -> bool:
        spec: dict[str, Any] = {"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": selector}]}]}
        policy = obj("NetworkPolicy", "front-only", spec=spec)
        return bool(findings("network-policy-blocks", scene(web, caller, service(), pod(ready=True), policy)))

    name = "kubernetes.io/metadata.name"
    assert not blocked({})
    assert not blocked({"matchLabels": {name: "front"}})
    assert not blocked({"matchExpressions": [{"key": name, "operator": "In", "values": ["front", "back"]}]})
    assert blocked({"matchLabels": {name: "back"}})
    assert blocked({"matchExpressions": [{"key": name, "operator": "NotIn", "values": ["front"]}]})
    assert blocked({"matchExpressions": [{"key": "team", "operator": "Exists"}]})
    assert not blocked({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]})


def test_a_recorded_change_counts_within_the_hour_before_the_onset() -> None:
    def recorded(minutes: float) -> Evidence:
        data = [
            {"at": ago(minutes), "kind": "flag", "entity": "service//web", "who": "kim", "summary": "new checkout on"}
        ]
        return Evidence.found("history.changes", "changes", "x", data=data)

    found = only("recent-change", scene(looks=[recorded(90)]))
    assert str(found.entity) == "service//web"
    assert found.evidence[0].bears_out("flag service//web by kim: new checkout on")
    assert findings("recent-change", scene(looks=[recorded(200)])) == []


def test_an_autoscaler_whose_metric_is_under_its_target_does_not_want_more() -> None:
    def at_max(now: int) -> Scene:
        figure = {"resource": {"name": "cpu", "current": {"averageUtilization": now}}}
        metric = {"resource": {"name": "cpu", "target": {"averageUtilization": 80}}}
        limited = condition("ScalingLimited", reason="TooManyReplicas")
        spec = {"maxReplicas": 3, "metrics": [metric]}
        state = {"conditions": [limited], "currentReplicas": 3, "currentMetrics": [figure]}
        return scene(obj("HorizontalPodAutoscaler", "cart", spec=spec, status=state))

    assert findings("hpa-at-max", at_max(95)) != []
    assert findings("hpa-at-max", at_max(40)) == []


def test_a_slow_start_with_a_startup_probe_of_its_own_is_not_called_too_short() -> None:
    message = "Liveness probe failed: connection refused"
    live = {"httpGet": {"port": 8080}, "periodSeconds": 10, "failureThreshold": 3}
    one, told = probed(message, live, "liveness", restarts=3, last=ended(137, lived_s=40))
    assert findings("startup-too-short", scene(one, told)) != []
    one["spec"]["containers"][0]["startupProbe"] = {"httpGet": {"port": 8080}}
    assert findings("startup-too-short", scene(one, told)) == []


def test_a_large_cluster_gives_one_finding_for_each_broken_workload_and_none_for_the_others() -> None:
    found = findings("app-exits", scene(*fleet(300)))
    assert [str(each.entity) for each in found] == [f"deployment/shop/app-{at}" for at in (0, 20, 40)]


def test_a_container_that_the_runtime_never_ran_is_no_error_of_the_application() -> None:
    mount = crashing(128, "StartError", message="error mounting /etc/settings: not a directory")
    assert causes(scene(mount)) == {"container-create-error"}
    command = crashing(128, "StartError", message='exec: "serve": executable file not found in $PATH')
    assert causes(scene(command)) == {"command-not-found"}


UNCAUGHT = "Unhandled exception. Store.ConnectionException: refused\n   at Cart.Store.Open() in Store.cs:line 9"


@pytest.mark.parametrize(
    ("words", "cause"),
    [(UNCAUGHT, "app-exits"), ("*** stack smashing detected ***: terminated", "segfault"), ("", "segfault")],
    ids=["an exception", "a fault", "silence"],
)
def test_a_process_that_aborts_over_an_exception_did_not_crash_natively(words: str, cause: str) -> None:
    one = crashing(134)
    found = causes(scene(one, looks=[log(one["metadata"]["name"], words, previous=True)]))
    assert found & {"app-exits", "segfault"} == {cause}


def test_a_grpc_probe_that_finds_nobody_asks_a_wrong_port_where_the_container_has_another() -> None:
    said = (
        'Liveness probe failed: timeout: failed to connect service "10.0.0.7:90" within 1s: context deadline exceeded'
    )
    for port, cause in ((9090, "probe-port-mismatch"), (8080, "probe-timeout")):
        here = scene(*probed(said, {"grpc": {"port": port}}, "liveness"))
        assert causes(here) & {"probe-port-mismatch", "probe-timeout"} == {cause}
