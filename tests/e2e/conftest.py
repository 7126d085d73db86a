"""What holds for every whole Locum here: nothing of this machine's own is read, also not by what a module shares."""

import os
from collections.abc import Iterator

import pytest

from bot.settings import WELL_KNOWN


@pytest.fixture(scope="module", autouse=True)
def nothing_of_this_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in (*WELL_KNOWN, *(each for each in os.environ if each.startswith("LOCUM_"))):  # noqa: TID251
            patch.delenv(name, raising=False)
        # A kubeconfig lies there; live worlds would look at its cluster.
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("LOCUM_CONFIG", "/nonexistent/locum.yaml")
        yield
