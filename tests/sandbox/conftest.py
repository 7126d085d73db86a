"""A real sandbox on this machine, and the real API server of the Kubernetes tests."""

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
