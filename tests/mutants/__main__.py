"""How many small mistakes the tests notice: `python -m tests.mutants`. The last line is one JSON object.

Mutmut makes the mistakes, in a copy of the repository: this checkout is never touched. Of each module a sample is
tried, the same in every run, unless `--all` asks for every mistake. It changes what functions do; expressions and
tables that stand in a module by themselves, and decorated functions, it leaves alone.

Options: `--part NAME`, once or more, instead of all; `--sample N` mistakes of each module; `--seed N` for another
sample; `--show` writes those that nobody noticed to standard error.
"""

import argparse
import contextlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mutmut.configuration import reset_config
from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.stats import status_by_exit_code

ROOT = Path(__file__).resolve().parents[2]
PARTS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "gate": (
        ("approvals/ballot.py", "approvals/request.py", "approvals/canonical.py", "approvals/audit.py"),
        ("tests/ballot", "tests/audit"),
    ),
    "policy": (("approvals/policy.py", "approvals/people.py"), ("tests/policy",)),
    "redaction": (("tools/redaction.py", "tools/redacting/*.py"), ("tests/redaction",)),
}
"""Modules of each part, and the tests that have to notice."""

_NOTICED = ("killed", "timeout", "segfault")
_AT_ONCE = 2
_CONFIG = """[mutmut]
source_paths =
    approvals
    tools
also_copy =
    agents
    bot
    docs
only_mutate =
    {modules}
pytest_add_cli_args_test_selection =
    {tests}
pytest_add_cli_args =
    --hypothesis-profile=ci
process_isolation = forkserver
use_git_change_detection = false
"""
"""Hypothesis's own profile for machines that others work on too: the same examples each time, and no deadline."""


def tried(part: str, sample: int | None, seed: int, *, show: bool) -> dict[str, float]:
    """How many mistakes in a part ended in which way.

    Raises:
        subprocess.CalledProcessError: when the tests do not pass as they are.
    """
    modules = [path.relative_to(ROOT) for form in PARTS[part][0] for path in sorted(ROOT.glob(form))]
    with tempfile.TemporaryDirectory(prefix="locum-mutants-") as folder, contextlib.chdir(folder):
        _copy(part, modules)
        every = {module: list(_mistakes(module)) for module in modules}
        names = [name for module in modules for name in _chosen(every[module], sample, f"{seed}:{module}")]
        _mutmut("run", "--max-children", str(_AT_ONCE), *names)
        ended = {name: how for module in modules for name, how in _ended(module) if name in set(names)}
        if show:
            for name in (name for name, how in ended.items() if how not in _NOTICED):
                _mutmut("show", name)
    noticed = sum(how in _NOTICED for how in ended.values())
    of = sum(map(len, every.values()))
    return {**Counter(ended.values()), "tried": len(names), "of": of, "score": round(noticed / len(names), 4)}


def _copy(part: str, modules: Sequence[Path]) -> None:
    tests = PARTS[part][1]
    # All tests: those that have to notice share builders with others.
    for name in ("agents", "approvals", "bot", "docs", "tests", "tools"):
        shutil.copytree(ROOT / name, name, ignore=shutil.ignore_patterns("__pycache__", "node_modules", ".*"))
    shutil.copy(ROOT / "pyproject.toml", "pyproject.toml")
    between = "\n    "
    written = _CONFIG.format(modules=between.join(map(str, modules)), tests=between.join(tests))
    Path("setup.cfg").write_text(written)
    reset_config()


def _mistakes(module: Path) -> Iterator[str]:
    """Names of all that could be wrong in a module; of one without code there is none."""
    before = ".".join(module.with_suffix("").parts)
    for name in sorted(mutate_file_contents(str(module), module.read_text()).mutant_names):
        yield f"{before}.{name}"


def _chosen(names: list[str], sample: int | None, seed: str) -> list[str]:
    return names if sample is None or len(names) <= sample else sorted(random.Random(seed).sample(names, sample))


def _mutmut(*words: str) -> None:
    # Its own words go to where they do not mix with the figures.
    subprocess.run([Path(sys.executable).with_name("mutmut"), *words], check=True, stdout=sys.stderr)


def _ended(module: Path) -> Iterator[tuple[str, str]]:
    kept = Path("mutants", f"{module}.meta")
    if kept.exists():
        codes: dict[str, int | None] = json.loads(kept.read_text())["exit_code_by_key"]
        yield from ((name, status_by_exit_code[code]) for name, code in codes.items())


def main() -> None:
    """Measures each part; what Mutmut says goes to standard error."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", choices=sorted(PARTS), action="append")
    parser.add_argument("--sample", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--show", action="store_true")
    asked = parser.parse_args()
    sample = None if asked.all else asked.sample
    figures = {part: tried(part, sample, asked.seed, show=asked.show) for part in asked.part or PARTS}
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
