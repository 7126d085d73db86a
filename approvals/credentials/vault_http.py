"""Speaks HTTP with Vault, by hvac, and says what went wrong in words of ours.

hvac is synchronous: every call runs in a thread and has a time limit. A thread cannot be stopped, so an answer may come
after we went. hvac's exceptions quote requests and answers; none of them leaves this module, not even as a context.
"""

import asyncio
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import hvac
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest, Unauthorized, VaultDown, VaultError

from approvals.credentials.errors import (
    CredentialsError,
    CredentialsMissing,
    CredentialsRefused,
    CredentialsUnavailable,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where Vault is, and where in it things are."""

    url: str
    namespace: str = ""
    ca_file: Path | None = None
    """Certificates to trust instead of the system's."""
    timeout_s: float = 5.0
    """For one request."""
    kv_mount: str = "kv"
    """The KV engine of version 2; references below it are read there, all others make a lease."""
    kubernetes_mount: str = "kubernetes"
    """The engine that makes ServiceAccount tokens."""
    in_development: bool = False
    """Allows plain HTTP to other machines, and short values."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"the address of Vault is {self.url!r}; expected https://host:port")
        if parts.scheme == "http" and not self.in_development and not _is_loopback(parts.hostname):
            raise ValueError(f"the address of Vault is {self.url!r}: credentials go over https only")


class VaultHttp:
    """The requests. Holds no token: each request brings its own."""

    def __init__(self, address: Address) -> None:
        self._timeout_s = address.timeout_s
        client = hvac.Client(
            url=address.url,
            # Not None, for which hvac would look in the environment and in the home folder.
            token="",
            verify=str(address.ca_file) if address.ca_file else True,
            timeout=cast("int", address.timeout_s),
            namespace=address.namespace or None,
            # A redirect would carry the token to another host.
            allow_redirects=False,
        )
        self._adapter = cast("Any", client.adapter)
        # Neither proxies nor passwords of the environment come between.
        self._adapter.session.trust_env = False

    async def once(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, token: str = "", what: str
    ) -> Mapping[str, Any]:
        """Vault's answer to one request; empty where it says no more than that it is done.

        Raises:
            CredentialsMissing: there is nothing at this path.
            CredentialsRefused: the token does not allow it, or the request makes no sense to Vault.
            CredentialsUnavailable: anything else that is not a proper answer.
        """
        answer = await self._answer(method, path, body, token=token, what=what)
        if isinstance(answer, CredentialsError):
            # Raised here and not where the client's own was caught, which would stay with it as its context.
            raise answer
        if isinstance(answer, dict):
            return cast("dict[str, Any]", answer)
        if answer.status_code == 204:
            return {}
        raise CredentialsUnavailable(f"what answers {what} is not Vault: status {answer.status_code} without JSON")

    def close(self) -> None:
        """Closes the connections."""
        self._adapter.close()

    async def _answer(self, method: str, path: str, body: Mapping[str, object] | None, *, token: str, what: str) -> Any:
        headers = {"X-Vault-Token": token} if token else {}

        def send() -> Any:
            try:
                return self._adapter.request(method, f"/v1/{path}", json=body, headers=headers)
            except VaultError as error:
                return _judged(error, what)
            except OSError as error:
                return CredentialsUnavailable(f"Vault cannot be reached for {what}: {type(error).__name__}")

        try:
            # Longer than hvac's own limit, which starts again with every byte.
            async with asyncio.timeout(self._timeout_s * 2):
                return await asyncio.to_thread(send)
        except TimeoutError:
            return CredentialsUnavailable(f"Vault did not answer in time to {what}")


def part(answer: Mapping[str, Any], *keys: str) -> Any:
    """What lies under `keys` in an answer.

    Raises:
        CredentialsUnavailable: when nothing does.
    """
    found: Any = answer
    for key in keys:
        if not isinstance(found, dict) or key not in found:
            raise CredentialsUnavailable(f"what answers is not Vault: there is no {'.'.join(keys)!r} in it")
        found = cast("dict[str, Any]", found)[key]
    return found


def _judged(error: VaultError, what: str) -> CredentialsError:
    """Our error for Vault's. Its texts are looked at for known words and go nowhere."""
    said = str(error.errors)
    if isinstance(error, (Forbidden, Unauthorized)):
        return CredentialsRefused(f"Vault does not allow {what}: no policy of our login grants it")
    if isinstance(error, InvalidPath) or "unknown role" in said or "lease not found" in said:
        return CredentialsMissing(f"Vault has nothing for {what}")
    if isinstance(error, InvalidRequest) and "failed to revoke" not in said:
        return CredentialsRefused(f"Vault does not accept {what}")
    if isinstance(error, VaultDown):
        return CredentialsUnavailable(f"Vault is sealed or not ready for {what}")
    return CredentialsUnavailable(f"Vault answers {what} with {type(error).__name__}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
