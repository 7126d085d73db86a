"""What the model can reach: it describes actions, and never decides, votes or writes a policy."""

import ast
from pathlib import Path

import pytest

from approvals import policy, policy_checks, policy_file, policy_schema, policy_words
from tools.catalogue import catalogue

ROOT = Path(__file__).parents[2]
LAYERS = ("agents", "approvals", "bot", "tools")
DECIDING = (
    "approvals.policy",
    "approvals.policy_file",
    "approvals.policy_checks",
    "approvals.policy_words",
    "approvals.people",
    "approvals.ballot",
    "approvals.request",
    "approvals.plan",
    "approvals.audit",
    "bot",
)


def _modules(folder: str) -> dict[str, Path]:
    paths = sorted((ROOT / folder).rglob("*.py"))
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths)
    return dict(zip(names, paths, strict=True))


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return found


def test_a28_nothing_that_the_model_can_reach_decides_or_votes() -> None:
    known = {name: path for folder in LAYERS for name, path in _modules(folder).items()}
    reached: dict[str, str] = {}
    waiting = [(name, name) for folder in ("agents", "tools") for name in _modules(folder)]
    while waiting:
        name, by = waiting.pop()
        if name in known and name not in reached:
            reached[name] = by
            waiting += [(each, name) for each in _imports(known[name])]
    assert "approvals.action" in reached
    wrong = {name: by for name, by in reached.items() if name in DECIDING or name.startswith("bot.")}
    assert wrong == {}


@pytest.mark.parametrize("module", [policy, policy_checks, policy_file, policy_schema, policy_words])
def test_a28_nothing_of_the_policy_writes(module: object) -> None:
    source = Path(str(getattr(module, "__file__", ""))).read_text()
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
    }
    assert called.isdisjoint({"write", "write_text", "write_bytes", "unlink", "rename", "touch", "dump"})
    modes = [
        argument.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "open"
        for argument in node.args
        if isinstance(argument, ast.Constant)
    ]
    assert set(modes) <= {"rb"}


def test_a28_no_tool_of_the_model_speaks_of_votes_or_policies() -> None:
    words = ("approv", "policy_file", "vote", "ballot", "gate", "freeze", "quorum")
    names = [name for name in catalogue() if any(word in name for word in words) and "navigate" not in name]
    assert names == []
