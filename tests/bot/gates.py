"""A strict gate in memory: real ballots over real facts from Slack, without workflow and store."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from whenever import Instant

from approvals.ballot import Answer, Ballot, Principal, Stranger, Voter
from approvals.people import Account, DirectoryUnavailable
from approvals.request import RequestId
from bot.gate import Click, GateClosed, View
from bot.slack.directory import Directory
from bot.workflows.ports import Cards

GROUP = "S0SREONCALL"


@dataclass
class MemoryGate:
    """Counts clicks as the real one does; hand the same `views` and `answers` to the next process."""

    directory: Directory
    cards: Cards
    views: dict[str, View] = field(default_factory=dict[str, View])
    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    clicks: list[Click] = field(default_factory=list[Click])
    is_closed: bool = False
    is_broken: bool = False
    """In a way that nobody foresaw."""
    delay_s: float = 0
    view_delay_s: float = 0

    async def ask(self, view: View) -> None:
        """Row before card."""
        self.views[view.request.id] = view
        await self.cards.draw(view)

    async def vote(self, click: Click) -> Answer:
        self.clicks.append(click)
        assert re.fullmatch("[0-9a-f]{64}", click.key)
        assert click.via == "slack"
        await asyncio.sleep(self.delay_s)
        self._open()
        if click.key not in self.answers:
            self.answers[click.key] = await self._count(click)
        return self.answers[click.key]

    async def view(self, request_id: RequestId) -> View | None:
        await asyncio.sleep(self.view_delay_s)
        self._open()
        return self.views.get(request_id)

    async def open_requests(self, session_id: str) -> Sequence[View]:
        raise NotImplementedError(session_id)

    async def turn(self, request_id: str, **changes: object) -> None:
        """What the workflow does by itself: a new state, stored and then drawn."""
        self.views[request_id] = replace(self.views[request_id], **changes)  # pyright: ignore[reportArgumentType]
        await self.cards.draw(self.views[request_id])

    def _open(self) -> None:
        if self.is_closed:
            raise GateClosed("the store is away")
        if self.is_broken:
            raise RuntimeError("secret innards")

    async def _count(self, click: Click) -> Answer:
        voter = await self._voter(click.account)
        view = self.views[click.request_id]
        ballot = Ballot(
            terms=view.request.terms, items=len(view.request.items), state=view.state, votes=view.votes, why=view.why
        )
        ballot, answer = ballot.cast(
            voter, click.choice, account=click.account, now=Instant.now(), hindrance=view.frozen, reason=click.reason
        )
        if ballot.state is not view.state or ballot.votes != view.votes:
            await self.turn(view.request.id, state=ballot.state, votes=ballot.votes, why=ballot.why)
        return answer

    async def _voter(self, user: str) -> Voter | Stranger:
        try:
            account = await self.directory.account(user)
            members = await self.directory.members(GROUP)
        except DirectoryUnavailable:
            return Stranger(why="who you are could not be checked: click again")
        if why := _strange(account):
            return Stranger(why=why)
        groups = frozenset({"sre-oncall"}) if user in members else frozenset[str]()
        return Voter(principal=Principal(account.email), groups=groups, known_at=account.known_at)


def _strange(account: Account) -> str:
    facts = (
        (account.is_bot, "a bot decides nothing"),
        (account.is_deactivated, "this account is deactivated"),
        (account.is_guest, "guests decide nothing here"),
        (account.is_foreign, "people of other companies decide nothing here"),
        (not account.email, "this account has no confirmed address"),
    )
    return next((why for holds, why in facts if holds), "")
