"""What a signal measures, by its name: its unit, the smallest move that matters, and what it speaks of. Pure.

Names carry their unit as Prometheus metrics do; a name outside the catalogue is read by its ending.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

FULL = 0.8
"""Waiting grows without bound towards full use; at 80 % it is four times as long as being served (M/M/1)."""


class Family(StrEnum):
    """What a signal speaks of: what callers feel, or what the thing itself uses."""

    LATENCY = "latency"
    ERRORS = "errors"
    CLIENT_LATENCY = "client-latency"
    CLIENT_ERRORS = "client-errors"
    TRAFFIC = "traffic"
    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"
    NETWORK = "network"
    SURROUNDINGS = "surroundings"
    """Of the machine below, told under the name of what runs on it: many share it, so it accuses none of them."""
    COUNT = "count"
    """What is set, or counted over a life: replicas, maxima, restarts. Other checks read those."""
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """How one signal is to be read."""

    family: Family
    floor: float
    """The smallest spread that matters, in the signal's unit: below it even a very quiet series says nothing."""
    follows_load: bool = False
    """Whether it grows with the requests served: then it is judged per request."""
    full: float | None = None
    """The share of use from which on waiting begins, where it is such a share."""
    is_good: bool = False
    """Whether it is a share of what went well: it is read as the share of what did not."""


_EXACT: dict[str, Gauge] = {
    # Five thousandths of a core is what an idle runtime's housekeeping takes.
    "cpu_cores": Gauge(family=Family.CPU, floor=0.005, follows_load=True),
    "cpu_utilization_ratio": Gauge(family=Family.CPU, floor=0.02, follows_load=True, full=FULL),
    "cpu_throttled_ratio": Gauge(family=Family.CPU, floor=0.05),
    # Allocators take and give back a few MiB at a time.
    "memory_bytes": Gauge(family=Family.MEMORY, floor=4 * 2**20),
    "memory_utilization_ratio": Gauge(family=Family.MEMORY, floor=0.02),
    "disk_utilization_ratio": Gauge(family=Family.DISK, floor=0.02),
    "disk_io_seconds_per_second": Gauge(family=Family.DISK, floor=0.02),
    # A block or a packet now and then: tens of kilobytes a second are noise on any disk and any wire.
    "disk_read_bytes_per_second": Gauge(family=Family.DISK, floor=50_000.0),
    "disk_write_bytes_per_second": Gauge(family=Family.DISK, floor=50_000.0),
    "network_receive_bytes_per_second": Gauge(family=Family.NETWORK, floor=10_000.0, follows_load=True),
    "network_transmit_bytes_per_second": Gauge(family=Family.NETWORK, floor=10_000.0, follows_load=True),
    "tcp_retransmit_ratio": Gauge(family=Family.NETWORK, floor=0.002),
    "packet_drop_ratio": Gauge(family=Family.NETWORK, floor=0.002),
    "requests_per_second": Gauge(family=Family.TRAFFIC, floor=0.1),
    # Two in a thousand: twice what an objective of 99.9 % allows.
    "error_ratio": Gauge(family=Family.ERRORS, floor=0.002),
    "success_ratio": Gauge(family=Family.ERRORS, floor=0.002, is_good=True),
    "availability_ratio": Gauge(family=Family.ERRORS, floor=0.002, is_good=True),
    "client_error_ratio": Gauge(family=Family.CLIENT_ERRORS, floor=0.002),
    "connections_active": Gauge(family=Family.OTHER, floor=2.0, follows_load=True),
    "queue_depth": Gauge(family=Family.OTHER, floor=1.0),
    "connections_max": Gauge(family=Family.COUNT, floor=1.0),
    "restarts_total": Gauge(family=Family.COUNT, floor=1.0),
    "replicas_ready": Gauge(family=Family.COUNT, floor=1.0),
    "replicas_desired": Gauge(family=Family.COUNT, floor=1.0),
}
_BY_ENDING: tuple[tuple[str, float], ...] = (
    ("_bytes_per_second", 10_000.0),
    ("_per_second", 0.1),
    ("_seconds", 0.005),
    ("_ratio", 0.02),
    ("_percent", 2.0),
    ("_bytes", 4 * 2**20),
)
_BELOW = ("node_", "host_", "machine_")


@lru_cache(maxsize=4096)
def gauge(signal: str) -> Gauge:
    """How to read a signal of that name."""
    if known := _EXACT.get(signal):
        return known
    if signal.startswith(_BELOW):
        return Gauge(family=Family.SURROUNDINGS, floor=_floor(signal))
    if signal.startswith("latency_") and signal.endswith("_seconds"):
        return Gauge(family=Family.LATENCY, floor=0.001)
    if signal.startswith("client_latency_") and signal.endswith("_seconds"):
        return Gauge(family=Family.CLIENT_LATENCY, floor=0.001)
    return Gauge(family=Family.OTHER, floor=_floor(signal))


def _floor(signal: str) -> float:
    # A plain count without a unit: one more or less is nothing.
    return next((floor for ending, floor in _BY_ENDING if signal.endswith(ending)), 1.0)


def reader(signal: str) -> Callable[[float], float]:
    """What makes of a value one that is worse the higher it is: of a share of what went well, that of what did not."""
    return _remainder if gauge(signal).is_good else float


def _remainder(value: float) -> float:
    return 1.0 - value
