"""Where settings come from, which one wins, and that none of them gives a secret away."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from bot.cli.outcome import BadInput, settings
from bot.settings import WELL_KNOWN, Settings, load

SECRET = "s3cret-value-of-the-test"


@pytest.fixture
def yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCUM_CONFIG", str(tmp_path / "own.yaml"))
    return tmp_path / "own.yaml"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colour: red", "colour: Extra inputs are not permitted"),
        ("http: {prot: 1}", "http.prot: Extra inputs are not permitted"),
        ("alerts: {generic: {token: [a]}}", "alerts.generic.token: Extra inputs are not permitted"),
        ("http: {port: 70000}", "http.port: "),
        ("telemetry: {log_level: LOUD}", "telemetry.log_level: "),
        ("http: {tokens: [{principal: ci, token: x, scopes: [everything]}]}", "http.tokens.0.scopes.0: "),
        ("a: [", "the settings cannot be read: "),
    ],
    ids=["top", "group", "inner", "range", "word", "scope", "yaml"],
)
def test_what_cannot_be_used_is_refused_with_its_name(text: str, named: str, yaml: Path) -> None:
    yaml.write_text(text)
    with pytest.raises(BadInput) as error:
        settings()
    assert named in str(error.value)


def test_a_secret_that_cannot_be_used_is_not_shown(yaml: Path) -> None:
    yaml.write_text(f"model: {{api_key: [{SECRET}], apikey: {SECRET}}}")
    with pytest.raises(BadInput) as error:
        settings()
    assert "model.api_key: " in str(error.value)
    assert SECRET not in str(error.value)


def test_the_environment_wins_over_env_files_those_over_secret_files_and_those_over_yaml(
    yaml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    monkeypatch.setenv("LOCUM_SECRETS_DIR", str(secrets))
    yaml.write_text('prometheus: {url: "http://yaml", token: from-yaml}\nloki: {url: "http://yaml", tenant: shop}\n')
    assert _urls() == ("http://yaml", "http://yaml")
    (secrets / "locum_prometheus").write_text(json.dumps({"url": "http://file"}))
    assert _urls() == ("http://file", "http://yaml")
    (tmp_path / ".env").write_text("LOCUM_PROMETHEUS__URL=http://dotenv\nLOCUM_LOKI__URL=http://dotenv\n")
    assert _urls() == ("http://dotenv", "http://dotenv")
    monkeypatch.setenv("PROMETHEUS_URL", "http://well-known")
    assert _urls() == ("http://well-known", "http://dotenv")
    monkeypatch.setenv("LOCUM_PROMETHEUS__URL", "http://environment")
    assert _urls() == ("http://environment", "http://dotenv")
    # What one source leaves open, the next one gives.
    found = load()
    assert found.prometheus.token is not None
    assert (found.prometheus.token.get_secret_value(), found.loki.tenant) == ("from-yaml", "shop")


def _urls() -> tuple[str | None, str | None]:
    load.cache_clear()
    found = load()
    return found.prometheus.url, found.loki.url


@pytest.mark.parametrize(("name", "place"), WELL_KNOWN.items(), ids=WELL_KNOWN)
def test_names_that_other_software_made_common_work(
    name: str, place: tuple[str, str], yaml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "a-value")
    value = getattr(getattr(load(), place[0]), place[1])
    assert (value.get_secret_value() if isinstance(value, SecretStr) else str(value)) == "a-value"


def test_lists_are_json_in_the_environment(yaml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCUM_HTTP__TOKENS", '[{"principal": "ci", "token": "t", "scopes": ["status"]}]')
    assert load().http.tokens[0].scopes == frozenset({"status"})
    load.cache_clear()
    monkeypatch.setenv("LOCUM_HTTP__TOKENS", "ci:t:status")
    with pytest.raises(BadInput, match=r'the settings cannot be read: .*"http"'):
        settings()


def test_nothing_can_be_changed_afterwards() -> None:
    found = Settings()
    with pytest.raises(ValidationError):
        found.http.port = 1  # pyright: ignore[reportAttributeAccessIssue]


def test_no_secret_stands_in_what_settings_print() -> None:
    found = Settings.model_validate(
        {
            "slack": {"bot_token": SECRET, "app_token": SECRET, "signing_secret": SECRET},
            "alerts": {"generic": {"tokens": [SECRET], "passwords": [SECRET]}, "alertmanager": {"tokens": [SECRET]}},
            "http": {"tokens": [{"principal": "ci", "token": SECRET, "scopes": []}]},
            "prometheus": {"token": SECRET},
            "loki": {"token": SECRET},
            "mongodb": [{"name": "orders", "uri": f"mongodb://u:{SECRET}@h"}],
            "model": {"api_key": SECRET},
            "redis": {"url": f"redis://:{SECRET}@h"},
        }
    )
    for shown in (repr(found), str(found), found.model_dump_json(), repr(found.model_dump())):
        assert SECRET not in shown


def test_every_setting_whose_name_sounds_like_a_secret_is_one() -> None:
    kinds = dict(_fields(Settings))
    sounding = {name: kind for name, kind in kinds.items() if name.rpartition(".")[2] in _SECRET_NAMES}
    assert len(sounding) > 8
    assert [name for name, kind in sounding.items() if "SecretStr" not in kind] == []


_SECRET_NAMES = {
    "token", "tokens", "bot_token", "app_token", "signing_secret", "passwords", "api_key", "uri", "password",
}  # fmt: skip


def _fields(group: type[BaseModel], prefix: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, field in group.model_fields.items():
        kind: Any = field.annotation
        inner = [each for each in (kind, *getattr(kind, "__args__", ())) if _is_group(each)]
        found += (
            [each for one in inner for each in _fields(one, f"{prefix}{name}.")]
            if inner
            else [(prefix + name, str(kind))]
        )
    return found


def _is_group(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
