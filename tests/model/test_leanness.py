"""The SDK is imported late and in part."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def _run(code: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return json.loads(done.stdout)


def test_nothing_of_the_sdk_is_imported_before_the_first_question() -> None:
    code = (
        "import sys, json, agents.model.client, agents.model.loop, agents.model.explain\n"
        "print(json.dumps([name for name in ('anthropic', 'httpx2', 'aiohttp', 'redis') if name in sys.modules]))"
    )
    assert _run(code) == []


def test_the_sdk_is_imported_in_part_and_still_gives_what_it_is_asked_for_later() -> None:
    code = (
        "import sys, json, re\n"
        "from agents.model.lean import lean\n"
        "with lean('anthropic', folders=('anthropic.types', 'anthropic.resources', 'anthropic.lib.streaming'),\n"
        "          dicts=re.compile(r'anthropic\\.types\\.beta\\..*'),\n"
        "          optional=('anthropic._vendor.httpx_aiohttp',)):\n"
        "    from anthropic import AsyncAnthropic\n"
        "modules = sum(name.startswith('anthropic') for name in sys.modules)\n"
        "from anthropic.types import Message\n"
        "import anthropic\n"
        "print(json.dumps([modules, Message.__name__, hasattr(AsyncAnthropic(api_key='k').messages, 'create'),\n"
        "                  hasattr(anthropic, 'nothing_of_the_kind')]))"
    )
    modules, message, has_messages, has_nothing = _run(code)
    assert modules < 600
    assert (message, has_messages, has_nothing) == ("Message", True, False)


def test_a_package_that_cannot_be_imported_in_part_leaves_nothing_half_done(tmp_path: Path) -> None:
    package = tmp_path / "wide"
    package.mkdir()
    (package / "__init__.py").write_text("from .narrow import thing\nthing.ready = True\n")
    (package / "narrow.py").write_text("from . import missing\n")
    code = (
        f"import sys, json, re; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from agents.model.lean import lean\n"
        "try:\n"
        "    with lean('wide', folders=(), dicts=re.compile('none')):\n"
        "        from wide.narrow import thing\n"
        "except ImportError:\n"
        "    pass\n"
        "print(json.dumps([name for name in sys.modules if name.startswith('wide')]))"
    )
    assert _run(code) == []
