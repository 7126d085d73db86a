"""Takes secrets and invisible characters out of what a tool read. Pure; sinks accept only its result type.

Patterns of tokens come from detect-secrets; what those miss (connection strings, headers, key blocks) stands here.
"""

import re
from functools import cache
from typing import Any, NewType, cast

Redacted = NewType("Redacted", str)
"""Text that went through `redact`."""

# Terminal escapes, bidirectional controls, zero-width and tag characters: they hide text from people, not from a model.
_INVISIBLE = re.compile(
    "\x1b\\[[0-?]*[ -/]*[@-~]|\x1b[@-Z\\\\-_]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
    "|[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff]|[\U000e0000-\U000e007f]"
)
_SHAPES = (
    ("private-key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)")),
    ("url-password", re.compile(r"(?<=://)[^\s/@:'\"]*:[^\s/@'\"]+(?=@)")),
    (
        "authorization",
        re.compile(r"(?i)(?<=authorization: )(?:bearer |basic )?[^\s'\"]+|(?<=bearer )[\w.~+/=-]{8,}"),
    ),
    (
        "assignment",
        re.compile(
            r"(?i)(?<![a-z0-9])((?:[\w-]*[_-])?(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key)"
            r"[\"']?\s*[:=]\s*[\"']?)(?!\[redacted|true\b|false\b|null\b|none\b)([^\s\"',;}&]{4,})"
        ),
    ),
    ("jwt", re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?")),
)

# Whatever a detector of `_tokens` can match holds one of these. The package takes a third of a second to import, and
# ordinary text never needs it.
_TOKEN_LIKE = re.compile(
    r"A3T|ABIA|ACCA|AKIA|ASIA|gh[pousr]_|gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-|GR1348941|T3BlbkFJ|SG\."
    r"|[rs]k_live_|(?i:xox|hooks\.slack|aws.{0,20}(?:key|pwd|pw|password|pass|token))",
)


def redact(text: str) -> Redacted:
    """`text` without known shapes of secrets, terminal escapes and invisible characters.

    A secret becomes `[redacted:<kind>]`. The rest stays as it was, line by line.
    """
    text = _INVISIBLE.sub("", text)
    for kind, shape in _SHAPES:
        mark = rf"\g<1>[redacted:{kind}]" if shape.groups else f"[redacted:{kind}]"
        text = shape.sub(mark, text)
    if _TOKEN_LIKE.search(text):
        for kind, shape in _tokens():
            text = shape.sub(f"[redacted:{kind}]", text)
    return Redacted(text)


@cache
def _tokens() -> tuple[tuple[str, re.Pattern[str]], ...]:
    # Named one by one: the package's other detectors judge entropy or key names and would alter ordinary log lines.
    from detect_secrets.plugins.aws import AWSKeyDetector
    from detect_secrets.plugins.github_token import GitHubTokenDetector
    from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
    from detect_secrets.plugins.openai import OpenAIDetector
    from detect_secrets.plugins.sendgrid import SendGridDetector
    from detect_secrets.plugins.slack import SlackDetector
    from detect_secrets.plugins.stripe import StripeDetector

    detectors: tuple[Any, ...] = (
        AWSKeyDetector,
        GitHubTokenDetector,
        GitLabTokenDetector,
        OpenAIDetector,
        SendGridDetector,
        SlackDetector,
        StripeDetector,
    )
    return tuple(
        (str(detector.secret_type).lower().replace(" ", "-"), shape)
        for detector in detectors
        for shape in cast("list[re.Pattern[str]]", detector.denylist)
    )
