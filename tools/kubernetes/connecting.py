"""Connects to an API server with a kubeconfig, or as the ServiceAccount of the pod. Only here the package is imported.

Whoever connects sends its own requests: what reads the world and what changes it share the way there and nothing else.
"""

import asyncio
from pathlib import Path
from typing import Any

import yaml

from tools.errors import ToolNoSource, ToolUnavailable


async def connect(*, kubeconfig: Path | None, context: str | None, timeout_s: float, token: str = "") -> Any:
    """A client of the `kubernetes` package, which repeats no request by itself.

    Args:
        kubeconfig: the file; unset = the ServiceAccount of the pod, or the user's own file.
        context: unset = the file's current one.
        timeout_s: for credentials that a program fetches.
        token: sent instead of the configuration's own credentials, none of which goes along then.

    Raises:
        ToolNoSource: when no cluster is configured, or the configuration cannot be used.
        ToolUnavailable: when the credentials did not come in time.
    """
    # The package takes more than a second to import, and holds a loop up if it is done there.
    api, config = await asyncio.to_thread(_library)
    configuration = api.Configuration()
    try:
        if kubeconfig is None and context is None and _is_in_cluster():
            config.load_incluster_config(client_configuration=configuration)
        else:
            # May run a program that fetches a token.
            async with asyncio.timeout(timeout_s):
                await config.load_kube_config(
                    config_file=None if kubeconfig is None else str(kubeconfig),
                    context=context,
                    client_configuration=configuration,
                    persist_config=False,
                )
    except TimeoutError as e:
        raise ToolUnavailable("the credentials of the kubeconfig did not come in time") from e
    except config.ConfigException as e:
        raise ToolNoSource(f"no Kubernetes cluster is configured: {e}") from e
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as e:
        # The loader walks the file unchecked: whatever is missing in it shows as one of these.
        raise ToolNoSource(f"the kubeconfig cannot be used: {e}") from e
    configuration.retries = None
    if token:
        # A pod's own token would come back by the hook, and a certificate would count before any token.
        configuration.api_key, configuration.refresh_api_key_hook = {"BearerToken": f"Bearer {token}"}, None
        configuration.cert_file = configuration.key_file = None
    try:
        client = api.ApiClient(configuration)
    except (OSError, ValueError) as e:
        raise ToolNoSource(f"the certificates of the kubeconfig cannot be used: {e}") from e
    # So that the cluster's audit log tells whose requests these are.
    client.user_agent = "locum"
    return client


def _library() -> tuple[Any, Any]:
    from kubernetes.aio import client, config

    return client, config


def _is_in_cluster() -> bool:
    from kubernetes.aio.config import incluster_config

    return Path(incluster_config.SERVICE_TOKEN_FILENAME).is_file()
