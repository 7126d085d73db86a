"""What people see before they approve, and after."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from whenever import TimeDelta

from approvals.ballot import Choice, State
from approvals.plan import Outcome
from bot.gate import View
from bot.slack import text
from bot.slack.blocks import Block, Message
from bot.slack.cards.approval import APPROVE, DENY, DETAILS, approval_card
from bot.slack.cards.approval_details import LONGEST_REASON, PAGE, denial, details
from bot.slack.cards.approval_outcome import outcome, verified
from bot.slack.limits import validate_view
from tests.blocks import requests, scenes
from tests.blocks.requests import NOW
from tests.blocks.test_cards import assert_safe, parsed
from tools.redaction import redact

SHOPS = tuple(requests.CART.of("deployment", "shop", f"cart-{number}") for number in range(12))
ROUGH = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def words(value: object) -> Iterator[str]:
    """Every text that a person reads."""
    if isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            if name not in {"type", "value", "action_id", "private_metadata"}:
                yield from words(inner)
    elif isinstance(value, list | tuple):
        for inner in cast("list[object]", value):
            yield from words(inner)
    elif isinstance(value, str):
        yield value


def shown(message: Message | Block) -> str:
    return "\n".join(words(message.blocks if isinstance(message, Message) else message))


def buttons(message: Message) -> dict[str, Block]:
    return {
        button["action_id"]: button
        for block in message.blocks
        if block["type"] == "actions"
        for button in block["elements"]
    }


def all_pages(view: View) -> str:
    count, page = 1, 1
    whole = ""
    while page <= count:
        modal = details(view, page, NOW)
        assert validate_view(modal) == []
        first = modal["blocks"][0]
        if first["type"] == "context" and "Page" in shown(first):
            count = int(shown(first).rsplit(" of ", 1)[1].splitlines()[0])
        whole += "".join(
            part["text"]
            for block in modal["blocks"]
            if block["type"] == "rich_text"
            for code in block["elements"]
            for part in code["elements"]
        )
        whole += shown(modal)
        page += 1
    return whole


def assert_card_is_safe(message: Message) -> None:
    # Its text names people by their ids, and what is theirs stands in no mention.
    assert_safe(message)
    for each in parsed(message.blocks):
        assert "<!subteam" not in each


def test_s24_the_card_says_what_on_what_why_how_far_what_changes_who_asks_and_until_when() -> None:
    asked = requests.request(prompted_by="U0001ANA", agreed=requests.terms(quorum=2, risk="high"))
    card = approval_card(requests.view(asked), NOW)
    assert_card_is_safe(card)
    whole = shown(card)
    for part in (
        "🖐️ approval needed · Set a container's image",
        "Set the image of container cart of deployment shop/cart to registry.example/shop/cart:2.3.9.",
        "*On what*\n`deployment/shop/cart`",
        "*Where*\n`production`",
        "*Risk*\n🔴 high",
        "*Expires*\n<!date^1772361000^{date_short_pretty} {time}|2026-03-01 10:30 UTC>",
        "📐 Locum's rules, after a question of <@U0001ANA>",
        "2 people of `sre-oncall`",
        "*Why*: Cart fails since its last rollout",
        '📏 measured `ev_0123456789` `prometheus.query` `sum(rate(http_requests_total{code=~"5.."}[5m]))`',
        "💬 words that others can write `ev_abcdef0123`",
        "*Blast radius*\n3 pods of cart restart one by one",
        "Way back: \nSet the image of container cart of deployment shop/cart to registry.example/shop/cart:2.4.0",
        'container: "cart"\nimage: "registry.example/shop/cart:2.3.9"\nother_repository: false',
        "(the API server's own dry run; nothing was changed)",
        "-        image: registry.example/shop/cart:2.4.0\n+        image: registry.example/shop/cart:2.3.9",
        f"Request `{requests.ID[:12]}` · digest `{asked.digest[:12]}`",
    ):
        assert part in whole
    # Verdict first, then what, and the buttons after everything that one should have read.
    kinds = [block["type"] for block in card.blocks]
    assert (kinds[0], kinds[-2:]) == ("header", ["actions", "context"])


def test_s25_s26_approve_asks_for_confirmation_and_a_button_holds_the_id_and_nothing_else() -> None:
    card = approval_card(requests.view(), NOW)
    pressed = buttons(card)
    assert list(pressed) == [APPROVE, DENY, DETAILS]
    assert {button["value"] for button in pressed.values()} == {requests.ID}
    confirm = pressed[APPROVE]["confirm"]
    assert confirm["title"]["text"] == "Approve this?"
    assert "Set the image of container cart" in confirm["text"]["text"]
    assert confirm["text"]["text"].endswith("In production. It runs at once.")
    assert card.metadata == {"event_type": "locum_approval", "event_payload": {"request_id": requests.ID}}


def test_s25_the_confirmation_says_when_one_approval_is_not_enough() -> None:
    asked = requests.request(agreed=requests.terms(quorum=3))
    confirm = buttons(approval_card(requests.view(asked, votes=(requests.vote(),)), NOW))[APPROVE]["confirm"]
    assert confirm["text"]["text"].endswith("It runs after 1 more approval.")


ENDS = [
    ({"state": State.APPROVED, "votes": (requests.vote(),)}, "⏳ approved by <@U0001ANA>, running"),
    ({"state": State.EXECUTING, "votes": (requests.vote(),)}, "⏳ approved by <@U0001ANA>, running"),
    ({"state": State.CANCELLED, "why": "the alert resolved"}, "✖️ cancelled*: the alert resolved. Nothing was done."),
    (
        {"state": State.DENIED, "votes": (requests.vote(choice=Choice.DENY, reason="not <!here> now"),)},
        "not &lt;!here&gt; now. Nothing was done.",
    ),
    ({"state": State.DENIED, "why": "an administrator said no"}, "*🚫 denied*: an administrator said no. Nothing"),
    ({"state": State.EXPIRED, "why": "nobody decided in time"}, "nobody decided in time. Nothing was done."),
    ({"state": State.SUCCEEDED, "votes": (requests.vote(),)}, "*✅ done* approved by <@U0001ANA>"),
    ({"state": State.FAILED, "votes": (requests.vote(),), "why": "the target says no"}, "❌ failed* approved by"),
    ({"state": State.UNKNOWN, "votes": (requests.vote(),), "why": "no answer"}, "⚠️ outcome unknown* approved by"),
]


@pytest.mark.parametrize(("fields", "said"), ENDS)
def test_s27_s31_a_request_that_is_decided_has_no_buttons_and_says_how_it_ended(
    fields: dict[str, Any], said: str
) -> None:
    card = approval_card(requests.view(**fields), NOW)
    assert_card_is_safe(card)
    assert buttons(card) == {}
    assert said in shown(card)
    assert said in card.text


def test_s27_a_vote_short_of_the_quorum_is_counted_on_the_card() -> None:
    asked = requests.request(agreed=requests.terms(quorum=2))
    card = approval_card(requests.view(asked, votes=(requests.vote(),)), NOW)
    assert "*1 of 2 approvals*: <@U0001ANA>" in shown(card)
    assert list(buttons(card)) == [APPROVE, DENY, DETAILS]


def test_many_approvers_are_named_up_to_a_number_and_counted_beyond() -> None:
    votes = tuple(requests.vote(f"U0000{number}ANA") for number in range(8))
    asked = requests.request(agreed=requests.terms(quorum=20))
    assert "<@U00005ANA> and 2 more people" in shown(approval_card(requests.view(asked, votes=votes), NOW))


def test_s31_exactly_at_its_expiry_the_card_has_no_buttons_whatever_the_stored_state_says() -> None:
    view = requests.view()
    before = view.request.terms.expires_at - TimeDelta(nanoseconds=1)
    assert buttons(approval_card(view, before))
    card = approval_card(view, view.request.terms.expires_at)
    assert buttons(card) == {}
    assert "⌛ expired" in shown(card)


def test_a_frozen_request_can_be_denied_and_looked_at_and_says_why_it_cannot_be_approved() -> None:
    card = approval_card(requests.view(frozen="end of the year"), NOW)
    assert list(buttons(card)) == [DENY, DETAILS]
    assert "🧊 frozen: end of the year. Nothing can be approved at present." in shown(card)


def test_a_batch_is_numbered_in_its_order_and_a_narrowed_one_says_which_items() -> None:
    others = [requests.set_image(target=requests.CART.of("deployment", "shop", name)) for name in ("cart", "orders")]
    asked = requests.request(*(requests.plan(one) for one in others))
    vote = requests.vote(only=frozenset({1}))
    whole = shown(approval_card(requests.view(asked, votes=(vote,)), NOW))
    assert "approval needed · 2 actions" in whole
    assert "\n1. Set the image of container cart of deployment shop/cart" in whole
    assert "\n2. Set the image of container cart of deployment shop/orders" in whole
    assert "(only 2 of 2 actions)" in whole
    assert "2. set-image deployment/shop/orders" in whole


def test_credentials_are_asked_for_by_reference_with_their_purpose_and_no_value() -> None:
    card = approval_card(requests.view(requests.credentials()), NOW)
    assert_card_is_safe(card)
    whole = shown(card)
    assert "`vault:database/creds/ro#password`: slow queries of the database that cart uses" in whole
    assert "Values are never shown" in whole
    assert "minutes: 15" in whole
    assert "*What would change*: nothing; it only reads" in whole
    assert "Way back" not in whole


def test_what_a_dry_run_cannot_show_is_said() -> None:
    bare = requests.plan(diff=redact(""), dry_run="none", undo=None)
    whole = shown(approval_card(requests.view(requests.request(bare)), NOW))
    assert "*What would change*: no diff (no dry run is possible for this)" in whole
    assert "Way back: \nnone" in whole


def test_a_way_back_is_called_one_and_the_models_words_stand_apart() -> None:
    asked = requests.request(is_way_back=True, prose=redact("Trust me, this is *safe*."), proposed_by="model")
    card = approval_card(requests.view(asked), NOW)
    whole = shown(card)
    assert "· way back: Set a container's image" in whole
    assert "🧠 the model's words, unchecked:" in whole
    assert "Trust me" not in "".join(parsed(card.blocks))
    assert "Trust me" not in card.text


ODD = [
    ("\u202e", "⟨U+202E⟩"),
    ("\u200b", "⟨U+200B⟩"),
    ("\u0430", "\u0430⟨U+0430⟩"),
    ("\u2066x\u2069", "⟨U+2066⟩x⟨U+2069⟩"),
    ("\U000e0041", "⟨U+E0041⟩"),
    ("\x1b[31m", "⟨U+001B⟩"),
    ("e\u0301", "e⟨U+0301⟩"),
    ("\ufe0f", "⟨U+FE0F⟩"),
    ("日本", "日本⟨U+65E5+672C⟩"),
    ("⟨U+200B⟩", "⟨⟨U+27E8⟩U+200B⟩⟨U+27E9⟩"),
]


@pytest.mark.parametrize(("odd", "named"), ODD)
def test_a3_odd_unicode_in_an_argument_is_named_on_the_card_and_in_the_details(odd: str, named: str) -> None:
    view = requests.view(requests.credentials({f"vault:a{odd}b#c": "reading"}))
    # In JSON a control character has a name of its own.
    expected = f"vault:a{named}b#c" if not odd.startswith("\x1b") else "\\u001b[31m"
    assert expected in shown(approval_card(view, NOW))
    assert expected in all_pages(view)
    assert f"a{odd}b" not in shown(approval_card(view, NOW))


@given(st.text(max_size=200))
def test_a3_what_is_shown_exactly_has_nothing_invisible_in_it(outside: str) -> None:
    seen = text.exact(outside)
    assert all(each.isprintable() or each in "\n\t" for each in seen)
    # Whatever is no plain ASCII has its name, so that two texts that differ look different.
    for each in set(outside):
        assert each.isascii() or f"{ord(each):04X}" in seen


def test_a3_a_secret_that_is_split_by_what_is_invisible_is_taken_out_and_the_trick_is_named() -> None:
    seen = text.exact("pass\u200bword=hunter22 \u202e")
    assert "hunter22" not in seen
    assert "hidden in it: U+200B+202E" in seen


def test_a3_half_of_a_character_that_no_encoding_takes_is_named_too() -> None:
    assert text.exact("a\ud800b") == "a⟨U+D800⟩b"


def test_a3_a_backtick_or_a_line_break_in_a_name_cannot_end_the_code_it_is_shown_as() -> None:
    assert text.exact_code("a`b\nc", 100) == "`a⟨U+0060⟩b⟨U+000A⟩c`"


@pytest.mark.parametrize(
    "outside", [scenes.HOSTILE, "x" * 1_000, "&" * 500, "\n" * 500 + "x", "\u0430" * 300, "<!channel>\n" * 90]
)
def test_a3_s32_s34_a_hostile_request_fits_everywhere_and_mentions_nobody(outside: str) -> None:
    view = requests.hostile(outside)
    for state in (State.PENDING, State.DENIED, State.UNKNOWN):
        assert_card_is_safe(approval_card(replace(view, state=state), NOW))
    for page in (1, 10_000):
        modal = details(view, page, NOW)
        assert validate_view(modal) == []
        list(parsed(modal["blocks"]))
    assert validate_view(denial(view, "w" * 200)) == []
    for said in (outcome(replace(view, state=State.UNKNOWN)), outcome(replace(view, state=State.FAILED))):
        assert said
        assert_safe(said)
    seen = verified(view)
    assert seen
    assert_safe(seen)


@ROUGH
@given(st.text(min_size=1, max_size=60))
def test_a3_s34_any_request_renders_within_the_limits(outside: str) -> None:
    view = requests.hostile(outside)
    assert_card_is_safe(approval_card(view, NOW))
    assert validate_view(details(view, 1, NOW)) == []


def test_a3_a_huge_argument_is_cut_with_its_rest_counted_and_stands_whole_in_the_details() -> None:
    long = "vault:" + "".join(f"part-{number}/" for number in range(2_500)) + "#end"
    view = requests.view(requests.credentials({long: "reading"}))
    card = approval_card(view, NOW)
    assert_card_is_safe(card)
    assert "more characters, 1 line: all of it stands in Details" in shown(card)
    assert "#end" not in shown(card)
    code = all_pages(view).replace("\n", "")
    assert "part-2499/#end" in code
    assert all(f"part-{number}/" in code for number in range(0, 2_500, 100))


def test_a_long_diff_is_cut_at_a_line_and_says_how_much_is_missing() -> None:
    diff = redact("\n".join(f"+ line {number}" for number in range(1_000)))
    card = approval_card(requests.view(requests.request(requests.plan(diff=diff))), NOW)
    whole = shown(card)
    assert "+ line 150\n" in whole
    assert "✂️ about " in whole
    assert " lines: all of it stands in Details" in whole


def test_in_a_batch_no_diff_takes_the_room_of_the_others_and_what_is_left_is_counted() -> None:
    diff = redact("\n".join(f"+ line {number}" for number in range(1_000)))
    asked = requests.request(*(requests.plan(requests.set_image(target=one), diff=diff) for one in SHOPS))
    card = approval_card(requests.view(asked), NOW)
    assert_card_is_safe(card)
    whole = shown(card)
    for number, target in enumerate(SHOPS[:10], 1):
        assert f"# {number}. {target}\n+ line 0\n" in whole
    assert "# 11. " not in whole
    assert "more characters, " in whole


def test_s31_a_decided_card_says_where_the_rest_stands_without_a_button() -> None:
    diff = redact("\n".join(f"+ line {number}" for number in range(1_000)))
    asked = requests.request(requests.plan(diff=diff))
    card = approval_card(requests.view(asked, state=State.CANCELLED), NOW)
    assert f"all of it stands in `locum approvals show {requests.ID}`" in shown(card)
    assert "stands in Details" not in shown(card)


def test_s25_the_details_have_every_argument_the_full_diff_votes_terms_and_the_digest() -> None:
    diff = redact("\n".join(f"+ line {number}" for number in range(3_000)))
    asked = requests.request(requests.plan(diff=diff), agreed=requests.terms(quorum=2))
    vote = requests.vote(reason="looks right", only=frozenset({0}))
    view = requests.view(replace(asked, credential="vault:kubernetes/creds/restart#token"), votes=(vote,))
    whole = all_pages(view)
    for part in (
        "set-image on deployment/shop/cart",
        'image: "registry.example/shop/cart:2.3.9"',
        "+ line 2999",
        '"resourceVersion": "1822"',
        view.request.digest,
        requests.ID,
        'sum(rate(http_requests_total{code=~"5.."}[5m]))',
        "bad-release on deployment/shop/cart",
        "*approve* by <@U0001ANA> (`u0001ana@example.com`), only 1: looks right",
        "2 people of `sre-oncall`",
        "may not approve: `locum`",
        "`vault:kubernetes/creds/restart#token`",
        'image: "registry.example/shop/cart:2.4.0"',
    ):
        assert part in whole


def test_s25_the_details_are_turned_page_by_page_and_say_which_page_it_is() -> None:
    diff = redact("\n".join(f"+ line {number}" for number in range(5_000)))
    view = requests.view(requests.request(requests.plan(diff=diff)))

    def turns(page: int) -> dict[str, str]:
        last = details(view, page, NOW)["blocks"][-1]
        return {button["action_id"]: button["value"] for button in last["elements"]}

    assert turns(1) == {f"{PAGE}_on": "2"}
    assert turns(2) == {f"{PAGE}_back": "1", f"{PAGE}_on": "3"}
    assert set(turns(99)) == {f"{PAGE}_back"}
    assert details(view, 1, NOW)["private_metadata"] == requests.ID
    assert "actions" not in [block["type"] for block in details(requests.view(), 1, NOW)["blocks"]]


def test_s25_the_denial_asks_for_a_reason_that_is_required_and_bounded() -> None:
    modal = denial(requests.view(), "{}")
    assert validate_view(modal) == []
    (asked,) = [block for block in modal["blocks"] if block["type"] == "input"]
    assert not asked.get("optional")
    assert (asked["element"]["min_length"], asked["element"]["max_length"]) == (1, LONGEST_REASON)
    assert "Set the image" in shown(modal)


OUTCOMES = [
    (
        requests.executed(State.SUCCEEDED, requests.receipt()),
        "✅ *done* in 12 s: Set the image of container cart of deployment shop/cart to "
        "registry.example/shop/cart:2.3.9. 3 of 3 pods are ready",
    ),
    (
        requests.executed(State.FAILED, requests.receipt(Outcome.FAILED, "admission said no.")),
        "❌ *failed*: Set the image of container cart of deployment shop/cart to registry.example/shop/cart:2.3.9: "
        "admission said no; nothing was changed",
    ),
    (
        requests.executed(State.FAILED, why="no runner took it within a minute"),
        "❌ *failed*: Set the image of container cart of deployment shop/cart to registry.example/shop/cart:2.3.9: "
        "no runner took it within a minute; nothing was changed",
    ),
    (
        requests.executed(State.UNKNOWN, why="the runner was not heard of any more"),
        f"look at `deployment/shop/cart`, then record what happened with `locum approvals record {requests.ID}`",
    ),
    (
        requests.executed(State.SUCCEEDED, asked=requests.credentials(), why="the investigation ended"),
        "🔑 *ended*: Let the investigation ses_1 read with vault:database/creds/ro#password, "
        "op://operations/mongodb/password for 15 minutes. The investigation ended.",
    ),
]


@pytest.mark.parametrize(("view", "said"), OUTCOMES)
def test_s27_one_line_says_how_the_execution_ended(view: View, said: str) -> None:
    message = outcome(view)
    assert message
    assert_safe(message)
    assert said in message.text
    assert said in shown(message)


def test_s27_a_batch_that_failed_in_the_middle_does_not_claim_that_nothing_was_changed() -> None:
    asked = requests.request(*[requests.plan()] * 3)
    receipts = (requests.receipt(), requests.receipt(Outcome.FAILED, "it changed meanwhile"))
    message = outcome(requests.executed(State.FAILED, *receipts, asked=asked, why="an item failed"))
    assert message
    assert "❌ *failed*: 1 of 3 actions: an item failed; what was done before it stays done" in message.text
    assert "\n1. ✅ done (3 of 3 pods are ready): " in message.text
    assert "\n2. ❌ failed (it changed meanwhile): " in message.text
    assert "\n3. ⚪ not tried: " in message.text


def test_a29_the_lines_of_a_narrowed_batch_are_those_of_the_items_that_ran() -> None:
    asked = requests.request(*[requests.plan()] * 3)
    votes = (requests.vote(only=frozenset({2})),)
    message = outcome(requests.executed(State.SUCCEEDED, requests.receipt(), asked=asked, votes=votes))
    assert message
    assert "\n1. ⚪ not tried" in message.text
    assert "\n3. ✅ done" in message.text


@pytest.mark.parametrize("state", [State.PENDING, State.DENIED, State.EXPIRED, State.CANCELLED, State.EXECUTING])
def test_nothing_is_said_of_an_execution_that_was_not(state: State) -> None:
    assert outcome(requests.view(state=state)) is None
    assert verified(requests.view(state=state)) is None


@pytest.mark.parametrize(
    ("helped", "said"),
    [
        (True, "🟢 *it helped*: No errors"),
        (False, "🟠 *it did not help*: No errors"),
        (None, "⚪ *whether it helped could not be seen*: No errors"),
    ],
)
def test_what_was_seen_afterwards_is_said_and_stands_on_the_card(helped: bool | None, said: str) -> None:
    view = requests.executed(State.SUCCEEDED, verification=requests.verification(helped=helped))
    message = verified(view)
    assert message
    assert_safe(message)
    assert message.text.startswith(said)
    assert said in shown(approval_card(view, NOW))


def test_s39_a_secret_in_an_argument_a_diff_or_a_reason_is_in_no_card() -> None:
    secret = "password=hunter22secret"
    asked = requests.credentials({f"vault:{secret}": secret})
    view = requests.view(asked, votes=(requests.vote(reason=secret),), frozen=secret)
    for drawn in (approval_card(view, NOW).blocks, details(view, 1, NOW), denial(view, "w")):
        assert "hunter22secret" not in json.dumps(drawn)
