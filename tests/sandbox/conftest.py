"""A real sandbox on this machine, and the real API server of the Kubernetes tests."""

import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from approvals.sandbox.bubblewrap import Bubblewrap
from tests.kubernetes.conftest import api_server, etcd, keys, namespace
from tests.servers import need

__all__ = ["api_server", "bubblewrap", "etcd", "keys", "namespace"]


@pytest.fixture
def bubblewrap() -> Bubblewrap:
    need("bwrap", "bubblewrap")
    need("perl", "perl-base")
    return Bubblewrap()


@pytest.fixture
def mark() -> str:
    return f"mark-{secrets.token_hex(8)}"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may read: what is in it is out of reach for no other reason than the sandbox."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
