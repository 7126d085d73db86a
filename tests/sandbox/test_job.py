"""A command as a Job: what the manifest holds, which policies keep it apart, and how its end is read."""

from typing import Any

import kubernetes_validate  # pyright: ignore[reportMissingTypeStubs]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.sandbox.isolation import why_open
from approvals.sandbox.job import End, Place, is_running, job_name, labels, manifest, read_end, why_pending, why_stuck
from approvals.sandbox.port import GIVEN, Command, Ended, Limits
from tests.sandbox.jobs import ANYWHERE, CLOSED, OPEN, PLACE, pod, policy

COMMAND = Command(run_id="run-1", argv=("/usr/bin/dig", "-q", "$(HOME)"), limits=Limits(wall_s=4.5))


@pytest.mark.parametrize("version", ["1.30", "1.34"])
@pytest.mark.parametrize("text", [None, "text"])
def test_the_manifest_is_what_kubernetes_reads(version: str, text: str | None) -> None:
    command = Command(run_id="run-1", argv=COMMAND.argv, given=text, network=True)
    kubernetes_validate.validate(manifest(command, PLACE), version, strict=True)


def test_the_pod_has_restricted_security_no_token_and_nothing_of_its_host() -> None:
    spec = manifest(COMMAND, PLACE)["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert (spec["hostNetwork"], spec["hostPID"], spec["hostIPC"]) == (False, False, False)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    [container] = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}
    assert container["image"] == PLACE.image
    assert "env" not in container
    assert "envFrom" not in container
    [volume] = spec["volumes"]
    assert volume == {"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": str(16 * 2**20)}}


def test_a21_the_job_has_one_attempt_and_its_time() -> None:
    job = manifest(COMMAND, PLACE)
    assert (job["spec"]["backoffLimit"], job["spec"]["completions"], job["spec"]["parallelism"]) == (0, 1, 1)
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert job["spec"]["template"]["spec"]["activeDeadlineSeconds"] == 5 + PLACE.start_s
    assert job["spec"]["activeDeadlineSeconds"] > job["spec"]["template"]["spec"]["activeDeadlineSeconds"]
    assert job["spec"]["ttlSecondsAfterFinished"] > 0


def test_the_arguments_are_neither_read_by_a_shell_nor_expanded() -> None:
    [container] = manifest(COMMAND, PLACE)["spec"]["template"]["spec"]["containers"]
    # As Kubernetes writes a dollar that means itself.
    assert container["command"] == ["/usr/bin/dig", "-q", "$$(HOME)"]
    assert "args" not in container


def test_the_given_text_becomes_a_read_only_file() -> None:
    command = Command(run_id="run-1", argv=("/usr/bin/true",), given="hello")
    template = manifest(command, PLACE)["spec"]["template"]
    [key] = template["metadata"]["annotations"]
    assert template["metadata"]["annotations"][key] == "hello"
    [_, volume] = template["spec"]["volumes"]
    [item] = volume["downwardAPI"]["items"]
    assert item["fieldRef"] == {"fieldPath": f"metadata.annotations['{key}']"}
    [_, mount] = template["spec"]["containers"][0]["volumeMounts"]
    assert f"{mount['mountPath']}/{item['path']}" == GIVEN
    assert mount["readOnly"] is True


@given(st.text(min_size=1), st.text(min_size=1))
def test_a21_one_run_has_one_name(one: str, other: str) -> None:
    assert job_name(one) == job_name(one)
    assert (job_name(one) == job_name(other)) is (one == other)
    assert len(job_name(one)) <= 63


@pytest.mark.parametrize("image", ["locum", "locum:1.0", "locum@sha256:abc", f"locum @sha256:{'a' * 64}"])
def test_an_image_that_is_not_pinned_is_refused(image: str) -> None:
    with pytest.raises(ValueError, match="is not pinned"):
        Place(namespace="locum-sandbox", image=image)


# Policies


NONE, EGRESS = ({"locum/network": network, "app.kubernetes.io/name": "locum-sandbox"} for network in ("none", "egress"))


def test_the_labels_say_whether_a_command_has_the_network() -> None:
    assert labels(COMMAND)["locum/network"] == "none"
    assert labels(Command(run_id="x", argv=("/usr/bin/true",), network=True))["locum/network"] == "egress"


def test_policies_that_close_and_open_by_label_are_enough() -> None:
    assert why_open([CLOSED, OPEN], NONE, network=False) is None
    assert why_open([CLOSED, OPEN], EGRESS, network=True) is None


@pytest.mark.parametrize(
    ("policies", "why"),
    [
        ([], "no NetworkPolicy with the type Egress selects"),
        ([policy("ingress", {}, types=["Ingress"])], "no NetworkPolicy with the type Egress selects"),
        ([policy("other", {"locum/network": "egress"})], "no NetworkPolicy with the type Egress selects"),
        ([policy("untyped", {}, types=None)], "no NetworkPolicy with the type Egress selects"),
        ([policy("maybe", {}, expressions=True)], "no NetworkPolicy with the type Egress selects"),
        ([CLOSED, policy("dns", {}, rules=[{"ports": [{"port": 53}]}])], "the NetworkPolicy 'dns' lets out a pod"),
        ([CLOSED, policy("maybe", {}, rules=[{}], expressions=True)], "the NetworkPolicy 'maybe' lets out a pod"),
        ([policy("untyped", {}, types=None, rules=[{}])], "the NetworkPolicy 'untyped' lets out a pod"),
    ],
)
def test_a_pod_without_the_network_is_not_run_where_it_could_get_out(policies: list[dict[str, Any]], why: str) -> None:
    assert why in str(why_open(policies, NONE, network=False))


PODS: dict[str, Any] = {"podSelector": {}}
LEAKY: list[dict[str, Any]] = [
    {},
    {"ports": [{"port": 443}]},
    {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]},
    {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]},
    {"to": [PODS, {"ipBlock": {"cidr": "169.254.169.254/32"}}]},
    {"to": [{"ipBlock": {"cidr": "::/0"}}]},
]


@pytest.mark.parametrize("rule", LEAKY)
def test_a_pod_with_the_network_is_not_run_where_it_reaches_metadata(rule: dict[str, Any]) -> None:
    why = why_open([CLOSED, policy("out", {}, rules=[rule])], EGRESS, network=True)
    assert why == "the NetworkPolicy 'out' leads to 169.254.169.254, or may"


def test_peers_that_are_pods_and_blocks_without_metadata_are_fine() -> None:
    rules: list[dict[str, Any]] = [{"to": [PODS]}, {"to": ANYWHERE}, {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]
    assert why_open([policy("out", {}, rules=rules)], EGRESS, network=True) is None


# Ends


@pytest.mark.parametrize(
    ("seen", "end"),
    [
        ({}, None),
        (pod("Pending"), None),
        (pod("Running", running={"startedAt": "2026-01-01T00:00:00Z"}), None),
        (pod("Succeeded", terminated={"exitCode": 0, "reason": "Completed"}), End(ended=Ended.EXITED, exit_code=0)),
        (pod("Failed", terminated={"exitCode": 2, "reason": "Error"}), End(ended=Ended.EXITED, exit_code=2)),
        (pod("Failed", terminated={"exitCode": 137, "reason": "OOMKilled"}), End(ended=Ended.KILLED)),
        (pod("Failed", terminated={"exitCode": 1, "reason": "OOMKilled"}), End(ended=Ended.KILLED)),
        (pod("Failed", terminated={"exitCode": 139, "reason": "Error"}), End(ended=Ended.KILLED)),
        (pod("Failed", reason="Evicted"), End(ended=Ended.KILLED)),
        (pod("Failed", terminated={"exitCode": 137}, reason="DeadlineExceeded"), End(ended=Ended.TIMED_OUT)),
        (
            pod("Failed", terminated={"exitCode": 128, "reason": "StartError", "message": "dig: not found"}),
            End(ended=Ended.REFUSED, message="dig: not found"),
        ),
    ],
)
def test_the_end_is_read_from_the_pod(seen: dict[str, Any], end: End | None) -> None:
    assert read_end(seen) == end


def test_a_pod_that_waits_says_why() -> None:
    stuck = pod("Pending", waiting={"reason": "ImagePullBackOff", "message": "no such image"})
    assert why_stuck(stuck) == "ImagePullBackOff: no such image"
    assert why_stuck(pod("Pending", waiting={"reason": "ContainerCreating"})) is None
    assert why_stuck({}) is None
    assert why_pending({"status": {"conditions": [{"type": "PodScheduled", "message": "0/3 nodes"}]}}) == "0/3 nodes"
    assert is_running(pod("Running", running={}))
    assert not is_running(stuck)
