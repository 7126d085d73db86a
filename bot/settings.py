"""Every setting of Locum, in one frozen object; no other module reads the environment.

Environment (`LOCUM_…`) over secret files (one file a setting, in `LOCUM_SECRETS_DIR`) over `locum.yaml`. Unknown keys
are refused. What is unset has an embedded default where one can serve.
"""

import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from bot.setting_groups import (
    Alerts,
    Approvals,
    Http,
    Kubernetes,
    Ledger,
    Loki,
    Model,
    MongoDBDeployment,
    Network,
    OnePassword,
    PostgresDeployment,
    Prometheus,
    Proof,
    Redis,
    RedisDeployment,
    RunbookFolder,
    Runner,
    Slack,
    Telemetry,
    Temporal,
    Vault,
)

WELL_KNOWN = {
    "ANTHROPIC_API_KEY": ("model", "api_key"),
    "ANTHROPIC_BASE_URL": ("model", "base_url"),
    "KUBECONFIG": ("kubernetes", "kubeconfig"),
    "LOKI_URL": ("loki", "url"),
    "PROMETHEUS_URL": ("prometheus", "url"),
    "REDIS_URL": ("redis", "url"),
    "SLACK_APP_TOKEN": ("slack", "app_token"),
    "SLACK_BOT_TOKEN": ("slack", "bot_token"),
    "SLACK_SIGNING_SECRET": ("slack", "signing_secret"),
    "TEMPORAL_ADDRESS": ("temporal", "address"),
    "TEMPORAL_NAMESPACE": ("temporal", "namespace"),
}
"""Names that other software made common; they stand behind `LOCUM_…`."""


_OUTSIDE = frozenset({"LOCUM_CONFIG", "LOCUM_SECRETS_DIR"})
"""Names that say where settings are, and are none themselves."""


class _Misspelt(PydanticBaseSettingsSource):
    """Names of ours in the environment that no setting has: pydantic looks for known names only, and would pass by."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        del field
        return self()[field_name], field_name, True

    def __call__(self) -> dict[str, Any]:
        known = {f"LOCUM_{name.upper()}" for name in self.settings_cls.model_fields}
        ours = (name for name in os.environ if name.startswith("LOCUM_") and name not in _OUTSIDE)  # noqa: TID251
        return {name.lower(): "" for name in ours if name.partition("__")[0] not in known}


class _WellKnown(PydanticBaseSettingsSource):
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        del field
        return self()[field_name], field_name, True

    def __call__(self) -> dict[str, Any]:
        found: dict[str, dict[str, str]] = {}
        for name, (group, key) in WELL_KNOWN.items():
            if value := os.environ.get(name):  # noqa: TID251
                found.setdefault(group, {})[key] = value
        return found


def _folder(value: object) -> object:
    return Path(value).expanduser() if isinstance(value, str) else value


class Settings(BaseSettings):
    """All of it."""

    model_config = SettingsConfigDict(
        env_prefix="LOCUM_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
        use_attribute_docstrings=True,
    )

    data_dir: Annotated[Path, BeforeValidator(_folder)] = Path(".locum")
    """Data of the embedded servers."""
    environment: Literal["development", "staging", "production"] = "production"
    """Of Locum itself: what is for development alone is refused elsewhere."""
    specialists_dir: Path | None = None
    """A folder of specialists instead of the shipped ones."""
    checks_dir: Path | None = None
    """A folder of custom checks in YAML, beside the shipped ones: docs/custom-checks.md."""
    snapshot: Path | None = None
    """Investigate this snapshot instead of live systems."""
    slack: Slack = Slack()
    alerts: Alerts = Alerts()
    http: Http = Http()
    kubernetes: Kubernetes = Kubernetes()
    prometheus: Prometheus = Prometheus()
    loki: Loki = Loki()
    mongodb: tuple[MongoDBDeployment, ...] = ()
    """`[{"name": "orders", "uri": "mongodb://…"}]`; the user needs no more than the role clusterMonitor."""
    postgres: tuple[PostgresDeployment, ...] = ()
    """`[{"name": "orders", "host": "db", "password_reference": "vault:database/creds/ro#password", …}]`."""
    redis_servers: tuple[RedisDeployment, ...] = ()
    """`[{"name": "cache", "host": "cache.shop", "password_reference": "vault:kv/cache#password"}]`: to look at; its
    user needs `+info +client|list +slowlog|get +latency|latest +config|get +cluster|info`, and no key."""
    runbooks: tuple[RunbookFolder, ...] = ()
    """`[{"folder": "/srv/runbooks", "url": "https://git.example/runbooks/blob/main"}]`; those that fit are shown."""
    network: Network = Network()
    model: Model = Model()
    redis: Redis = Redis()
    temporal: Temporal = Temporal()
    approvals: Approvals = Approvals()
    ledger: Ledger = Ledger()
    runner: Runner = Runner()
    vault: Vault = Vault()
    onepassword: OnePassword = OnePassword()
    telemetry: Telemetry = Telemetry()
    proof: Proof = Proof()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Explicit values, then the environment, `.env`, secret files, `locum.yaml`."""
        yaml_file = Path(os.environ.get("LOCUM_CONFIG", "locum.yaml"))  # noqa: TID251
        return (
            init_settings,
            env_settings,
            _Misspelt(settings_cls),
            _WellKnown(settings_cls),
            dotenv_settings,
            file_secret_settings,
            YamlConfigSettingsSource(settings_cls, yaml_file=yaml_file),
        )


@cache
def load() -> Settings:
    """The settings of this process.

    Raises:
        pydantic.ValidationError: when a value cannot be used or a key is unknown.
    """
    secrets_dir = os.environ.get("LOCUM_SECRETS_DIR")  # noqa: TID251
    return Settings(_env_file=".env", _secrets_dir=secrets_dir)  # pyright: ignore[reportCallIssue]


def render() -> str:
    """docs/settings.md: every setting with its environment name, default and meaning."""
    lines = [
        "# Settings",
        "",
        "Generated by `python -m bot.settings > docs/settings.md`; a test compares them. Every setting can be an",
        "environment variable (also in `.env`), a file of that name in the folder `LOCUM_SECRETS_DIR`, or a key of",
        "`locum.yaml` (or of the file that `LOCUM_CONFIG` names), in this order. Lists are JSON in the environment.",
        "",
        f"Names that other software made common work too: {', '.join(f'`{name}`' for name in WELL_KNOWN)}.",
        "",
        "| environment | default | meaning |",
        "|---|---|---|",
    ]
    return "\n".join([*lines, *_rows(Settings, "LOCUM_")]) + "\n"


def _rows(group: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in group.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _rows(kind, f"{prefix}{name}__".upper())
            continue
        default = "unset" if field.default is None else f"`{field.default}`"
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        yield f"| `{prefix}{name.upper()}` | {default} | {meaning} |"


if __name__ == "__main__":
    sys.stdout.write(render())
