import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.alert import AlertStatus
from agents.diagnosis import Confidence, Mode
from agents.health import Verdict
from agents.progress import Event, FindingSeen, LookBegan, LookEnded, Phase, PhaseBegan
from agents.report import Quality, Usage
from bot.incident import IncidentStatus, Place
from bot.slack.blocks import Message, size
from bot.slack.cards import lines
from bot.slack.cards.conclusion import conclusion
from bot.slack.cards.plan import Plan
from bot.slack.cards.root import all_resolved, root
from bot.slack.limits import MAX_MESSAGE_CHARACTERS
from tests.blocks import scenes
from tools.evidence import Outcome

# What Locum itself writes in angle brackets: times, links, and the person who asked.
OURS = re.compile(
    r"<!date\^\d+\^\{date_short_pretty\} \{time\}\|[\d: -]+UTC>|<https://(?:a|prometheus)\.example/[^<>|]*\|[^<>|]*>|<@U0001ANA>"
)
ROUGH = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def parsed(value: Any) -> Iterable[str]:
    """Every text that Slack parses: mrkdwn objects, and nothing of rich_text or plain_text."""
    if isinstance(value, dict):
        item = cast("dict[str, Any]", value)
        assert item.get("type") != "markdown"
        if item.get("type") == "mrkdwn":
            assert item["verbatim"] is True
            yield item["text"]
        for inner in item.values():
            yield from parsed(inner)
    if isinstance(value, list | tuple):
        for inner in cast("Iterable[Any]", value):
            yield from parsed(inner)


def assert_safe(message: Message) -> None:
    assert message.problems() == []
    assert size(message.blocks) <= MAX_MESSAGE_CHARACTERS
    for shown in (message.text, *parsed(message.blocks)):
        rest = OURS.sub("", shown)
        # A `>` is ours at the start of a line only: the mark of a quote.
        assert "<" not in rest
        assert ">" not in re.sub("^>", "", rest, flags=re.MULTILINE)
        assert not re.search(r"@(here|channel|everyone)\b|```", rest, re.IGNORECASE)


def shown(messages: Iterable[Message]) -> str:
    return "\n".join(json.dumps(message.blocks, ensure_ascii=False) for message in messages)


@pytest.mark.parametrize("text", [scenes.HOSTILE, scenes.LONG, "&" * 5_000, "\n" * 3_000 + "x", "<!channel>\n" * 900])
def test_s32_s34_a_hostile_diagnosis_fits_and_mentions_nobody(text: str) -> None:
    for message in conclusion(scenes.hostile(text)):
        assert_safe(message)


@ROUGH
@given(text=st.text(min_size=1, max_size=400).filter(lambda text: bool(text.strip(" /"))))
def test_s34_any_diagnosis_renders_within_the_limits(text: str) -> None:
    for message in conclusion(scenes.hostile(text), is_follow_up=True):
        assert_safe(message)


def test_s15_the_conclusion_opens_with_the_verdict_and_says_what_could_not_be_checked() -> None:
    (message,) = conclusion(scenes.diagnosis())
    first = message.blocks[0]["text"]["text"]
    assert first == "*🔴 failing*: Cart is failing since its last rollout."
    whole = shown([message])
    for part in (
        "*Severity*",
        "*State*",
        "*Confidence*",
        "*Since*",
        "Next steps",
        "What could not be checked",
        "Evidence",
    ):
        assert part in whole
    assert whole.index("*Severity*") < whole.index("Next steps") < whole.index("What could not be checked")
    assert "loki.query` no source: nobody answers" in whole


def test_s15_a_silent_source_is_never_healthy_but_unknown() -> None:
    silent = scenes.diagnosis(
        findings=(), evidence=(scenes.silent(),), verdict=Verdict.UNKNOWN, summary="Nothing answered."
    )
    (message,) = conclusion(silent)
    assert "⚪ unknown" in message.text
    assert "1 look had no answer: that part is unknown." in message.text
    assert "No cause was found" in shown([message])
    assert "🟢" not in shown([message])


def test_s16_a_finding_shows_the_exact_query_whatever_is_in_it() -> None:
    query = '{app="cart"} |= `timeout` | json | status >= 500 & <b>'
    piece = scenes.found("status 500", query=query)
    seen = replace(scenes.finding(), evidence=(piece,))
    (message,) = conclusion(scenes.diagnosis(findings=(seen,)))
    codes = [one["text"] for one in elements(message) if one.get("style") == {"code": True}]
    assert codes.count(query) == 2


def elements(message: Message) -> list[dict[str, Any]]:
    return [
        piece
        for block in message.blocks
        if block["type"] == "rich_text"
        for part in block["elements"]
        for piece in part["elements"]
    ]


@pytest.mark.parametrize("mode", list(Mode))
def test_the_conclusion_says_whether_rules_or_a_model_worded_it(mode: Mode) -> None:
    assert f"{mode}:" in shown(conclusion(scenes.diagnosis(mode=mode)))


def test_s34_what_does_not_fit_goes_to_numbered_replies_and_the_first_message_says_so() -> None:
    many = scenes.long_diagnosis()
    messages = conclusion(many)
    assert len(messages) > 1
    assert "Not all of it fits here" in shown(messages[:1])
    for number, message in enumerate(messages, 1):
        assert message.metadata["event_payload"] == {"session_id": "ses_1", "part": number}
        assert number == 1 or message.text.startswith(f"📎 part {number} of {len(messages)}")
    assert "30 more findings" in shown(messages)
    assert "What could not be checked" in shown(messages[:1])


def test_s35_the_text_of_a_conclusion_makes_sense_alone() -> None:
    (message,) = conclusion(scenes.diagnosis())
    assert message.text == (
        "🔴 failing: Cart is failing since its last rollout. ✅ confirmed: The readiness probe asks a port that "
        "nothing listens on (deployment/shop/cart). 1 look had no answer: that part is unknown."
    )


def test_s36_severity_and_state_are_emoji_and_word() -> None:
    message = root(scenes.incident(scenes.alert(), verdict=Verdict.DEGRADED, headline="Cart is slow."))
    whole = shown([message])
    for words in ("🔴 critical · CartDown in shop", "🔥 firing", "*🟠 degraded*: Cart is slow."):
        assert words in whole


def test_s36_a_question_is_being_looked_at_until_it_has_a_verdict() -> None:
    asked = scenes.asked(Place(channel="C1"), by="U0001ANA")
    assert "*🔎 looking*" in shown([root(asked)])
    assert "*💬 answered in the thread*" in shown([root(replace(asked, verdict=Verdict.HEALTHY))])
    assert "*✅ closed*" in shown([root(replace(asked, status=IncidentStatus.RESOLVED))])


def test_s20_a_resolved_incident_says_so_in_its_card() -> None:
    over = scenes.alert(status=AlertStatus.RESOLVED)
    message = root(scenes.incident(over, status=IncidentStatus.RESOLVED))
    whole = shown([message])
    assert "✅ resolved · CartDown in shop" in whole
    assert "0 of 1 alert firing, 1 resolved" in whole
    assert "🔥" not in whole


def test_s21_a_digest_counts_and_names_only_the_newest() -> None:
    alerts = tuple(scenes.alert(f"Alert{number}") for number in range(50))
    digest = replace(scenes.incident(*alerts), is_digest=True, alert_count=10_000, firing_count=9_000, repeats=123)
    message = root(digest)
    assert_safe(message)
    whole = shown([message])
    for words in (
        "🌊 alert storm",
        "9,000 of 10,000 alerts firing, 1,000 resolved",
        "123 repeats",
        "9,995 more alerts",
    ):
        assert words in whole


def test_an_unknown_severity_is_shown_in_the_sources_own_word() -> None:
    assert "⚪ gravest · " in shown([root(scenes.incident(scenes.alert(labels={"severity": "gravest"})))])


@pytest.mark.parametrize("text", [scenes.HOSTILE, scenes.LONG, "\n" * 5_000 + "x", "&" * 9_000])
def test_s32_s34_a_hostile_alert_or_question_fits_and_mentions_nobody(text: str) -> None:
    labels = {"alertname": text, "severity": text, "namespace": text, "service": text}
    alerts = [scenes.alert(labels=labels, annotations={"summary": text}, url=f"https://a.example/{text}")] * 50
    stormy = scenes.incident(*alerts, title=text, headline=text, verdict=Verdict.FAILING)
    assert_safe(root(stormy))
    assert_safe(root(scenes.asked(Place(channel="C1"), by="U0001ANA", text=text)))
    assert_safe(lines.apology(text))
    assert_safe(all_resolved(stormy))


def told(looks: int, text: str = "kubernetes.pods namespace=shop") -> list[Event]:
    events: list[Event] = [PhaseBegan(phase=Phase.LOOKING, detail=text)]
    for number in range(looks):
        about = {"key": f"k{number}", "tool": text, "title": text}
        events.append(LookBegan(**about))
        events.append(LookEnded(**about, outcome=Outcome.FOUND, detail=text, seconds=0.1))
        events.append(
            FindingSeen(specialist=text, cause=text, entity=f"{text}{number}", severity="critical", summary=text)
        )
    return events


@pytest.mark.parametrize("text", [scenes.HOSTILE, scenes.LONG])
def test_s12_s34_a_plan_of_any_size_fits_its_pages(text: str) -> None:
    plan = Plan()
    for event in told(60, text):
        plan.take(event)
    for page in plan.pages():
        assert_safe(page.to_message())
        assert size(page.to_message().blocks) < MAX_MESSAGE_CHARACTERS


def test_s13_every_look_and_finding_is_on_some_page() -> None:
    plan = Plan()
    for event in told(100) * 2:
        plan.take(event)
    entries = [one for page in plan.pages() for one in page.entries]
    assert len(entries) == len({one.id for one in entries}) == 200
    assert "100 of 100 looks done, 100 findings" in plan.pages()[0].text


def test_a_look_that_never_answered_does_not_spin_for_ever() -> None:
    plan = Plan()
    plan.take(LookBegan(key="k", tool="network.tcp", title="network.tcp db:5432"))
    plan.close()
    card = plan.pages()[0].to_message().blocks[0]["tasks"][0]
    assert (card["title"], card["status"]) == ("network.tcp db:5432", "error")


@pytest.mark.parametrize(
    ("outcome", "status"), [(Outcome.EMPTY, "complete"), (Outcome.NO_SOURCE, "error"), (Outcome.ERROR, "error")]
)
def test_s12_a_look_without_an_answer_is_an_error_and_an_empty_answer_is_not(outcome: Outcome, status: str) -> None:
    plan = Plan()
    plan.take(LookEnded(key="k", tool="loki.query", title="x", outcome=outcome, detail="", seconds=1))
    card = plan.pages()[0].to_message().blocks[0]["tasks"][0]
    assert (card["title"], card["status"]) == ("loki.query x", status)


def test_what_the_model_holds_against_a_cause_is_shown_beside_it_and_answers_from_before_are_counted() -> None:
    plain = scenes.diagnosis()
    top = replace(
        plain.hypotheses[0],
        confidence=Confidence.LIKELY,
        contradicted_by=plain.hypotheses[0].evidence,
        doubts=("Memory never rose.",),
    )
    usage = Usage(seconds=2.0, tool_calls=3, quality=Quality(cached=2))
    told = replace(plain, hypotheses=(top, *plain.hypotheses[1:]), usage=usage)
    whole = shown(conclusion(told))
    assert "the model speaks against it: Memory never rose." in whole
    assert "2 answers of the model from before" in whole
    assert "of the model from before" not in shown(conclusion(plain))
