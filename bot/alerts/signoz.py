"""SigNoz, which sends as Alertmanager does.

https://signoz.io/docs/alerts-management/notification-channel/webhook/
"""

from collections.abc import Mapping
from typing import Any

from bot.alerts.alertmanager import parse_as
from bot.alerts.payload import Batch


def parse(payload: Mapping[str, Any]) -> Batch:
    """The alerts of one webhook call; a broken one among them does not drop the others.

    Raises:
        ParseError: when it is no payload of version 4, or none of its alerts can be read.
    """
    return parse_as("signoz", "4", payload)
