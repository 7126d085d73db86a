"""The two permits that an interaction gives the app: a trigger_id to open a modal, a response_url to answer."""

import secrets
from dataclasses import dataclass

from bot.workspace.refusals import Refused

TRIGGER_LIFE_S = 3
RESPONSE_LIFE_S = 30 * 60
RESPONSE_USES = 5


@dataclass(slots=True, kw_only=True)
class Trigger:
    """The right to open one modal for one person, for 3 seconds."""

    id: str
    user: str
    issued_s: float
    is_used: bool = False


@dataclass(slots=True, kw_only=True)
class Response:
    """The right to answer one interaction, five times in 30 minutes."""

    token: str
    user: str
    channel: str
    issued_s: float
    thread_ts: str = ""
    message_ts: str = ""
    """The message that was clicked: what `replace_original` and `delete_original` mean."""
    is_ephemeral: bool = False
    uses: int = 0


class Triggers:
    """Every permit handed out."""

    def __init__(self) -> None:
        self._triggers: dict[str, Trigger] = {}
        self._responses: dict[str, Response] = {}

    def issue(self, user: str, *, now_s: float) -> str:
        trigger = Trigger(id=f"{secrets.randbelow(10**12)}.{secrets.token_hex(16)}", user=user, issued_s=now_s)
        self._triggers[trigger.id] = trigger
        return trigger.id

    def redeem(self, trigger_id: str, *, now_s: float) -> str:
        """Whose modal may be opened; refused when late or used."""
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise Refused("invalid_trigger_id")
        if trigger.is_used:
            raise Refused("exchanged_trigger_id")
        if now_s - trigger.issued_s > TRIGGER_LIFE_S:
            raise Refused(
                "expired_trigger_id", problems=[f"{now_s - trigger.issued_s:.1f} s old, lives {TRIGGER_LIFE_S} s"]
            )
        trigger.is_used = True
        return trigger.user

    def allow(self, response: Response) -> None:
        self._responses[response.token] = response

    def use(self, token: str, *, now_s: float) -> Response:
        """Count one use of a response_url; refused when spent or over."""
        response = self._responses.get(token)
        if response is None:
            raise Refused("invalid_url")
        if now_s - response.issued_s > RESPONSE_LIFE_S:
            raise Refused("expired_url")
        if response.uses >= RESPONSE_USES:
            raise Refused("used_url")
        response.uses += 1
        return response
