"""Whoever tries to send a byte anywhere but to this machine is stopped and noted, below all client libraries."""

import contextlib
import ipaddress
import re
import socket
import sys
from collections.abc import Generator
from typing import Any, cast

_OF_THE_CLUSTER = re.compile(r"socket\.getaddrinfo [A-Za-z0-9_.-]+\.(svc|cluster\.local)")
"""Names that only a cluster's own resolver knows may be looked up."""


class Egress:
    """What was tried; one for the whole process, for such a hook can never be taken off."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self._depth = 0
        self._is_hooked = False

    @contextlib.contextmanager
    def closed(self) -> Generator[list[str]]:
        """While it lasts, nothing leaves this machine; gives what is tried meanwhile."""
        if not self._is_hooked:
            sys.addaudithook(self._see)
            self._is_hooked = True
        self._depth += 1
        tried: list[str] = []
        start = len(self.tried)
        try:
            yield tried
        finally:
            self._depth -= 1
            tried += [each for each in self.tried[start:] if not _OF_THE_CLUSTER.fullmatch(each)]

    def _see(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._depth or not event.startswith("socket."):
            return
        place: object = None
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            # A socket of this machine's own has a path for an address, which is no pair.
            place = cast("tuple[object, ...]", args[1])[0] if isinstance(args[1], tuple) else None
        elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
            place = args[0]
        host = "" if place is None else str(place)
        if host and not _is_here(host):
            self.tried.append(f"{event} {host}")
            if event.startswith("socket.get"):
                # As a machine without a network says it.
                raise socket.gaierror(socket.EAI_NONAME, f"nothing leaves this machine: {host}")
            raise ConnectionRefusedError(f"nothing leaves this machine: {host}")


def _is_here(host: str) -> bool:
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


EGRESS = Egress()
