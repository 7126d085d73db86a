"""The desk where people and programs ask: questions go to the store, then to the incident's workflow."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

from whenever import Instant

from agents.case import SessionId
from agents.finding import Finding
from agents.grouping import GroupKey, incident_id
from agents.progress import Event, Phase, PhaseBegan, to_json
from agents.report import Report
from bot.desk import DeskClosed, SessionStatus, Ticket
from bot.incident import Incident, IncidentId, IncidentStatus, Place, Question
from bot.stores.connection import StoreError
from bot.stores.incidents import Incidents
from bot.stores.sessions import Session, Sessions
from bot.workflows.service import Workflows, WorkflowsAway
from tools.redaction import redact

_TITLE = 120


class TemporalDesk:
    """Implements `bot.desk.Desk`."""

    def __init__(self, *, incidents: Incidents, sessions: Sessions, workflows: Workflows) -> None:
        self._incidents = incidents
        self._sessions = sessions
        self._workflows = workflows

    async def ask(self, question: Question) -> Ticket:
        """See `Desk.ask`."""
        session_id = SessionId("ses_" + hashlib.sha256(question.key.encode()).hexdigest()[:16])
        try:
            known = await self._sessions.get(session_id)
            target = known.incident_id if known else await self._incident(question)
            session = Session(id=session_id, incident_id=target, question=question, asked_at=Instant.now())
            is_new = await self._sessions.open(session)
            # Also for a request that was taken before: whoever took it may have been killed between these two lines.
            await self._workflows.ask(target, session_id)
        except (StoreError, WorkflowsAway) as error:
            raise DeskClosed(str(error)) from error
        return Ticket(session_id=session_id, incident_id=target, is_new=is_new)

    async def status(self, session_id: SessionId) -> SessionStatus | None:
        """See `Desk.status`."""
        try:
            status = await self._sessions.status(session_id)
            if not status:
                return None
            told = await self._sessions.told(session_id)
            reports = await self._sessions.reports(session_id)
            names = await self._sessions.specialists(session_id)
            diagnosis = await self._sessions.diagnosis(session_id)
        except StoreError as error:
            raise DeskClosed(str(error)) from error
        phase = next((each.phase for each in reversed(told) if isinstance(each, PhaseBegan)), None)
        return SessionStatus(
            session_id=session_id,
            status=status,
            phase=str(phase or ""),
            progress=1.0 if status in ("done", "failed") else _progress(phase, len(reports), len(names)),
            findings=_findings(diagnosis.findings if diagnosis else _all(reports)),
            diagnosis=diagnosis.to_json() if diagnosis else None,
        )

    async def events(self, session_id: SessionId, *, after: str = "0") -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """See `Desk.events`."""
        event: Event
        async for cursor, event in self._sessions.events(session_id, after=after):
            yield cursor, to_json(event)

    async def _incident(self, question: Question) -> IncidentId:
        place = question.place
        if place and place.thread_ts:
            known = await self._incidents.of_thread(place.channel, place.thread_ts)
            if known:
                return known
        made = Incident(
            id=IncidentId(incident_id(GroupKey(f"question|{question.key}"), "")),
            title=redact(question.text)[:_TITLE],
            status=IncidentStatus.OPEN,
            opened_at=Instant.now(),
            place=place or Place(channel=""),
            question=question,
        )
        await self._incidents.open(made)
        return made.id


def _progress(phase: Phase | None, reported: int, asked: int) -> float:
    match phase:
        case Phase.ROUTING:
            return 0.05
        case Phase.WAITING:
            return 0.1
        case Phase.LOOKING:
            return round(0.1 + 0.75 * (min(reported, asked) / asked if asked else 0), 2)
        case Phase.CONCLUDING:
            return 0.9
        case Phase.DONE:
            return 1.0
        case None:
            return 0.0


def _all(reports: tuple[Report, ...]) -> tuple[Finding, ...]:
    return tuple({finding.id: finding for report in reports for finding in report.findings}.values())


def _findings(findings: tuple[Finding, ...]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "id": each.id,
            "cause": each.cause,
            "entity": str(each.entity),
            "severity": str(each.severity),
            "summary": each.summary,
            "evidence": [evidence.id for evidence in each.evidence],
        }
        for each in findings
    )
