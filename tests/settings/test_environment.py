"""Names in the environment that are nearly settings."""

import pytest
from pydantic import ValidationError

from bot.settings import load


@pytest.mark.parametrize("name", ["LOCUM_SLAK__BOT_TOKEN", "LOCUM_PROMETEUS__URL", "LOCUM_DEBUG"])
def test_a_misspelt_name_is_refused_and_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "s3cret-value")
    with pytest.raises(ValidationError) as refused:
        load()
    assert name.lower() in str(refused.value)
    assert "s3cret-value" not in str(refused.value)


def test_where_settings_are_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCUM_CONFIG", "/nonexistent/locum.yaml")
    assert load().http.port == 8080
