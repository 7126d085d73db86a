"""Any history of one request's changes, against a small model: only legal edges, and entries that tell the same."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from approvals.audit import Intact, Kind, verify
from approvals.ballot import EDGES, State
from bot.stores.ledger.errors import Conflict
from bot.stores.ledger.ledger import Ledger, open_ledger
from bot.stores.ledger.rows import PROPOSED, REFUSED
from tests.ledger.scenes import draft, row

STATES = [PROPOSED, REFUSED, *(str(state) for state in State)]
EARLY_ENDS = {REFUSED, "denied", "expired", "cancelled", "failed"}


def may(state: str, after: str) -> bool:
    """Said once more, in other words than the ledger's own."""
    if state == PROPOSED:
        return after in EARLY_ENDS | {PROPOSED, "pending"}
    if state == REFUSED or State(state).is_terminal:
        return False
    return after == state or after in {str(each) for each in EDGES[State(state)]}


class OneRequest(RuleBasedStateMachine):
    """A request, two doors to its ledger, and what it must be like."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.folder = tempfile.TemporaryDirectory(prefix="locum-ledger-")

    @initialize()
    def open(self) -> None:
        url = f"sqlite:///{Path(self.folder.name) / 'ledger.db'}"

        async def opened() -> tuple[Ledger, Ledger]:
            one = await self.stack.enter_async_context(open_ledger(url))
            two = await self.stack.enter_async_context(open_ledger(url))
            await one.open_request(row(), draft(Kind.PROPOSED))
            return one, two

        self.doors = self.runner.run(opened())
        self.state, self.digest, self.claimed = PROPOSED, "d1", False
        self.version: int = 1
        self.told = [Kind.PROPOSED]

    @rule(door=st.booleans(), expected=st.sampled_from(STATES), after=st.sampled_from(STATES),
          digest=st.none() | st.sampled_from(["d1", "d2"]))  # fmt: skip
    def save(self, door: bool, expected: str, after: str, digest: str | None) -> None:
        self.move(door, expected, after, digest)

    @rule(door=st.booleans(), after=st.sampled_from(STATES))
    def save_from_here(self, door: bool, after: str) -> None:
        self.move(door, self.state, after, None)

    def move(self, door: bool, expected: str, after: str, digest: str | None) -> None:
        is_legal = expected == self.state and may(self.state, after) and (digest is None or self.state == PROPOSED)
        call = self.doors[door].save_request(
            "r1", draft(Kind.DECIDED), expected_state=expected, state=after, digest=digest
        )
        try:
            saved = self.runner.run(call)
        except Conflict:
            assert not is_legal
            return
        assert is_legal
        assert saved.version == self.version + 1
        self.state, self.digest, self.version = after, digest or self.digest, saved.version
        self.told.append(Kind.DECIDED)

    @rule(door=st.booleans(), digest=st.sampled_from(["d1", "d2"]))
    def claim(self, door: bool, digest: str) -> None:
        is_runnable = self.state in ("approved", "executing") and digest == self.digest
        try:
            took = self.runner.run(self.doors[door].claim("r1", digest, "runner-1", draft(Kind.STARTED)))
        except Conflict:
            assert not self.claimed
            assert not is_runnable
            return
        assert took == (is_runnable and not self.claimed)
        if took:
            self.claimed = True
            self.told.append(Kind.STARTED)

    @invariant()
    def everyone_sees_the_same(self) -> None:
        if not hasattr(self, "doors"):
            return
        for door in self.doors:
            seen = self.runner.run(door.request("r1"))
            assert seen
            assert (seen.state, seen.digest, seen.version) == (self.state, self.digest, self.version)
        entries = self.runner.run(self.doors[0].entries())
        assert [entry.kind for entry in entries] == self.told
        assert isinstance(verify(entries, []), Intact)

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()


OneRequest.TestCase.settings = settings(max_examples=25, stateful_step_count=16, deadline=None)


class TestA13AnyHistoryOfOneRequest(OneRequest.TestCase):  # pyright: ignore[reportUntypedBaseClass]
    """Runs it."""
