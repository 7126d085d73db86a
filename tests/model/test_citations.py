"""Which claims stand, whatever a model writes."""

import json
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.finding import CauseId
from agents.model.citations import CITATIONS_LIMIT, CLAIMS_LIMIT, TEXT_LIMIT, plain, read, verified
from agents.report import Citation, Claim
from tools.evidence import Evidence, EvidenceId, Outcome

EVIDENCE = Evidence.found("kubernetes.logs", "kubectl logs cart", "first line: all quiet\nsecond line: killed by 137")
WORDS = EVIDENCE.excerpt.split()

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["text", "citations", "evidence", "quote", "cause", "entity", "x"]), inner)
    ),
    max_leaves=20,
)


def _words(start: int, length: int) -> str:
    return " ".join(WORDS[start : start + length])


quotes = st.builds(_words, st.integers(0, 8), st.integers(0, 9)) | st.text(max_size=20)
citations = st.builds(Citation, evidence=st.sampled_from([EVIDENCE.id, EvidenceId("ev_invented")]), quote=quotes)
claims = st.builds(
    Claim,
    text=st.text(min_size=1, max_size=30),
    citations=st.lists(citations, max_size=4).map(tuple),
    cause=st.sampled_from([None, CauseId("known"), CauseId("unknown")]),
)


@settings(deadline=None)
@given(st.lists(claims, max_size=5))
def test_what_is_kept_is_borne_out_and_nothing_is_lost_unsaid(given_claims: list[Claim]) -> None:
    kept, dropped = verified(given_claims, [EVIDENCE], causes=frozenset({CauseId("known")}))
    for claim in kept:
        assert claim.citations
        assert claim.cause in {None, CauseId("known")}
        for citation in claim.citations:
            assert citation.evidence == EVIDENCE.id
            assert EVIDENCE.bears_out(citation.quote)
    held = sum(len(claim.citations) for claim in kept)
    uncited = sum(not claim.citations for claim in given_claims)
    assert held + len(dropped) == sum(len(claim.citations) for claim in given_claims) + uncited


@settings(deadline=None)
@given(anything)
def test_whatever_is_given_is_read_within_bounds(value: Any) -> None:
    found = read(value)
    assert len(found) <= CLAIMS_LIMIT
    assert all(0 < len(each.text) <= TEXT_LIMIT and len(each.citations) <= CITATIONS_LIMIT for each in found)


@settings(deadline=None)
@given(
    st.text(max_size=60), st.sampled_from(["https://evil.example/?d=", "<@U1>", "<!here>", "@channel", "javascript:"])
)
def test_no_link_and_no_mention_stays(around: str, bait: str) -> None:
    said = plain(f"{around} {bait}x {around}")
    assert not re.search(r"evil\.example|<@|<!|@channel|javascript:", said)


def test_a_quote_that_a_line_break_cuts_still_counts_and_one_letter_does_not() -> None:
    def claim(quote: str) -> Claim:
        return Claim(text="it was killed", citations=(Citation(evidence=EVIDENCE.id, quote=quote),))

    kept, dropped = verified(
        [claim("all quiet second line"), claim("k"), claim(" "), claim("killed by 139")], [EVIDENCE]
    )
    assert len(kept) == 1
    assert [each.claim for each in dropped] == [2, 3, 4]


def test_evidence_of_a_gap_proves_nothing() -> None:
    gap = Evidence.gap("prometheus.query", "up", Outcome.ERROR, "no answer within 10 s")
    quoting = Claim(text="it is down", citations=(Citation(evidence=gap.id, quote="no answer within 10 s"),))
    assert verified([quoting], [gap])[0] == ()


def test_what_was_read_can_be_told_again() -> None:
    given_claims = [{"text": "killed", "citations": [{"evidence": EVIDENCE.id, "quote": "killed by 137"}]}]
    assert read(json.loads(json.dumps(given_claims)))[0].citations[0].quote == "killed by 137"
