"""What holds for every test: no settings of the developer's own, no stray environment."""

import os
from pathlib import Path

import pytest
import structlog

from bot.settings import WELL_KNOWN, load

# Shapes of secrets are compiled once for each cache; tests whose home is empty would do so each time.
os.environ.setdefault("XDG_CACHE_HOME", str(Path.home() / ".cache"))  # noqa: TID251


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's `.env`, kubeconfig or model key must not change what tests see, nor be used by them."""
    for name in (*WELL_KNOWN, *(each for each in os.environ if each.startswith("LOCUM_"))):  # noqa: TID251
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOCUM_CONFIG", "/nonexistent/locum.yaml")
    load.cache_clear()


@pytest.fixture(autouse=True)
def no_logging_set_up_by_an_earlier_test() -> None:
    """A process that ran in an earlier test has set up the logs of this whole process."""
    structlog.reset_defaults()
