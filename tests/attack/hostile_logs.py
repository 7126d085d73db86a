"""What Locum logs, as it would stand on standard error."""

import contextlib
import io
import logging
from collections.abc import Generator
from typing import cast


@contextlib.contextmanager
def kept() -> Generator[logging.Logger]:
    """Puts the process's logs back to what they were; gives the one that all of them go to."""
    top = logging.getLogger()
    handlers, level = top.handlers[:], top.level
    try:
        yield top
    finally:
        top.handlers[:] = handlers
        top.setLevel(level)


def redirect(top: logging.Logger, log: io.StringIO) -> None:
    """After Locum set its logs up: into `log`, in the form that they have."""
    cast("logging.StreamHandler[io.StringIO]", top.handlers[0]).setStream(log)
