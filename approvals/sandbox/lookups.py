"""Asks for the addresses of what a command reaches, before it runs, and holds it to them.

A name server may be hostile and answer the second question otherwise than the first. So the answers that were judged
become the sandbox's `/etc/hosts`, which its programs read before they ask anybody.
"""

import asyncio
import socket
from collections.abc import Mapping, Sequence

from approvals.sandbox.hosts import why_not
from tools.network.guard import literal

LOOKUP_S = 5.0
"""For all names together."""


class Astray(Exception):
    """A host that may not be reached, or has no address; the message says which."""


async def addresses(hosts: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """The addresses of each host.

    Raises:
        Astray: one leads to this machine or to metadata, or nobody knows it.
    """
    try:
        async with asyncio.timeout(LOOKUP_S):
            return {host: await _judged(host) for host in hosts}
    except TimeoutError as e:
        raise Astray(f"no name server says within {LOOKUP_S:g} s where {', '.join(hosts)} is") from e


def hosts_file(found: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Files, by their paths, that hold a command to the addresses which were found."""
    lines = [
        f"{address} {name}\n"
        for host, known in found.items()
        if literal(host) is None
        # Some programs take the last dot away before they ask.
        for name in sorted({host, host.rstrip(".")})
        for address in known
    ]
    return {
        "/etc/hosts": "".join(lines),
        # Else a name has only its first address.
        "/etc/host.conf": "multi on\n",
        "/etc/nsswitch.conf": "hosts: files dns\n",
    }


async def _judged(host: str) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    try:
        answers = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as e:
        raise Astray(f"{host!r} has no address from here: {e}") from e
    known = list(dict.fromkeys(str(address[0]) for *_, address in answers))
    for address in known:
        if reason := why_not(address):
            raise Astray(f"{host!r} may not be reached: {reason}")
    return known
