"""What waits for a decision, as programs read it."""

from collections.abc import Sequence
from typing import Any

from bot.gate import View


def waiting_requests(waiting: Sequence[View]) -> list[dict[str, Any]]:
    """What waits for a decision, as `GET /status` shows it."""
    return [
        {
            "request_id": each.request.id,
            "actions": [item.action.sentence for item in each.request.items],
            "digest": each.request.digest,
            "expires_at": str(each.request.terms.expires_at),
        }
        for each in waiting
    ]
