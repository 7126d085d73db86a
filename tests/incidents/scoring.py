"""How good the answers are: `python -m tests.incidents.scoring [WORD]` tells each miss, then the rates."""

import asyncio
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.explaining import same_thing
from bot.settings import Settings
from bot.terminal import diagnose
from tests.incidents.fault import Fault, every_fault
from tools.entity import Entity

WELL = ("healthy", "recovered", "stale", "expected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How one fault and its twin were answered."""

    fault: Fault
    answer: dict[str, Any]
    twin: dict[str, Any]

    def place(self, *, with_cause: bool = False) -> int | None:
        """The rank of the first right hypothesis."""
        wanted = {same_thing(_entity(each)) for each in self.fault.entities}
        for each in self.answer["hypotheses"]:
            is_right = not with_cause or each["cause"] in self.fault.causes
            if same_thing(_entity(each["entity"])) in wanted and is_right:
                return each["rank"]
        return None

    @property
    def false_alarms(self) -> list[str]:
        """What was said to be critical of the healthy twin."""
        return [f"{each['cause']} {each['entity']}" for each in self.twin["findings"] if each["severity"] == "critical"]

    @property
    def told(self) -> list[str]:
        """The first hypotheses, for people."""
        return [f"{each['cause']} {each['entity']}" for each in self.answer["hypotheses"][:4]]

    @property
    def confirmed(self) -> int:
        """How many hypotheses are called confirmed."""
        return sum(each["confidence"] == "confirmed" for each in self.answer["hypotheses"])

    @property
    def contradicted(self) -> bool:
        """Whether something confirmed speaks against itself."""
        return any(each["contradicted_by"] for each in self.answer["hypotheses"] if each["confidence"] == "confirmed")


def _entity(text: str) -> Entity:
    kind, namespace, name = text.split("/", 2)
    return Entity.of(kind, namespace, name)


async def answer(fault: Fault, folder: Path, *, sick: bool) -> dict[str, Any]:
    """What is said of the fault's world, or of its twin's."""
    fault.world(sick=sick).write(folder, without=fault.without)
    return (await diagnose(fault.question, Settings(snapshot=folder))).to_json()


async def score(fault: Fault, folder: Path) -> Score:
    """Both answers."""
    return Score(
        fault=fault,
        answer=await answer(fault, folder / "sick", sick=True),
        twin=await answer(fault, folder / "twin", sick=False),
    )


def rates(scores: Sequence[Score]) -> dict[str, float]:
    """Shares over all of them."""
    count = len(scores)

    def share(most: int, *, with_cause: bool = False) -> float:
        places = [each.place(with_cause=with_cause) for each in scores]
        return round(sum(place is not None and place <= most for place in places) / count, 3)

    return {
        "cases": count,
        "object_a1": share(1),
        "object_a3": share(3),
        "object_cause_a1": share(1, with_cause=True),
        "object_cause_a3": share(3, with_cause=True),
        "twins_alarmed": round(sum(bool(each.false_alarms) for each in scores) / count, 3),
        "twins_accused": round(sum(bool(each.twin["hypotheses"]) for each in scores) / count, 3),
        "twins_well": round(sum(each.twin["verdict"] in WELL for each in scores) / count, 3),
        "most_confirmed": max(each.confirmed for each in scores),
        "contradicted": sum(each.contradicted for each in scores),
    }


async def _all(words: Sequence[str]) -> list[Score]:
    found: list[Score] = []
    for fault in every_fault():
        if all(word in f"{fault.area} {fault.name}" for word in words):
            with tempfile.TemporaryDirectory() as folder:
                found.append(await score(fault, Path(folder)))
    return found


def main(words: Sequence[str]) -> None:
    """Tells what went wrong, then the rates."""
    scores = asyncio.run(_all(words))
    for each in scores:
        sys.stdout.write("".join(f"{line}\n" for line in _lines(each, everything=bool(words))))
    sys.stdout.write(f"{rates(scores)}\n")


def _lines(each: Score, *, everything: bool) -> Iterator[str]:
    fault, twin = each.fault, [f"{one['cause']} {one['entity']}" for one in each.twin["hypotheses"]]
    first, both = each.place(), each.place(with_cause=True)
    if (first, both) == (1, 1) and not each.false_alarms and not twin and not everything:
        return
    wanted = f"wanted {fault.causes[0]} {fault.entities[0]}"
    yield f"{fault.area}.{fault.name}: object {first}, cause {both}; {wanted}"
    for one in each.answer["hypotheses"][:4]:
        yield f"    {one['score']} {one['confidence']} {one['cause']} {one['entity']}"
    if each.false_alarms or twin:
        yield f"  twin {each.twin['verdict']}: critical {each.false_alarms}, hypotheses {twin}"


if __name__ == "__main__":
    main(sys.argv[1:])
