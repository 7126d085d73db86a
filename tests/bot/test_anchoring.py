"""The head of the audit in a channel, and what it finds."""

from pathlib import Path

from whenever import Instant

from approvals.audit import Broken, Draft, Intact, Kind, read_anchor, verify
from bot.deciding import anchored
from bot.slack.anchoring import ChannelAnchors
from bot.slack.calls import connect
from bot.slack.channels import Channels
from bot.slack.sending import Sender
from bot.stores.ledger.ledger import open_ledger
from bot.workspace.server import Workspace
from tests.bot.fakes import settings


async def test_a22_the_head_is_posted_once_and_finds_a_tail_that_was_cut(workspace: Workspace, tmp_path: Path) -> None:
    workspace.create_channel("audit")
    workspace.invite("audit", "locum")
    calls = connect(settings(workspace))
    anchors = ChannelAnchors(Sender(calls), Channels(calls), "#audit")
    async with open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        for number in range(5):
            await ledger.append(Draft(kind=Kind.FROZEN, at=Instant.now(), actor="ana", facts={"number": number}))
        await anchored(ledger, anchors)
        # Nothing happened since but the anchor's own entry: nothing is posted.
        await anchored(ledger, anchors)
        entries = await ledger.entries()
    await calls.close()
    (posted,) = workspace.messages("audit")
    anchor = read_anchor(posted["text"].split("`")[-2])
    assert [anchor.seq, entries[-1].kind] == [5, Kind.ANCHORED]
    assert isinstance(verify(entries, [anchor]), Intact)
    assert isinstance(verify(entries[:3], [anchor]), Broken)


async def test_a_channel_that_cannot_be_posted_to_costs_the_anchor_and_nothing_else(
    workspace: Workspace, tmp_path: Path
) -> None:
    calls = connect(settings(workspace))
    anchors = ChannelAnchors(Sender(calls), Channels(calls), "#nowhere")
    async with open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        await ledger.append(Draft(kind=Kind.FROZEN, at=Instant.now(), actor="ana"))
        await anchored(ledger, anchors)
        assert [entry.kind for entry in await ledger.entries()] == [Kind.FROZEN]
        assert await ledger.anchors() == []
    await calls.close()
