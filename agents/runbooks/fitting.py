"""Which runbooks fit a thread: from what its alerts say, what was asked, and what was found. Pure.

No runbook is better than a wrong one: whoever follows the wrong one at night loses more than a search costs.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from agents.alert import Alert
from agents.case import Case
from agents.diagnosis import Diagnosis
from agents.runbooks.search import Hit, Index, Symptom
from agents.runbooks.suggestion import Suggestion
from tools.redaction import Redacted, redact

MOST = 5
LEAST = 1.25
"""The strength from which a runbook is shown. At 1 each word of the symptom stands in it as if once, which a runbook
about something near does too; a quarter more asks for words in the title, or for words that stand together. Development
questions, tuned half and other half alike: of right first answers 99 % are kept, and of alerts of technologies that
the collection has nothing about 96 % get none."""
BEHIND = 0.6
"""Of the best one's strength: what fits much worse than the best would be read by nobody."""
CAUSES = 3
"""Hypotheses that are searched for; as many as a thread shows."""
MOST_ALERTS = 20
WORDS_SHOWN = 6
_TITLE = 200
_ANNOTATIONS = ("summary", "title", "message", "description")


def fitting(case: Case, diagnosis: Diagnosis, index: Index) -> tuple[Suggestion, ...]:
    """The runbooks to read, best first; empty where none fits well enough."""
    hits = index.search(_symptoms(case, diagnosis), most=MOST, least=LEAST)
    return tuple(_suggested(each) for each in hits if each.strength >= BEHIND * hits[0].strength)


def _symptoms(case: Case, diagnosis: Diagnosis) -> Iterator[Symptom]:
    named = frozenset(
        word for name in (*case.scope.namespaces, *(each.name for each in case.scope.entities)) for word in _parts(name)
    )
    if case.question:
        yield Symptom(text=case.question, names=named)
    for alert in case.alerts[:MOST_ALERTS]:
        yield Symptom(text=_said(alert), names=named | _names(alert))
    for hypothesis in diagnosis.hypotheses[:CAUSES]:
        names = named | frozenset(_parts(hypothesis.entity.name)) | frozenset(_parts(hypothesis.entity.namespace))
        yield Symptom(text=hypothesis.title, names=names)


def _said(alert: Alert) -> str:
    parts = (alert.labels.get("alertname", ""), *(alert.annotations.get(key, "") for key in _ANNOTATIONS))
    return ". ".join(dict.fromkeys(part for part in parts if part))


def _names(alert: Alert) -> frozenset[str]:
    """Words of the labels: an alert's text repeats them, and they say where, not what."""
    return frozenset(word for key, value in alert.labels.items() if key != "alertname" for word in _parts(value))


def _parts(name: str) -> Iterator[str]:
    word = ""
    for each in f"{name.lower()} ":
        if each.isalpha():
            word += each
        elif word:
            yield word
            word = ""


def _suggested(hit: Hit) -> Suggestion:
    words = " ".join(hit.matched[:WORDS_SHOWN])
    return Suggestion(
        id=redact(hit.runbook.id),
        title=redact(" ".join(hit.runbook.titles[0].split())[:_TITLE]),
        # Strength has no upper end; this has, and keeps the order.
        score=round(hit.strength / (1 + hit.strength), 3),
        why=redact(f"has {', '.join(words.split())}"),
        url=_address(hit.runbook.url),
    )


def _address(url: str) -> Redacted:
    """The address without anything that could be a login; empty where it is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return Redacted("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or len(url) > 2_000:
        return Redacted("")
    return redact(url)
