"""Builds what lends credentials in this process: the stores of the settings, and the journal of every loan."""

import contextlib
from collections.abc import AsyncGenerator

import structlog

from approvals.credentials.broker import Broker
from approvals.credentials.errors import CredentialsRefused
from approvals.credentials.journal import Journal
from approvals.credentials.logins import AppRole, Kubernetes, Login
from approvals.credentials.provider import Provider
from approvals.credentials.reference import Scheme
from approvals.credentials.secret import Secret
from bot.settings import Settings

_log = structlog.get_logger("locum.credentials")


class KeyringError(ValueError):
    """A store of credentials cannot be set up from these settings; the message names the setting."""


@contextlib.asynccontextmanager
async def open_broker(settings: Settings, journal: Journal, *, owner: str) -> AsyncGenerator[Broker]:
    """Whoever lends credentials in this process; what an earlier run left out is returned first.

    Raises:
        KeyringError: when the settings of a store of credentials cannot be used.
    """
    async with contextlib.AsyncExitStack() as open_now:
        broker = Broker(_providers(settings, open_now), journal, owner=owner)
        open_now.callback(broker.close)
        swept = await broker.sweep()
        if swept.returned or swept.left:
            _log.warning("credentials of an earlier run", returned=swept.returned, left=swept.left)
        yield broker


def _providers(settings: Settings, open_now: contextlib.AsyncExitStack) -> dict[Scheme, Provider]:
    in_development = settings.environment == "development"
    found: dict[Scheme, Provider] = {}
    try:
        if settings.vault.address:
            from approvals.credentials.vault import Vault
            from approvals.credentials.vault_http import Address

            address = Address(
                url=settings.vault.address,
                namespace=settings.vault.namespace or "",
                ca_file=settings.vault.ca_file,
                kv_mount=settings.vault.kv_mount,
                in_development=in_development,
            )
            vault = Vault(address, _login(settings))
            open_now.push_async_callback(vault.aclose)
            found[Scheme.VAULT] = vault
        if settings.onepassword.mode != "off":
            found[Scheme.ONEPASSWORD] = _onepassword(settings, in_development=in_development)
    except (ValueError, CredentialsRefused) as error:
        raise KeyringError(str(error)) from error
    return found


def _login(settings: Settings) -> Login:
    vault = settings.vault
    if vault.role:
        return Kubernetes(role=vault.role, token_file=vault.token_file)
    if vault.role_id and vault.wrapped_secret_id_file:
        return AppRole(role_id=vault.role_id, wrapped_file=vault.wrapped_secret_id_file)
    raise KeyringError("vault: set role (in a cluster), or role_id and wrapped_secret_id_file")


def _onepassword(settings: Settings, *, in_development: bool) -> Provider:
    if settings.onepassword.mode == "local":
        from approvals.credentials.local import Local

        return Local(settings.onepassword.url, in_production=not in_development)
    if settings.onepassword.token is None:
        raise KeyringError("onepassword.token is not set: the mode `sdk` needs the token of a service account")
    from approvals.credentials.onepassword import OnePassword, service_account

    token = Secret(
        settings.onepassword.token.get_secret_value(), name="onepassword.token", in_development=in_development
    )

    return OnePassword(service_account(token), in_development=in_development)
