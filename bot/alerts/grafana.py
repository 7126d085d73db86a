"""Grafana's own alerting: Alertmanager's shape under version 1.

https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
"""

from collections.abc import Mapping
from typing import Any

from bot.alerts.alertmanager import parse_as
from bot.alerts.payload import Batch


def parse(payload: Mapping[str, Any]) -> Batch:
    """The alerts of one webhook call; a broken one among them does not drop the others.

    Raises:
        ParseError: when it is no payload of version 1, or none of its alerts can be read.
    """
    return parse_as("grafana", "1", payload)
