"""A real API server with its store: started once, nothing runs in it but what a test writes."""

import asyncio
import contextlib
import hashlib
import json
import os
import re
import ssl
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers import answers, free_port, need, running
from tools.kubernetes.live import LiveCluster

VERSION = "v1.20.2"
RECIPE = "kube-apiserver is missing: `make test-cluster` builds it once, in about four minutes"


@dataclass(frozen=True)
class ApiServer:
    """The address of a running API server and what is needed to speak with it."""

    folder: Path
    port: int

    @property
    def host(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return json.loads(self._send(method, path, body) or b"{}")

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        content = None if body is None else json.dumps(body).encode()
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        request = urllib.request.Request(f"{self.host}{path}", content, method=method)
        request.add_header("Authorization", "Bearer admin-token")
        request.add_header("Content-Type", kind)
        # Without a proxy: the server is on this machine, whatever the environment says.
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self.folder / "apiserver.crt")),
        )
        with opener.open(request, timeout=10) as reply:
            return reply.read()

    def create(self, path: str, obj: Mapping[str, Any], *, status: Mapping[str, Any] | None = None) -> None:
        """Creates an object and then writes its status, as a controller would."""
        self.ask("POST", path, obj)
        if status is not None:
            self.ask("PATCH", f"{path}/{obj['metadata']['name']}/status", {"status": status})

    def watches(self, resource: str) -> int:
        """How many watch a resource; the server itself watches some."""
        gauge = rf'^apiserver_longrunning_gauge{{.*resource="{resource}",.*verb="WATCH".*}} (\d+)$'
        return sum(map(int, re.findall(gauge, self._send("GET", "/metrics").decode(), re.MULTILINE)))

    async def watched(self, resource: str, *, beyond: int) -> None:
        """Returns when more watch a resource than before."""
        async with asyncio.timeout(10):
            while await asyncio.to_thread(self.watches, resource) <= beyond:  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.02)

    def kubeconfig(self, token: str, folder: Path) -> Path:
        path = folder / f"kubeconfig-{token}"
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "test",
                    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                    "clusters": [
                        {
                            "name": "test",
                            "cluster": {
                                "server": self.host,
                                "certificate-authority": str(self.folder / "apiserver.crt"),
                            },
                        }
                    ],
                    "users": [{"name": "test", "user": {"token": token}}],
                }
            )
        )
        return path

    def is_ready(self) -> bool:
        try:
            return bool(self.ask("GET", "/api/v1/namespaces/default"))
        except OSError:
            return False


def binary() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")  # noqa: TID251
    path = Path(cache) / "locum" / "test-cluster" / f"kube-apiserver-{VERSION}"
    if not path.is_file():
        pytest.fail(RECIPE) if os.environ.get("CI") else pytest.skip(RECIPE)  # noqa: TID251
    return path


@pytest.fixture(scope="session")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    binary()
    folder = tmp_path_factory.mktemp("etcd")
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    argv: list[str | Path] = [
        need("etcd", "etcd-server"), f"--data-dir={folder}/data", f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}", "--unsafe-no-fsync",
    ]  # fmt: skip
    with running(argv, folder / "log", lambda: answers(f"{client}/health")):
        yield client


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    openssl = need("openssl", "openssl")
    subprocess.run([openssl, "genrsa", "-out", folder / "sa.key", "2048"], check=True, capture_output=True)
    tokens = 'admin-token,admin,1,"system:masters"\nreader-token,reader,2\nstranger-token,stranger,3\n'
    (folder / "tokens.csv").write_text(tokens)
    return folder


@contextlib.contextmanager
def serving(etcd: str, keys: Path, folder: Path) -> Generator[tuple[ApiServer, subprocess.Popen[bytes]]]:
    """An API server on that store, from ready to stopped."""
    port = free_port()
    argv: list[str | Path] = [
        binary(), f"--etcd-servers={etcd}", "--bind-address=127.0.0.1", f"--secure-port={port}", f"--cert-dir={folder}",
        f"--service-account-key-file={keys}/sa.key", f"--service-account-signing-key-file={keys}/sa.key",
        "--service-account-issuer=https://locum.test", f"--token-auth-file={keys}/tokens.csv",
        "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24",
        "--disable-admission-plugins=ServiceAccount",
    ]  # fmt: skip
    server = ApiServer(folder=folder, port=port)
    with running(argv, folder / "log", server.is_ready, seconds=60) as process:
        yield server, process


@pytest.fixture(scope="session")
def api_server(etcd: str, keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with serving(etcd, keys, tmp_path_factory.mktemp("api-server")) as (server, _):
        yield server


@pytest.fixture
def namespace(api_server: ApiServer, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own."""
    name = f"t{hashlib.sha256(str(request.node.nodeid).encode()).hexdigest()[:12]}"
    api_server.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


@pytest.fixture
async def cluster(api_server: ApiServer, tmp_path: Path) -> AsyncIterator[LiveCluster]:
    """The cluster, read by somebody who may read everything."""
    live = LiveCluster(kubeconfig=api_server.kubeconfig("admin-token", tmp_path))
    yield live
    await live.aclose()
