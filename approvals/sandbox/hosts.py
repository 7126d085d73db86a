"""Which hosts a diagnostic may reach. Pure; the guard of the network tools knows the addresses.

Never this machine, its link, multicast, or the services that hand out credentials to whoever asks from inside a cloud:
in no spelling, since C libraries read `2852039166`, `0xa9fea9fe` and `0251.0376.0251.0376` as addresses too.
"""

import re

from tools.errors import ToolRefused
from tools.network.guard import Guard, literal

_ANYWHERE = Guard(("0.0.0.0/0", "::/0"), hosts=(), allow_loopback=False)
_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_NAME = re.compile(rf"(?=.{{1,253}}\.?\Z){_LABEL}(\.{_LABEL})*\.?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_HERE = ("localhost", "localdomain", "ip6-localhost", "ip6-loopback")
"""Names, with all that lies under them, that lead to the machine itself."""
_METADATA = ("metadata", "instance-data", "metadata.google.internal", "metadata.goog")
_AZURE = "168.63.129.16"
"""Where each machine of that cloud finds its agent's settings: an ordinary address by its looks."""


def why_not(host: str) -> str | None:
    """Why a host may not be reached; `None` if it may.

    A name that passes may still lead to such an address: resolve it and ask again with what it says.
    """
    address = literal(host)
    if address is not None:
        return _why_not_address(str(address)) if str(address) == host.lower() else f"write {host!r} as {str(address)!r}"
    if not _NAME.fullmatch(host):
        return f"{host!r} is neither a DNS name nor an address"
    name = host.lower().rstrip(".")
    last = name.rpartition(".")[2]
    if _NUMBER.fullmatch(last):
        return f"{host!r} is a number that some programs read as an address: write four decimal numbers"
    if last in _HERE or name in _METADATA:
        return f"{host!r} leads to this machine or to the metadata of its cloud"
    return None


def _why_not_address(address: str) -> str | None:
    try:
        _ANYWHERE.checked(address, [address])
    except ToolRefused:
        pass
    else:
        if address != _AZURE:
            return None
    return f"{address!r} is this machine, its own link, or its cloud's metadata; diagnostics never reach those"
