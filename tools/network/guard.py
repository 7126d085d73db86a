"""Decides which addresses may be probed. Pure: it is given the addresses that a name has, and asks nobody.

Whoever asks for a probe may be misled by what it read: nothing outside of the allowed names and networks is reached,
and metadata services, which hand out credentials, never are.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence

from tools.errors import ToolRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

CLUSTER_SUFFIXES = (".svc", ".cluster.local")
"""Names that only a cluster's own resolver knows; always allowed."""

_NAME = re.compile(r"[\w.-]+")
"""What a name is made of; `elsewhere.example%2f.svc` only ends like an allowed one."""

_NEVER: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32", "0.0.0.0/8",
        # IPv6 addresses that carry an IPv4 one inside: what they reach cannot be judged by what they look like.
        "::/96", "64:ff9b::/96", "2001::/32", "2002::/16",
    )
)  # fmt: skip


class Guard:
    """What one deployment allows: suffixes of names, networks, and whether the machine itself may be probed."""

    def __init__(self, allow: Iterable[str], *, hosts: Sequence[str], allow_loopback: bool) -> None:
        self._exact = frozenset(host.lower().rstrip(".") for host in hosts if literal(host) is None)
        self._networks: list[Network] = [
            ipaddress.ip_network(address) for host in hosts if (address := literal(host)) is not None
        ]
        self._suffixes: list[str] = list(CLUSTER_SUFFIXES)
        self._allow_loopback = allow_loopback
        for entry in allow:
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                self._suffixes.append(entry.lower().rstrip("."))

    def allows_name(self, host: str) -> bool:
        """Whether the name is, or lies under, an allowed suffix; `.example.org` leaves `example.org` itself out."""
        name = host.lower().rstrip(".")
        if not _NAME.fullmatch(name):
            return False
        if name in self._exact or (name == "localhost" and self._allow_loopback):
            return True
        return any(
            name.endswith(suffix) if suffix.startswith(".") else name == suffix or name.endswith(f".{suffix}")
            for suffix in self._suffixes
        )

    def check_name(self, host: str) -> None:
        """Refuses to look up a name that is not allowed: a look-up alone can carry data out.

        Raises:
            ToolRefused: with what would allow it.
        """
        if literal(host) is None and not self.allows_name(host):
            raise ToolRefused(f"{host!r} is not among the names that may be probed; settings can allow its suffix")

    def checked(self, host: str, addresses: Sequence[str]) -> list[str]:
        """The addresses of `host` that may be reached.

        Raises:
            ToolRefused: when there is none.
        """
        named = literal(host) is None and self.allows_name(host)
        allowed = [text for text in addresses if self._allows(_plain(ipaddress.ip_address(text)), named=named)]
        if not allowed:
            raise ToolRefused(
                f"{host!r} is at {', '.join(addresses) or 'no address'}, which may not be probed; "
                "settings can allow a network, never link-local and metadata addresses"
            )
        return allowed

    def _allows(self, address: Address, *, named: bool) -> bool:
        if address.is_loopback:
            return self._allow_loopback
        if address.is_multicast or any(address in network for network in _NEVER):
            return False
        return named or any(address in network for network in self._networks)


def literal(host: str) -> Address | None:
    """The address that `host` is, if it is one."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _plain(address: Address) -> Address:
    """An IPv4 address that is dressed as an IPv6 one, undressed."""
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address
