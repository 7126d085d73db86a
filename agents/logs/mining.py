"""Kinds of lines, mined from the lines themselves with Drain, and how often each came before and since the onset. Pure.

Drain (He et al., ICWS 2017) groups lines of equal length by their first words and then by the share of equal words.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from agents.logs.lines import Line, by_entity, is_old, lines, quoted
from agents.logs.news import is_covered, news
from agents.logs.templates import masked
from agents.scene import Scene
from tools.entity import Entity
from tools.redaction import redact

if TYPE_CHECKING:
    from drain3.drain import Drain

MOST_TEMPLATES = 2_000
"""Kinds that are kept at once; the least recently seen goes first, so that memory is bounded."""
LEAST = 5
"""Lines of a kind that are more than chance where the baseline has none: e^-5 is below one in a hundred."""
MOST_TOLD = 3
MOST_SHOWN = 160
_SIMILARITY = 0.5
"""Share of equal words that makes one kind. Values are masked before, so it can be stricter than Drain's own 0.4."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Lines that say the same."""

    template: str
    hits: Sequence[Line]
    """Of the incident."""
    before: int
    """How many there were before the onset."""

    @cached_property
    def told(self) -> str:
        """The template as it is shown: where the line holds a secret, of the line without it.

        A mark in the middle of a secret would hide its shape from redaction.
        """
        line = quoted(self.hits[0], limit=400)
        clean = redact(line)
        shown = self.template if clean == line else masked(clean)
        return shown if len(shown) <= MOST_SHOWN else f"{shown[: MOST_SHOWN - 1]}…"


def changed(scene: Scene) -> Mapping[Entity, Sequence[Kind]]:
    """Kinds of trouble that are new or surge, the most frequent first; of logs that reach back before the onset."""
    speaks = (each for each in lines(scene) if each.is_trouble)
    found: dict[Entity, Sequence[Kind]] = {}
    for entity, said in by_entity(scene, speaks).items():
        if not is_covered(scene, entity) or all(is_old(scene, each) for each in said):
            continue
        kinds = [
            Kind(template=template, hits=fresh, before=sum(is_old(scene, each) for each in hits))
            for template, hits in mined(said).items()
            if len(fresh := news(scene, entity, hits)) >= LEAST
        ]
        if kinds:
            found[entity] = sorted(kinds, key=lambda each: -len(each.hits))
    return found


def mined(said: Sequence[Line]) -> Mapping[str, Sequence[Line]]:
    """Lines by template. A template that was learned from few lines may be widened by later ones."""
    groups: defaultdict[str, list[Line]] = defaultdict(list)
    for line in said:
        groups[masked(quoted(line, limit=400))].append(line)
    drain = _drain()
    clusters = {words: drain.add_log_message(words)[0] for words in groups}
    found: defaultdict[str, list[Line]] = defaultdict(list)
    for words, several in groups.items():
        found[clusters[words].get_template()].extend(several)
    return found


def _drain() -> "Drain":
    # Imported late: most cases have no lines to mine, and a cold start should not pay for it.
    from drain3.drain import Drain

    return Drain(sim_th=_SIMILARITY, max_clusters=MOST_TEMPLATES, param_str="<*>")
