"""Ordinary lines that must come through unaltered: made ones in the dialects of common programs, and what lies here.

Made lines hold what looks random and is no secret: digests, traces, UUIDs, names of pods, images, versions.
"""

import base64
import contextlib
import json
import random
import traceback
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.processes import ROOT

_SERVICES = (
    "cart",
    "checkout",
    "payments",
    "token-service",
    "auth",
    "secret-sync",
    "orders",
    "api-gateway",
    "keycloak",
    "search",
)
_WORDS = (
    "timeout",
    "connection refused",
    "not found",
    "context deadline exceeded",
    "i/o timeout",
    "broken pipe",
    "EOF",
    "OOMKilled",
)


class Lines:
    """Made lines, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def made(self, count: int) -> Iterator[str]:
        """`count` lines, each kind as often as any other."""
        kinds: list[Callable[[], str]] = [getattr(self, name) for name in dir(self) if name.startswith("in_")]
        for number in range(count):
            yield kinds[number % len(kinds)]()

    def _hex(self, digits: int) -> str:
        return f"{self._random.getrandbits(4 * digits):0{digits}x}"

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _service(self) -> str:
        return self._random.choice(_SERVICES)

    def _pod(self) -> str:
        letters = "bcdfghjklmnpqrstvwxz2456789"
        draw = self._random.choices
        return f"{self._service()}-{''.join(draw(letters, k=10))}-{''.join(draw(letters, k=5))}"

    def _image(self) -> str:
        return f"registry.shop.example:5000/team/{self._service()}@sha256:{self._hex(64)}"

    def _ip(self) -> str:
        return ".".join(str(self._random.randrange(256)) for _ in range(4))

    def _ms(self) -> int:
        return self._random.randrange(1, 30_000)

    def _time(self) -> str:
        draw = self._random.randrange
        return f"2026-{draw(1, 13):02}-{draw(1, 29):02}T{draw(24):02}:{draw(60):02}:{draw(60):02}.{draw(1_000_000):06}Z"

    def _trouble(self) -> str:
        return self._random.choice(_WORDS)

    def in_logfmt(self) -> str:
        return (
            f"ts={self._time()} level=warn caller=main.go:{self._ms()} component={self._service()}"
            f" traceID={self._hex(32)} "
            f'spanID={self._hex(16)} key={self._service()}/{self._pod()} err="{self._trouble()}" tokens={self._ms()}'
        )

    def in_json(self) -> str:
        return json.dumps(
            {
                "time": self._time(),
                "level": "error",
                "msg": f"request failed: {self._trouble()}",
                "trace_id": self._hex(32),
                "request_id": self._uuid(),
                "user_id": self._ms(),
                "path": f"/api/v1/{self._service()}/{self._uuid()}",
                "status": 503,
                "session_duration_ms": self._ms(),
                "auth_method": "oidc",
                "cache_key": f"user:{self._ms()}:cart",
                "token_type": "access",
            }
        )

    def in_klog(self) -> str:
        return (
            f'E1121 08:00:01.{self._ms():06}       1 kubelet.go:{self._ms()}] "Error syncing pod,'
            f' skipping" err="failed to '
            f'\\"StartContainer\\" for \\"{self._service()}\\" with CrashLoopBackOff"'
            f' pod="shop/{self._pod()}" podUID={self._uuid()}'
        )

    def in_mounts(self) -> str:
        return (
            f'MountVolume.SetUp failed for volume "kube-api-access-{self._hex(5)}" : failed to fetch'
            f' token: pod "{self._pod()}" '
            f'not found; secret "{self._service()}-tls" not found; configmap references key: {self._service()}.yaml'
        )

    def in_nginx(self) -> str:
        return (
            f'{self._ip()} - - [21/Nov/2026:08:00:01 +0000] "GET /{self._service()}?page=2&sort=key'
            f' HTTP/1.1" 200 {self._ms()} '
            f'"-" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36" rt=0.{self._ms()} reqid={self._hex(32)}'
        )

    def in_postgres(self) -> str:
        return self._random.choice(
            (
                f"2026-11-21 08:00:01.123 UTC [{self._ms()}] FATAL:  password authentication failed"
                f' for user "{self._service()}"',
                f"2026-11-21 08:00:01.123 UTC [{self._ms()}] ERROR:  duplicate key value violates"
                f' unique constraint "orders_pkey"',
                f"2026-11-21 08:00:01.123 UTC [{self._ms()}] DETAIL:  Key (id)=({self._uuid()}) already exists.",
                f"2026-11-21 08:00:01.123 UTC [{self._ms()}] LOG:  duration: {self._ms()}.{self._ms()}"
                f" ms  statement: SELECT token_id FROM sessions",
            )
        )

    def in_java(self) -> str:
        return (
            f"{self._time()} ERROR [{self._service()},{self._hex(32)},{self._hex(16)}] 1 ---"
            f" [nio-8080-exec-{self._ms() % 10}] "
            f"o.s.s.w.a.AuthenticationEntryPoint : Invalid token: {self._trouble()} at"
            f" com.shop.Auth$Key.verify(Auth.java:{self._ms()})"
        )

    def in_images(self) -> str:
        return (
            f'Failed to pull image "{self._image()}": rpc error: code = NotFound desc = manifest sha256:{self._hex(64)}'
        )

    def in_events(self) -> str:
        return (
            f"{self._ms()}s  Warning  BackOff  pod/{self._pod()}  Back-off restarting failed container"
            f" {self._service()} in pod "
            f"{self._pod()}_shop({self._uuid()})"
        )

    def in_git(self) -> str:
        return (
            f"commit {self._hex(40)} deployed by argocd, revision: {self._hex(7)}, tag v1.{self._ms()}-{self._hex(4)}"
        )

    def in_containerd(self) -> str:
        return (
            f'time="{self._time()}" level=info msg="StartContainer for \\"{self._hex(64)}\\" returns successfully" '
            f"namespace=k8s.io id={self._hex(64)}"
        )

    def in_kafka(self) -> str:
        return (
            f"[{self._time()}] WARN [Consumer clientId=consumer-{self._service()}-1,"
            f" groupId={self._service()}] Offset commit failed on "
            f"partition {self._service()}-{self._ms() % 12} at offset {self._ms()}: partition key"
            f" {self._service()} (kafka.Coordinator)"
        )

    def in_traces(self) -> str:
        return (
            f'traceparent: 00-{self._hex(32)}-{self._hex(16)}-01 etag: W/"{self._hex(27)}" x-request-id: {self._uuid()}'
        )

    def in_redis(self) -> str:
        return self._random.choice(
            (
                f"{self._ms()}:M 21 Nov 2026 08:00:01.123 # WRONGPASS invalid username-password pair"
                f" or user is disabled.",
                f"NOAUTH Authentication required. client={self._ip()}:{self._ms()}",
                f"keyspace hits={self._ms()} misses={self._ms()} expired_keys={self._ms()} evicted_keys={self._ms()}",
            )
        )

    def in_vault(self) -> str:
        return self._random.choice(
            (
                "error authenticating: permission denied: invalid token, lookup failed",
                f"secret/data/{self._service()}: 403 permission denied (accessor missing, token expired)",
                f"lease not found or not renewable: database/creds/{self._service()}-readonly",
                f"authorization failed for path=auth/kubernetes/login role={self._service()}"
                f" reason=service account not allowed",
            )
        )

    def in_base64(self) -> str:
        return f"continue={base64.b64encode(self._pod().encode()).decode()} digest={self._hex(40)} uid: {self._uuid()}"

    def in_python(self) -> str:
        try:
            return str(int(self._pod()))
        except ValueError:
            return traceback.format_exc().replace("\n", " | ")

    def in_metrics(self) -> str:
        return (
            f'http_requests_total{{pod="{self._pod()}",namespace="shop",instance="{self._ip()}:8080"}} {self._ms()} '
            f"increased; secrets_total={self._ms()} api_key_lookups={self._ms()}"
        )

    def in_yaml(self) -> str:
        return self._random.choice(
            (
                f"  secretName: {self._service()}-tls",
                "  automountServiceAccountToken: true",
                f"    key: {self._service()}-config.yaml",
                "  tokenExpirationSeconds: 3607",
                f"  uid: {self._uuid()}",
                f"  image: {self._image()}",
                "    secretKeyRef:",
                f"  pod-template-hash: {self._hex(10)}",
                "  - name: DB_PASSWORD",
                "    valueFrom:",
                "  passwordPolicy: strict",
            )
        )

    def in_go(self) -> str:
        return (
            f"panic: runtime error: invalid memory address goroutine {self._ms()} [running]:"
            f" main.(*Server).Token(0xc{self._hex(9)}, "
            f"{{0x{self._hex(8)}, 0x{self._hex(2)}}}) /src/{self._service()}/token.go:{self._ms()} +0x{self._hex(3)}"
        )


def found(folders: tuple[Path, ...]) -> Iterator[str]:
    """Lines of text files that lie on this machine: logs of its programs, recorded incidents, runbooks."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in {".log", ".txt", ".md", ".json", ".yaml"} and path.is_file():
                with contextlib.suppress(OSError):
                    yield from path.read_text(errors="replace").splitlines()


PLACES = (
    ROOT / "bot/demo/incidents",
    ROOT.parent / "shared/evals/runbooks",
    ROOT.parent / "shared/evals/rca/opensre",
    Path("/var/log"),
)
LONGEST = 2_000
"""Characters of a line; the rare longer one is a whole document."""


def lines(made: int, folders: tuple[Path, ...]) -> list[str]:
    """Made lines, and those that were found, each once."""
    unlike = dict.fromkeys(line for line in found(folders) if line.strip() and len(line) <= LONGEST)
    return [*Lines(7).made(made), *unlike]
