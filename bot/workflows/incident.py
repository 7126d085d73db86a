"""An incident's life, deterministic: thread, investigations one after another, refreshes, follow-ups, quiet, end.

Only ids and counts pass through here; the activities read and write the store.
"""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.exceptions import TimeoutError as TimedOut

with workflow.unsafe.imports_passed_through():
    from bot.workflows.messages import PROPOSALS_QUEUE, Looked, Start, Wants, Work

REFRESH_EVERY_S = 3
"""Slack takes an update of a message about this often."""
LAST_WORDS_S = 10
"""How long the progress may take to end before the conclusion is said without waiting for it."""
_SEEN_KEPT = 500

_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=0.5),
    maximum_interval=timedelta(seconds=15),
    non_retryable_error_types=["Refused"],
)
_BEAT = timedelta(seconds=10)
_DAY = timedelta(hours=24)
_ASK = timedelta(minutes=1)
GRANTED = "executing"
"""The state of a request for credentials that was approved and lasts."""
NOT_ASKED = "policy lets nobody approve it"
NOBODY_ASKED = "nobody could be asked: the gateway did not answer"
LATE = "nobody decided in time"


@workflow.defn(name="Incident")
class IncidentWorkflow:
    """One incident; the workflow's id is the incident's."""

    @workflow.init
    def __init__(self, start: Start) -> None:
        self._start = start
        self._queue = list(start.queue)
        self._seen = list(start.seen)
        self._investigated = start.investigated
        self._rechecked = start.rechecked
        self._firing = start.firing
        self._news = not start.is_open
        self._busy = False
        self._stopped = ""
        self._running = ""
        self._active = 0
        self._over = False
        self._decisions: dict[str, str] = {}
        self._asked = ""
        """The request for credentials of the running session."""

    @workflow.signal
    def decided(self, request_id: str, state: str) -> None:
        """A request for approval of this incident was decided, or is over."""
        self._decisions[request_id] = state

    @workflow.signal
    def alerts_changed(self) -> None:
        """The store has news about the incident's alerts."""
        self._news = True
        self._active += 1

    @workflow.signal
    def ask(self, session_id: str) -> None:
        """A question waits in the store; the same one again is ignored."""
        self._active += 1
        if session_id not in self._seen:
            self._seen = [*self._seen[1 - _SEEN_KEPT :], session_id]
            self._queue.append(session_id)

    @workflow.signal
    def stop(self, by: str) -> None:
        """Someone (a Slack user's id or a principal) wants the running investigation to end."""
        if self._running:
            self._stopped = by

    @workflow.signal
    async def resolved_by(self, by: str) -> None:
        """Someone says that it is over."""
        await self._do("resolve", Work(incident_id=self._start.incident_id, reason=by))
        self._news = True
        self._active += 1

    @workflow.run
    async def run(self, start: Start) -> None:
        """From the first alert or question to the end of the quiet time."""
        await self._open(start)
        fresh = asyncio.create_task(self._keep_fresh())
        while await self._has_more():
            if self._queue:
                await self._serve(self._queue.pop(0))
            if self._is_long():
                fresh.cancel()
                self._go_on_in_a_new_run()
        fresh.cancel()
        # Not in a `finally`: an instance that its worker drops is closed outside of its loop.
        await workflow.wait_condition(workflow.all_handlers_finished)

    async def _has_more(self) -> bool:
        """Waits for work; `False` when the incident was closed after its quiet time."""
        while True:
            if self._queue or self._is_long():
                return True
            before = self._active
            quiet = self._start.firing_quiet_s if self._firing else self._start.quiet_s
            try:
                # Any news begins the quiet time anew.
                await workflow.wait_condition(
                    lambda before=before: bool(self._queue) or self._active != before or self._is_long(),
                    timeout=timedelta(seconds=quiet),
                )
            except TimeoutError:
                await self._do("close", Work(incident_id=self._start.incident_id))
                if not (self._queue or self._news or self._active != before):
                    return False
                # An alert came while it closed: it stays the same incident.
                await self._do("reopen", Work(incident_id=self._start.incident_id))

    async def _open(self, start: Start) -> None:
        if start.is_open:
            return
        self._news = False
        try:
            self._saw(await self._look("open"))
        except ActivityError:
            # A person must act (the channel is gone, Locum was not invited); the answer can be read through HTTP.
            workflow.logger.warning("no thread for the incident")
            self._news = True

    async def _keep_fresh(self) -> None:
        while True:
            await workflow.wait_condition(lambda: self._news)
            self._news, self._busy = False, True
            try:
                self._saw(await self._look("refresh"))
            except ActivityError:
                workflow.logger.warning("the first message cannot be redrawn")
            if self._over:
                # What rests on alerts that are over must not be approved any more.
                self._over = False
                await self._propose("withdraw", self._about("", reason="the alert is resolved"))
            self._busy = False
            await workflow.sleep(REFRESH_EVERY_S)

    def _saw(self, looked: Looked) -> None:
        self._firing = looked.firing
        if looked.firing and (not self._investigated or self._rechecked):
            self._investigated, self._rechecked = True, False
            self._queue.append(self._new_session())
        elif looked.total and not looked.firing and self._investigated and not self._rechecked:
            self._rechecked = True
            self._queue.append(self._new_session())
            self._over = True

    def _new_session(self) -> str:
        return f"ses_{workflow.uuid4().hex[:16]}"

    async def _serve(self, session_id: str) -> None:
        self._running, self._stopped = session_id, ""
        task = asyncio.create_task(self._investigate(session_id))
        await workflow.wait_condition(lambda: task.done() or bool(self._stopped))
        reason = ""
        if not task.done():
            task.cancel()
            reason = f"stopped by {self._stopped}"
        try:
            await task
        except asyncio.CancelledError:
            if not self._stopped:
                raise
        except ActivityError as error:
            # What was stopped ends with an error too.
            reason = reason or _why(error)
        self._running = ""
        if reason:
            await self._try("apologise", self._about(session_id, reason=reason))
        self._active += 1

    async def _investigate(self, session_id: str) -> None:
        about = self._about(session_id)
        await self._do("begin", about)
        telling = asyncio.create_task(self._try("narrate", about, minutes=30))
        try:
            names = await self._route(about)
            try:
                await self._ask_for_credentials(about)
                await asyncio.gather(*(self._specialist(session_id, name) for name in names))
            except (ActivityError, asyncio.CancelledError):
                await self._release()
                raise
            await self._release()
            await self._do("conclude", about, minutes=10)
            # The answer is there: to stop now would say that there is none.
            self._running = ""
            # The stream's last words come before the conclusion, unless they are late.
            await workflow.wait([telling], timeout=LAST_WORDS_S)
            await self._do("publish", about)
            await self._propose("propose", about)
        finally:
            telling.cancel()

    async def _ask_for_credentials(self, about: Work) -> None:
        """Waits until people let this session read with what it wants, or until it is clear that they do not."""
        if not self._start.has_approvals:
            return
        wants = await self._wants(about)
        if not wants.purposes:
            return
        try:
            self._asked = await workflow.execute_activity(
                "ask_credentials", wants, result_type=str, task_queue=PROPOSALS_QUEUE, retry_policy=_RETRY,
                start_to_close_timeout=_ASK, schedule_to_close_timeout=_ASK * 2, heartbeat_timeout=_BEAT,
            )  # fmt: skip
            state = NOT_ASKED
        except ActivityError:
            if self._stopped:
                raise
            state = NOBODY_ASKED
        if self._asked:
            state = await self._decision(about, timedelta(minutes=wants.wait))
        if state == GRANTED:
            await self._do("granted", self._about(about.session_id, grant=self._asked))
            return
        # Before it goes on: from now on an approval would be for nothing.
        await self._release()
        await self._do("granted", self._about(about.session_id, reason=state))

    async def _decision(self, about: Work, wait: timedelta) -> str:
        """The state of the request once people decided."""
        await self._do("paused", self._about(about.session_id, reason=self._asked))
        try:
            await workflow.wait_condition(lambda: self._asked in self._decisions, timeout=wait)
        except TimeoutError:
            return LATE
        return self._decisions[self._asked]

    async def _release(self) -> None:
        request_id, self._asked = self._asked, ""
        if request_id:
            await self._propose("release", request_id)

    async def _wants(self, about: Work) -> Wants:
        return await workflow.execute_activity(
            "wants", about, result_type=Wants, retry_policy=_RETRY,
            start_to_close_timeout=timedelta(minutes=1), schedule_to_close_timeout=_DAY, heartbeat_timeout=_BEAT,
        )  # fmt: skip

    async def _propose(self, name: str, about: Work | str) -> None:
        """Asks the gateway; the investigation is whole without it."""
        if not self._start.has_approvals:
            return
        try:
            await workflow.execute_activity(
                name, about, task_queue=PROPOSALS_QUEUE, retry_policy=_RETRY, heartbeat_timeout=_BEAT,
                start_to_close_timeout=_ASK, schedule_to_close_timeout=timedelta(minutes=10),
            )  # fmt: skip
        except ActivityError:
            workflow.logger.warning("the gateway did not answer", extra={"activity": name})

    async def _specialist(self, session_id: str, name: str) -> None:
        about = self._about(session_id, specialist=name)
        try:
            await self._do("specialist", about, minutes=10, within=timedelta(minutes=20))
        except ActivityError as error:
            if isinstance(error.cause, asyncio.CancelledError) or self._stopped:
                raise
            await self._do("give_up", self._about(session_id, specialist=name, reason=_why(error)))

    def _about(self, session_id: str, *, specialist: str = "", reason: str = "", grant: str = "") -> Work:
        return Work(
            incident_id=self._start.incident_id,
            session_id=session_id,
            specialist=specialist,
            reason=reason,
            grant=grant,
        )

    async def _look(self, name: str) -> Looked:
        return await workflow.execute_activity(
            name, Work(incident_id=self._start.incident_id), result_type=Looked, retry_policy=_RETRY,
            start_to_close_timeout=timedelta(minutes=2), schedule_to_close_timeout=_DAY, heartbeat_timeout=_BEAT,
        )  # fmt: skip

    async def _route(self, about: Work) -> list[str]:
        return await workflow.execute_activity(
            "route", about, result_type=list[str], retry_policy=_RETRY,
            start_to_close_timeout=timedelta(minutes=5), schedule_to_close_timeout=_DAY, heartbeat_timeout=_BEAT,
        )  # fmt: skip

    async def _do(self, name: str, about: Work, *, minutes: int = 2, within: timedelta = _DAY) -> None:
        await workflow.execute_activity(
            name, about, retry_policy=_RETRY, start_to_close_timeout=timedelta(minutes=minutes),
            schedule_to_close_timeout=within, heartbeat_timeout=_BEAT,
        )  # fmt: skip

    async def _try(self, name: str, about: Work, *, minutes: int = 2) -> None:
        try:
            await self._do(name, about, minutes=minutes)
        except ActivityError:
            if not self._stopped:
                workflow.logger.warning("could not be told", extra={"activity": name})

    def _is_long(self) -> bool:
        info = workflow.info()
        too_long = info.get_current_history_length() > self._start.long_history or info.is_continue_as_new_suggested()
        # What a handler still does would be news to this run, and be lost to the next.
        return too_long and not (self._busy or self._news) and workflow.all_handlers_finished()

    def _go_on_in_a_new_run(self) -> None:
        workflow.continue_as_new(
            Start(
                incident_id=self._start.incident_id,
                quiet_s=self._start.quiet_s,
                firing_quiet_s=self._start.firing_quiet_s,
                long_history=self._start.long_history,
                has_approvals=self._start.has_approvals,
                is_open=True,
                firing=self._firing,
                queue=tuple(self._queue),
                seen=tuple(self._seen),
                investigated=self._investigated,
                rechecked=self._rechecked,
            )
        )


def _why(error: ActivityError) -> str:
    if isinstance(error.cause, TimedOut):
        return "it took too long"
    if isinstance(error.cause, ApplicationError):
        return f"it failed ({error.cause.type or 'error'})"
    return "it failed"
