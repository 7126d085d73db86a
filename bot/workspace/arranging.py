"""Setting the scene: people, channels, time, and what goes wrong."""

import asyncio
import contextlib
from collections.abc import Callable

from aiohttp import web

from bot.workspace.delivery import Delivery
from bot.workspace.faults import Fault
from bot.workspace.payloads import Json
from bot.workspace.people import TEAM_ID
from bot.workspace.refusals import NotPossible
from bot.workspace.signed import SignedHttp
from bot.workspace.sockets import Sockets
from bot.workspace.team import APP_ID, Team

GRACE_S = 0.25
POLL_S = 0.02


class Arranging:
    """The verbs of whoever runs the workspace."""

    def __init__(self, team: Team) -> None:
        self._team = team
        self._sockets = Sockets(APP_ID, team.changes)
        team.open_socket = self._new_socket
        team.deliveries.transport = self._sockets

    # Who and where.

    def add_person(self, name: str, *, is_guest: bool = False, is_grid: bool = False, team_id: str = TEAM_ID) -> Json:
        """A new person; with another `team_id`, somebody of another company."""
        person = self._team.people.add(name, is_guest=is_guest, is_grid=is_grid, team_id=team_id)
        return person.to_user(with_email=True)

    def change_person(
        self,
        name: str,
        *,
        email: str = "",
        enterprise_id: str = "",
        is_guest: bool | None = None,
        is_deactivated: bool | None = None,
        is_email_confirmed: bool | None = None,
    ) -> Json:
        """What an administrator changes about somebody; what is not named stays."""
        person = self._team.people.get(name)
        person.email = email or person.email
        person.enterprise_id = enterprise_id or person.enterprise_id
        person.is_guest = person.is_guest if is_guest is None else is_guest
        person.is_deleted = person.is_deleted if is_deactivated is None else is_deactivated
        is_confirmed = person.is_email_confirmed if is_email_confirmed is None else is_email_confirmed
        person.is_email_confirmed = is_confirmed
        self._team.changes.bump()
        return person.to_user(with_email=True)

    def add_group(self, group_id: str, members: list[str]) -> None:
        """A user group with exactly these members; again, and its members change."""
        self._team.people.groups[group_id] = [self._team.people.get(one).id for one in members]

    def create_channel(self, name: str, *, is_private: bool = False, members: list[str] | None = None) -> Json:
        """A new channel; everybody is in it unless `members` says who. The app is invited separately."""
        everybody = [one.id for one in self._team.people.by_id.values() if not one.is_bot and not one.is_guest]
        ids = everybody if members is None else [self._team.people.get(one).id for one in members]
        created = int(self._team.clock.seconds())
        channel = self._team.conversations.create(name, created=created, is_private=is_private, members=ids)
        self._team.changes.bump()
        return channel.to_channel(viewer=self._team.bot.id)

    def invite(self, channel: str, who: str) -> None:
        """Invite a person or the app."""
        self._team.conversations.get(channel).members.add(self._team.people.get(who).id)
        self._team.changes.bump()

    def remove(self, channel: str, who: str) -> None:
        """Remove a person or the app."""
        self._team.conversations.get(channel).members.discard(self._team.people.get(who).id)
        self._team.changes.bump()

    def archive(self, channel: str) -> None:
        self._team.conversations.get(channel).is_archived = True
        self._team.changes.bump()

    def share(self, channel: str) -> None:
        """Share a channel with another company."""
        self._team.conversations.get(channel).is_shared = True
        self._team.changes.bump()

    # Time.

    async def advance(self, seconds: float) -> None:
        """Jump ahead in time. Acks on their way get a moment to arrive, so that the jump does not make them late."""
        await self._team.deliveries.settle(GRACE_S)
        self._team.clock.advance(seconds)
        self._team.changes.bump()
        await asyncio.sleep(0)

    def scale(self, factor: float) -> None:
        """Let time run `factor` times as fast; the 3 seconds for an ack pass as fast, too."""
        self._team.clock.scale(factor)

    # Faults.

    def fail(
        self,
        method: str,
        *,
        times: int = 1,
        error: str = "",
        status: int = 0,
        retry_after_s: int = 1,
        delay_s: float = 0,
    ) -> None:
        """Make the next `times` calls of a method (`*`: of any) answer with an error or a status, or come late."""
        if not error and not status and not delay_s:
            raise NotPossible("say what goes wrong: error, status or delay_s")
        fault = Fault(
            method=method, times=times, error=error, status=status, retry_after_s=retry_after_s, delay_s=delay_s
        )
        self._team.faults.calls.append(fault)

    def drop_acks(self, times: int = 1) -> None:
        """Lose the next acks on their way."""
        self._team.faults.acks_to_drop += times

    def duplicate(self, times: int = 1) -> None:
        """Send the next events twice."""
        self._team.faults.duplicates += times

    def redeliver(self, name: str) -> None:
        """Send the latest event of this type once more, with the same event id."""
        events = [one for one in self._team.deliveries.all if one.name == name]
        if not events:
            raise LookupError(f"no {name!r} was delivered")
        self._team.deliveries.again(events[-1])

    async def disconnect(self, *, is_abrupt: bool = False) -> None:
        """Ask the app's sockets to reconnect, as Slack does; or cut them."""
        await (self._sockets.cut() if is_abrupt else self._sockets.disconnect())

    def skew(self, seconds: float) -> None:
        """Let the timestamps in signatures be off."""
        self._team.faults.skew_s = seconds

    # The way to the app.

    async def call_back(self, url: str) -> None:
        """Deliver over signed HTTP to this request URL instead of Socket Mode; the URL must answer the challenge."""
        transport = SignedHttp(url, signing_secret=self._team.signing_secret, faults=self._team.faults)
        await transport.verify()
        self._team.open_socket, self._team.deliveries.transport = None, transport

    @property
    def sockets(self) -> int:
        """How many sockets the app has open."""
        return len(self._sockets.open)

    async def connected(self, sockets: int = 1, *, timeout_s: float = 10) -> None:
        """Wait until the app has this many sockets."""
        await self.until(lambda: self.sockets >= sockets, timeout_s=timeout_s)

    async def settled(self, timeout_s: float = 5) -> None:
        """Wait until the app acked everything that was sent to it."""
        if not await self._team.deliveries.settle(timeout_s):
            raise TimeoutError(f"not everything was acked within {timeout_s} s")

    async def until(self, holds: Callable[[], object], *, timeout_s: float = 5) -> None:
        """Wait, in real time, until `holds()` is true."""
        async with asyncio.timeout(timeout_s):
            while not holds():
                # What `holds` looks at may be the test's own, which changes without a change here.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._team.changes.after(self._team.changes.version)

    def deliveries(self, name: str = "") -> list[Delivery]:
        """Everything sent to the app: every try, when it was made and when it was acked."""
        return [one for one in self._team.deliveries.all if not name or one.name == name]

    async def serve_socket(self, request: web.Request) -> web.StreamResponse:
        return await self._sockets.serve(request)

    async def end(self) -> None:
        """Stop delivering and let the sockets go."""
        await self._team.deliveries.close()
        await self._sockets.close()

    def _new_socket(self) -> str:
        return f"{self._team.base_url.replace('http', 'ws', 1)}/socket?ticket={self._sockets.ticket()}"
