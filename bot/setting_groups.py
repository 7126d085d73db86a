"""The settings by what they are about; `bot.settings` puts them together. Pure: nothing is read here."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator


class Group(BaseModel):
    """What all groups have in common: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ChannelRule(Group):
    """Alerts whose labels are all equal to `labels` go to `channel`; the first rule that fits wins."""

    labels: dict[str, str]
    channel: str


class Slack(Group):
    """How Locum is in Slack."""

    bot_token: SecretStr | None = None
    """`xoxb-…`; unset = no Slack."""
    app_token: SecretStr | None = None
    """`xapp-…` with `connections:write`; needed for Socket Mode."""
    signing_secret: SecretStr | None = None
    """Needed for HTTP mode."""
    mode: Literal["socket", "http"] = "socket"
    """`http` needs the signing secret and request URLs that end in `/slack/events`."""
    api_url: str = "https://slack.com/api/"
    """Only the local workspace has another."""
    channel: str = "#alerts"
    """Where incidents go that no rule of `channels` sends elsewhere."""
    channels: tuple[ChannelRule, ...] = ()
    """`[{"labels": {"team": "shop"}, "channel": "#shop-alerts"}]`; the first rule that fits wins."""


class AlertSource(Group):
    """Who may send alerts. A source without any credential is off: its address answers 404."""

    tokens: tuple[SecretStr, ...] = ()
    """Bearer tokens; two during rotation."""
    username: str = ""
    """For basic auth."""
    passwords: tuple[SecretStr, ...] = ()
    """For basic auth, with `username`; two during rotation."""


class SignedSource(AlertSource):
    """A sender that can sign what it sends: a signature alone lets it in as well."""

    secrets: tuple[SecretStr, ...] = ()
    """Of its webhook; two during rotation."""


class GrafanaSource(SignedSource):
    """Grafana, which dates a signature where its contact point names a header for the time."""

    timestamp_header: str = ""
    """Name of that header. With it an old signature is worth nothing after five minutes."""


class SnsSource(Group):
    """CloudWatch through Amazon SNS, which signs with certificates of its own."""

    topics: tuple[str, ...] = ()
    """ARNs of the topics that may send; none = off. Their subscriptions are confirmed by themselves."""


class Alerts(Group):
    """The intake of alerts."""

    alertmanager: AlertSource = AlertSource()
    generic: AlertSource = AlertSource()
    grafana: GrafanaSource = GrafanaSource()
    signoz: AlertSource = AlertSource()
    datadog: AlertSource = AlertSource()
    gcpmonitoring: AlertSource = AlertSource()
    pagerduty: SignedSource = SignedSource()
    sentry: SignedSource = SignedSource()
    cloudwatch: SnsSource = SnsSource()
    max_body_bytes: int = Field(default=1_048_576, gt=0)
    """A larger body is refused with 413 before it is read."""
    storm_incidents: int = Field(default=10, ge=1)
    """New incidents a minute and channel; what comes on top of it goes to one digest."""
    quiet_minutes: float = Field(default=60, gt=0)
    """An incident closes this long after its last news."""


class ApiToken(Group):
    """A program that may use the HTTP surface."""

    principal: str
    token: SecretStr
    scopes: frozenset[Literal["diagnose", "status", "metrics", "approve"]]


class Http(Group):
    """The HTTP surface."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8080, ge=0, le=65535)
    """0 takes a free one."""
    tokens: tuple[ApiToken, ...] = ()
    """`[{"principal": "ci", "token": "…", "scopes": ["diagnose", "status", "metrics", "approve"]}]`."""


class Kubernetes(Group):
    """The cluster to look at, read-only."""

    kubeconfig: Path | None = None
    """Unset = `~/.kube/config` where it exists."""
    context: str | None = None
    """Unset = the file's current one."""
    in_cluster: bool = False
    """Use the ServiceAccount of the pod that Locum runs in."""


class Prometheus(Group):
    """Metrics and firing alerts."""

    url: str | None = None
    """Where its HTTP API is, such as `http://prometheus:9090`."""
    token: SecretStr | None = None
    """Sent as a bearer token."""
    ca_file: Path | None = None
    """Certificates to trust beside the system's."""


class Loki(Group):
    """Logs."""

    url: str | None = None
    """Where its HTTP API is, such as `http://loki:3100`."""
    tenant: str | None = None
    """Sent as `X-Scope-OrgID`."""
    token: SecretStr | None = None
    """Sent as a bearer token."""
    ca_file: Path | None = None
    """Certificates to trust beside the system's."""


class MongoDBDeployment(Group):
    """One MongoDB deployment; the user needs no more than the role clusterMonitor."""

    name: str
    uri: SecretStr | None = None
    """`mongodb://…`; unset where `uri_reference` has it."""
    uri_reference: str | None = None
    """Where the address is kept, such as `vault:kv/mongo#uri`; read after a person approved it."""
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _has_one_address(self) -> Self:
        if (self.uri is None) is (self.uri_reference is None):
            raise ValueError("set exactly one of uri and uri_reference")
        return self

    @property
    def references(self) -> tuple[str, ...]:
        """What must be fetched before it can be looked at; empty where nothing must."""
        return (self.uri_reference,) if self.uri_reference else ()


class PostgresDeployment(Group):
    """One PostgreSQL server; the role needs no more than pg_monitor."""

    name: str
    host: str
    """A host name, or the folder of a Unix socket."""
    port: int = Field(default=5432, ge=1, le=65535)
    database: str = "postgres"
    """Where `pg_stat_statements` was created."""
    user: str | None = None
    """The role to log in as; unset where `user_reference` has it."""
    user_reference: str | None = None
    """Where the role's name is kept, such as `vault:database/creds/ro#username`; read after a person approved it."""
    password_reference: str | None = None
    """Where its password is kept, such as `vault:database/creds/ro#password` or `op://ops/orders/password`."""
    sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "require"
    ca_file: Path | None = None

    @property
    def references(self) -> tuple[str, ...]:
        """What must be fetched before it can be looked at; empty where nothing must."""
        return tuple(each for each in (self.user_reference, self.password_reference) if each)


class RedisDeployment(Group):
    """One Redis or Valkey server to look at; its user needs no key, only commands that read the server's state."""

    name: str
    host: str
    """A host name, or the path of a Unix socket."""
    port: int = Field(default=6379, ge=1, le=65535)
    user: str | None = None
    """Of the ACL; unset = the default user."""
    password: SecretStr | None = None
    """Unset where `password_reference` has it, or none is wanted."""
    user_reference: str | None = None
    """Where the user's name is kept, such as `vault:database/creds/cache#username`; read after a person approved it."""
    password_reference: str | None = None
    """Where the password is kept, such as `vault:kv/cache#password`; read after a person approved it."""
    tls: bool = False
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _has_one_password(self) -> Self:
        if self.password is not None and self.references:
            raise ValueError("set the password or references, not both")
        return self

    @property
    def references(self) -> tuple[str, ...]:
        """What must be fetched before it can be looked at; empty where nothing must."""
        return tuple(each for each in (self.user_reference, self.password_reference) if each)


class RunbookFolder(Group):
    """A folder of runbooks in Markdown."""

    folder: Path
    """Read with all folders in it."""
    url: str | None = None
    """Where the same folder is published, such as a repository's page; links in threads are made of it."""

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("expected an address that begins with http:// or https://")
        return url


class Network(Group):
    """Probes from where Locum runs."""

    targets: tuple[str, ...] = ()
    """Probed in every investigation: `tcp://host:port`, `tls://host:port`, `https://…`, `dns://name`."""
    allow: tuple[str, ...] = (".svc", ".cluster.local")
    """Host name suffixes and CIDRs that may be probed on request, beside the targets."""
    allow_loopback: bool = False
    """Whether the machine itself may be probed."""
    ca_file: Path | None = None
    """Certificates to trust beside the system's."""
    nameserver: str | None = None
    """`address:port` of the name server to ask; unset = the system's."""


class Model(Group):
    """The language model. Without a key, rules alone answer."""

    api_key: SecretStr | None = None
    """Unset = rules alone."""
    base_url: str | None = None
    """Unset = the SDK's own."""
    names: tuple[str, ...] = ("claude-sonnet-4-5", "claude-haiku-4-5")
    """Tried in order: the next one takes over when one is down or overloaded."""
    timeout_s: float = Field(default=60, gt=0)
    """Seconds for one answer of the model."""
    max_usd: float = Field(default=1.0, gt=0)
    """For one session."""
    max_tokens: int = Field(default=200_000, gt=0)
    """Input and output together, for one session."""
    max_calls: int = Field(default=12, gt=0)
    """For one session."""
    max_seconds: float = Field(default=180, gt=0)
    """For one session."""


class Redis(Group):
    """The fast store; unset = an embedded Valkey."""

    url: SecretStr | None = None
    """`redis://…`, `rediss://…` or `unix://…`."""


class Temporal(Group):
    """The workflow service; unset = an embedded dev server."""

    address: str | None = None
    """`host:port` of the frontend."""
    namespace: str = "locum"
    """Must exist, with a retention of a day or more."""
    approvals_namespace: str | None = None
    """Of approvals and executions; unset = the same. Whoever may write there may vote: in a cluster give it its own."""
    tls: bool = False
    """Whether the frontend wants TLS."""


class Approvals(Group):
    """Who may have what changed. Without a policy nothing is asked for, and diagnoses stay words."""

    policy: Path | None = None
    """The policy file: docs/approvals.md."""
    credentials_wait_minutes: float = Field(default=5, gt=0, le=60)
    """How long an investigation waits for a decision about credentials before it goes on without."""
    credentials_minutes: int = Field(default=15, ge=1, le=60)
    """How long an investigation may use credentials at most."""
    audit_channel: str | None = None
    """Where the head of the audit is posted, so that a cut tail is found; unset = the newest is only in the ledger."""
    anchor_minutes: float = Field(default=60, gt=0)
    """Between two posts of the head."""


class Ledger(Group):
    """Where requests, votes and the audit are kept; unset = a SQLite file in the data folder."""

    url: SecretStr | None = None
    """`postgresql://…` where several machines share it, or `sqlite:///FILE`."""


class Runner(Group):
    """What carries out approved actions; its own process with its own identity: `locum runner`."""

    kubeconfig: Path | None = None
    """Of the identity that may write; unset and not `in_cluster` = no action on a cluster can be carried out."""
    context: str | None = None
    """Unset = the file's current one."""
    in_cluster: bool = False
    """Use the ServiceAccount of the pod that the runner runs in."""
    sandbox: Literal["bubblewrap", "job", "none"] = "none"
    """Where diagnostic commands run: on this machine in bubblewrap, or in the cluster as a restricted Job."""
    sandbox_namespace: str = "locum-sandbox"
    """Of the Jobs; nothing else may lie in it."""
    sandbox_image: Annotated[str, Field(pattern=r"^\S+@sha256:[0-9a-f]{64}$")] | None = None
    """Of the Jobs, with the programs in it: `registry.example/tools@sha256:…`, pinned by its digest."""
    sandbox_pull_secrets: tuple[str, ...] = ()
    """Names of Secrets of that namespace with which the image is pulled."""

    @model_validator(mode="after")
    def _has_a_place_for_jobs(self) -> Self:
        if self.sandbox == "job" and self.sandbox_image is None:
            raise ValueError("the sandbox `job` needs sandbox_image, pinned by its digest")
        if self.sandbox == "job" and self.kubeconfig is None and not self.in_cluster:
            raise ValueError("the sandbox `job` needs kubeconfig or in_cluster: whose Jobs they are")
        return self


class Vault(Group):
    """Vault or OpenBao; unset = no reference that begins with `vault:` can be read."""

    address: str | None = None
    """`https://vault:8200`."""
    namespace: str | None = None
    """Of an enterprise server."""
    ca_file: Path | None = None
    """Certificates to trust instead of the system's."""
    kv_mount: str = "kv"
    """Where the KV v2 engine is."""
    kubernetes_mount: str = "kubernetes"
    """Where the engine is that makes tokens of a cluster."""
    auth_mount: str | None = None
    """Where the login is; unset = `kubernetes` with `role`, `approle` with `role_id`."""
    role: str | None = None
    """For the login by Kubernetes; in a cluster."""
    token_file: Path = Path("/var/run/secrets/tokens/vault")
    """The projected ServiceAccount token for it."""
    role_id: str | None = None
    """For the login by AppRole; outside of a cluster."""
    wrapped_secret_id_file: Path | None = None
    """Holds the wrapping token of a secret id, written by whoever starts Locum; used once."""


class OnePassword(Group):
    """1Password; unset = no reference that begins with `op:` can be read."""

    mode: Literal["off", "sdk", "local"] = "off"
    """`sdk`: a service account. `local`: `locum dev secrets`, for development alone."""
    token: SecretStr | None = None
    """Of the service account."""
    url: str = "http://127.0.0.1:8080"
    """Of `locum dev secrets`."""


class Telemetry(Group):
    """What Locum tells about itself."""

    log_format: Literal["json", "text"] = "json"
    """Logs go to standard error."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Payloads, prompts and tool output are never logged, at no level."""
    otlp_endpoint: str | None = None
    """Traces go there over OTLP/HTTP; unset = none are made."""


class Proof(Group):
    """What `locum prove-secrets` searches and no store keeps: docs/prove-secrets.md."""

    record: Path | None = None
    """A folder for copies of requests to the model, log lines and spans, as they went out; unset = none are kept."""
