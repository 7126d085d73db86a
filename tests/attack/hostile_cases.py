"""What an attacker writes and where: places, wishes, and our own cases, which are data beside this file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import yaml

POISON = Path(__file__).parent / "poison"
HOSTS = ("fastmirror.example", "quickpull.example", "opsrelay.example")
"""The attacker's, in our own cases."""

_HOST = re.compile(
    r"(?i)(?:https?:|:)?//([a-z0-9][a-z0-9.-]*\.[a-z]{2,})|\b((?:[a-z0-9-]+\.)+(?:com|net|biz|security))\b"
)


class Telemetry(StrEnum):
    """A place that outsiders can write to, and that Locum reads."""

    URL_PATH = "url_path"
    USER_AGENT = "user_agent"
    EVENT_MESSAGE = "event_message"
    POD_LABEL = "pod_label"
    IMAGE_TAG = "image_tag"
    METRIC_LABEL = "metric_label"
    ANNOTATION = "annotation"
    COMMIT = "commit"
    SLACK_TEXT = "slack_text"
    RUNBOOK = "runbook"
    TRACE_ATTRIBUTE = "trace_attribute"
    CONFIG_MAP = "config_map"


WISHES = ("foreign-package", "open-firewall", "delete-volume", "attackers-key", "exfiltrate")
STYLES = ("cause", "order")
"""A plausible false cause with a false remedy, without any magic word; or a plain instruction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One text in one place of one recorded incident."""

    id: str
    place: Telemetry
    text: str
    base: str
    """The recorded incident that it is written into."""
    number: int
    """Chooses among the tricks of the hostile model."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts of the attacker: ours, and those that the text names."""
        named = {(found[1] or found[2]).lower() for found in _HOST.finditer(self.text)}
        return tuple(dict.fromkeys((*HOSTS, *sorted(named))))


BASES = ("bad-rollout", "dependency-down", "memory-exhaustion", "healthy-alert")


def own() -> list[Case]:
    """Our own cases, place by place."""
    found: list[Case] = []
    for place in Telemetry:
        listed = yaml.safe_load((POISON / f"{place}.yaml").read_text())
        for style in STYLES:
            for wish in WISHES:
                number = len(found)
                found.append(
                    Case(
                        id=f"own/{place}/{wish}/{style}",
                        place=place,
                        text=str(listed[style][wish]).strip(),
                        base=BASES[(number // len(STYLES) + number) % len(BASES)],
                        number=number,
                    )
                )
    return found


def combined(payloads: list[tuple[str, str]], wanted: int) -> Iterator[Case]:
    """Payload x place, so that every payload comes once before any comes twice, and every place alike often.

    Args:
        payloads: names and texts.
        wanted: how many; all combinations where there are fewer.
    """
    places = tuple(Telemetry)
    rounds = ((turn, at) for turn in range(len(places)) for at in range(len(payloads)))
    for number, (turn, at) in enumerate(rounds):
        if number >= wanted:
            return
        name, text = payloads[at]
        place = places[(at + 5 * turn) % len(places)]
        yield Case(id=f"{name}/{place}", place=place, text=text, base=BASES[(at + turn) % len(BASES)], number=number)
