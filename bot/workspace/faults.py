"""What a test makes go wrong: answers that fail, acks that get lost, a clock that is off."""

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Fault:
    """What the next `times` calls of a method meet."""

    method: str
    """`*` for every method."""
    times: int
    error: str = ""
    """Slack's word, answered with 200."""
    status: int = 0
    """429 or 5xx instead of an answer."""
    retry_after_s: int = 1
    delay_s: float = 0
    """Real seconds before the call goes on."""


@dataclass(slots=True)
class Faults:
    """The faults still to come."""

    calls: list[Fault] = field(default_factory=list[Fault])
    acks_to_drop: int = 0
    duplicates: int = 0
    """How many of the next events are sent twice."""
    skew_s: float = 0
    """How far the timestamps in signatures are off."""

    def take(self, method: str) -> Fault | None:
        """The fault that this call meets, if any."""
        for fault in self.calls:
            if fault.method in {method, "*"}:
                fault.times -= 1
                if fault.times <= 0:
                    self.calls.remove(fault)
                return fault
        return None

    def drop_ack(self) -> bool:
        if self.acks_to_drop <= 0:
            return False
        self.acks_to_drop -= 1
        return True
