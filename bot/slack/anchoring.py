"""The head of the audit, written down in a channel: whoever cuts the ledger's tail cannot cut what people saw."""

import logging

from approvals.audit import Anchor, anchor_line
from bot.incident import Place
from bot.slack.blocks import Message
from bot.slack.calls import SlackError
from bot.slack.channels import Channels
from bot.slack.lanes import Priority
from bot.slack.sending import Sender

EVENT = "locum_audit_anchor"

logger = logging.getLogger(__name__)


class ChannelAnchors:
    """Implements `bot.workflows.ports.Anchors`."""

    def __init__(self, sender: Sender, channels: Channels, channel: str) -> None:
        """`channel`: its id, or `#name`."""
        self._sender = sender
        self._channels = channels
        self._channel = channel

    async def post(self, anchor: Anchor) -> str:
        """See `Anchors.post`."""
        text = f"The audit has {anchor.seq} entries. For `locum audit verify --anchors FILE`: `{anchor_line(anchor)}`"
        payload = {"seq": anchor.seq, "hash": anchor.hash}
        message = Message(text=text, metadata={"event_type": EVENT, "event_payload": payload})
        try:
            place = Place(channel=await self._channels.resolve(self._channel))
            return f"slack:{place.channel}/{await self._sender.post(place, message, Priority.STATE)}"
        except SlackError as error:
            logger.warning("the head of the audit could not be posted", extra={"why": str(error)})
            return ""
