"""A policy is used whole or not at all, and the file that lies there now is the one that counts."""

import asyncio
import os
from pathlib import Path

import pytest

from approvals.policy_file import LARGEST, PolicyError, PolicyFile, load
from approvals.policy_schema import Policy, Unusable
from tests.policy.builders import changed, policy_of, rule

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.yaml"))
EXAMPLE = Path(__file__).parents[2] / "docs/policy-example.yaml"
LEAST = "version: {version}\ndefault: refuse\n"


def test_there_is_a_file_for_each_mistake() -> None:
    assert len(BROKEN) > 50


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a11_a_policy_with_one_mistake_is_no_policy_and_says_where(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    with pytest.raises(PolicyError) as refusal:
        load(path)
    said = str(refusal.value)
    assert first.removeprefix("# expects: ") in said
    assert said.startswith(f"{path}: ")
    assert len(said.splitlines()) <= 3


def test_the_example_can_be_used() -> None:
    policy = load(EXAMPLE)
    assert policy.identity.startswith("1-")
    assert "rollback-workload" in policy.actions


def test_a11_a_policy_that_is_missing_or_no_text_refuses_everything(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="No such file or directory; without a policy everything is refused"):
        load(tmp_path / "none.yaml")
    with pytest.raises(PolicyError, match="Is a directory"):
        load(tmp_path)
    path = tmp_path / "policy.yaml"
    for content in (b"\xff\xfe", b"version: 1\x00", b"version: " + b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(PolicyError, match="not YAML"):
            load(path)


def test_a11_a_file_too_large_for_a_policy_is_none(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(LEAST.format(version=1) + "#" * LARGEST)
    with pytest.raises(PolicyError, match="larger than"):
        load(path)


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(LEAST.format(version=1) + "autonomy: {one: read-only, two: read-only}\nlimits: {max_ttl: 48h}\n")
    with pytest.raises(PolicyError) as refusal:
        load(path)
    assert [line.split(": ")[1:3] for line in str(refusal.value).splitlines()] == [
        ["line 3", "autonomy.one"],
        ["line 3", "autonomy.two"],
        ["line 4", "limits.max_ttl"],
    ]


async def test_a_changed_file_counts_from_the_next_decision_on(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(LEAST.format(version=1))
    file = PolicyFile(path)
    first = await file.current()
    assert isinstance(first, Policy)
    assert await file.current() is first
    # Of the same size, and with the same time.
    seen = path.stat()
    path.write_text(LEAST.format(version=2))
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    second = await file.current()
    assert isinstance(second, Policy)
    assert second.version == 2


async def test_a_file_that_is_touched_only_is_the_same_policy(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(LEAST.format(version=1))
    file = PolicyFile(path)
    first = await file.current()
    path.write_text("# a comment\n" + LEAST.format(version=1))
    second = await file.current()
    assert isinstance(first, Policy)
    assert isinstance(second, Policy)
    assert first.identity == second.identity


async def test_a11_a_file_that_breaks_refuses_everything_and_its_old_content_never_counts(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(LEAST.format(version=1))
    file = PolicyFile(path)
    assert isinstance(await file.current(), Policy)
    path.write_text("version: 2\n")
    for _ in range(2):
        broken = await file.current()
        assert isinstance(broken, Unusable)
        assert "default: it is missing" in broken.why
    path.unlink()
    gone = await file.current()
    assert isinstance(gone, Unusable)
    assert "No such file" in gone.why
    path.write_text(LEAST.format(version=1))
    assert isinstance(await file.current(), Policy)


async def test_a_change_without_a_new_version_is_still_another_policy(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    file = PolicyFile(path)
    seen: set[str] = set()
    for tail in ("", "kill_switch: true\n", "limits: {ttl: 10m}\n"):
        path.write_text(LEAST.format(version=1) + tail)
        policy = await file.current()
        assert isinstance(policy, Policy)
        assert policy.identity.startswith("1-")
        seen.add(policy.identity)
    assert len(seen) == 3


async def test_several_decisions_at_once_see_one_policy(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(LEAST.format(version=3))
    file = PolicyFile(path)
    found = await asyncio.gather(*(file.current() for _ in range(20)))
    assert {each.version for each in found if isinstance(each, Policy)} == {3}
    assert len(found) == 20


def test_the_longest_that_is_taken_is_taken(tmp_path: Path) -> None:
    longest = changed(
        limits={"ttl": "24h", "max_ttl": "24h"}, actions={"restart-workload": rule(ttl="24h", timeout="1h")}
    )
    policy = policy_of(longest, tmp_path)
    assert (policy.limits.max_ttl, policy.actions["restart-workload"].ttl) == (86_400, 86_400)
    assert policy.actions["restart-workload"].timeout == 3600


def test_f17_a_request_waits_half_an_hour_unless_the_policy_says_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(LEAST.format(version=1))
    limits = load(path).limits
    assert (limits.ttl, limits.max_ttl, limits.open_per_thread, limits.per_hour) == (1800, 86_400, 3, 20)
