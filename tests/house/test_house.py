"""The house itself: whose packages these are, and that the documents say what the code says."""

import importlib
import io
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from dotenv import dotenv_values

from agents import causes
from agents.specialist import SHIPPED, check_tools, read_all, shipped
from bot import settings
from tools.catalogue import catalogue

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("package", ["agents", "approvals", "bot", "tools"])
def test_the_four_folders_are_ours_and_not_another_distributions(package: str) -> None:
    # Their names are generic: other wheels install packages that are called just so.
    found = importlib.import_module(package).__file__
    assert found is not None
    assert Path(found) == ROOT / package / "__init__.py"


def test_the_catalogue_of_causes_is_what_the_rules_say() -> None:
    assert (ROOT / "docs/causes.md").read_text() == causes.render()


def test_the_document_of_settings_is_what_the_code_says() -> None:
    assert (ROOT / "docs/settings.md").read_text() == settings.render()


def test_every_line_of_the_example_environment_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / ".env.example").read_text()
    offered = re.sub(r"^#(LOCUM_)", r"\1", text, flags=re.MULTILINE)
    values = dotenv_values(stream=io.StringIO(offered))
    assert len(values) > 8
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))
    loaded = settings.load()
    assert loaded.slack.bot_token
    assert loaded.http.tokens[0].principal == "ci"


def test_every_area_of_the_catalogue_is_checked_by_exactly_one_specialist() -> None:
    areas = sorted(area for each in shipped() for area in each.areas)
    assert areas == sorted({cause.area for cause in causes.catalogue().values()})


def test_specialists_name_only_tools_that_exist() -> None:
    check_tools(shipped(), tuple(catalogue()))


def test_every_specialist_is_read_from_its_own_file() -> None:
    assert {each.name for each in read_all(SHIPPED)} == {path.stem for path in SHIPPED.glob("*.yaml")}


def test_no_pinned_file_names_a_registry() -> None:
    for file in (ROOT / "requirements").glob("*.txt"):
        text = file.read_text()
        assert "index-url" not in text
        assert "://" not in text


def test_the_pinned_files_hold_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements/locum.txt").read_text(), re.MULTILINE))
    wanted = {re.split(r"[<>=~\[ ]", each)[0].lower() for each in project["dependencies"]}
    assert wanted <= pinned


def test_a_diagnosis_in_the_terminal_pays_for_no_store_and_no_workflow_service() -> None:
    heavy = ("sqlalchemy", "temporalio", "redis", "slack_bolt", "hvac", "kingfisher_sdk")
    code = f"import sys, bot.terminal, bot.wiring; print([name for name in {heavy} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ended.stdout.strip() == "[]"
