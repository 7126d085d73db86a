"""The Web API over HTTP: arguments, tokens, scopes, limits and faults, then the method."""

import asyncio
import json
import logging

from aiohttp import web

from bot.workspace.method import Method
from bot.workspace.methods import load
from bot.workspace.payloads import Json, as_object
from bot.workspace.refusals import WORLD, Refused
from bot.workspace.team import Call, Team

logger = logging.getLogger(__name__)


class Api:
    """Answers `POST /api/{method}`."""

    def __init__(self, team: Team) -> None:
        self._team = team
        self._methods = load()

    async def serve(self, request: web.Request) -> web.Response:
        name = request.match_info["method"]
        args = await _arguments(request)
        token = _token(request, args)
        fault = self._team.faults.take(name)
        if fault:
            await asyncio.sleep(fault.delay_s)
        if fault and fault.status:
            answer: Json = {"ok": False, "error": "ratelimited" if fault.status == 429 else "internal_error"}
            return self._answered(name, args, answer, fault.status, fault.retry_after_s)
        if fault and fault.error:
            return self._answered(name, args, {"ok": False, "error": fault.error}, 200, 0)
        try:
            result = self._run(name, token, args)
        except Refused as refusal:
            return self._refused(name, args, refusal)
        return self._answered(name, args, {"ok": True, **result}, 200, 0)

    def _run(self, name: str, token: str, args: Json) -> Json:
        method = self._methods.get(name)
        if method is None:
            raise Refused("unknown_method", req_method=name)
        self._authorize(method, token)
        self._team.tiers.count(name, method.tier, now_s=self._team.clock.seconds())
        try:
            return method.run(self._team, args)
        except ValueError as error:
            # A number that is no number in the arguments; Slack says no more than this either.
            raise Refused("invalid_arguments", problems=[str(error)]) from error

    def _authorize(self, method: Method, token: str) -> None:
        team = self._team
        if not token:
            raise Refused("not_authed")
        if token not in {team.bot_token, team.app_token}:
            raise Refused("invalid_auth")
        if (token == team.app_token) != method.is_app_level:
            raise Refused("not_allowed_token_type")
        if not team.is_installed:
            raise Refused("token_revoked")
        if method.scopes and not team.manifest.scopes & set(method.scopes):
            provided = ",".join(sorted(team.manifest.scopes))
            raise Refused("missing_scope", needed=",".join(method.scopes), provided=provided)

    def _refused(self, name: str, args: Json, refusal: Refused) -> web.Response:
        if refusal.code not in WORLD:
            for problem in refusal.problems or [""]:
                self._team.broke(name, f"{refusal.code} {problem}".strip())
        answer: Json = {"ok": False, "error": refusal.code, **refusal.details}
        retry_after_s = int(answer.pop("retry_after", 0))
        if refusal.problems:
            answer["response_metadata"] = {"messages": [f"[ERROR] {one}" for one in refusal.problems]}
            answer["errors"] = refusal.problems
        return self._answered(name, args, answer, 429 if refusal.code == "ratelimited" else 200, retry_after_s)

    def _answered(self, name: str, args: Json, answer: Json, status: int, retry_after_s: int) -> web.Response:
        call = Call(at=self._team.clock.now(), method=name, body=args, answer=answer, status=status)
        self._team.calls.append(call)
        self._team.changes.bump()
        headers = {"Retry-After": str(retry_after_s)} if status == 429 else None
        return web.json_response(answer, status=status, headers=headers)


async def _arguments(request: web.Request) -> Json:
    """Query, form and JSON alike; slack-sdk announces JSON and sends nothing when a call has no arguments."""
    args: Json = dict(request.query)
    if request.content_type == "application/json":
        body = await request.text()
        try:
            args |= as_object(json.loads(body)) if body.strip() else {}
        except ValueError:
            logger.info("a call had a body that is no JSON", extra={"path": request.path})
    else:
        args |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    return {name: value for name, value in args.items() if value is not None}


def _token(request: web.Request, args: Json) -> str:
    in_arguments = str(args.pop("token", ""))
    return request.headers.get("Authorization", "").removeprefix("Bearer ").strip() or in_arguments
