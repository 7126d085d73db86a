"""Recall, harmlessness and speed of redaction: `python -m benchmarks.redaction`. The last line is one JSON object.

Options: `--gitleaks DIR` with a `gitleaks.toml`, instead of the pinned wheel; `--logs DIR`, once or more, for more
ordinary lines; `--show` names what was missed and altered.
"""

import argparse
import json
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.benign import PLACES, lines
from benchmarks.positives import Case, Missing, detect_secrets, gitleaks
from tools.redacting.shapes import SHAPES, compiled
from tools.redaction import redact, warm

WINDOW = 12
"""Characters of a secret that may not stand in the result in one piece; of a shorter one, all."""
MADE = 20_000
HOSTILE = (
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "password=",
    "key=",
    "token: |\n  ",
    'token: "',
    "A1b2C3d4",
    "eyJa.",
    "://a:b",
    "x@",
    "bearer ",
    '"',
    "\\",
    "kind: Secret\ndata:\n  a: b\n",
    '"kind":"Secret","data":{',
    "Secret{Data:map[",
    "curl -u a",
    "mysql ",
    "login a password ",
    "$2a$",
    "[redacted:",
    "\x1b]8;;",
    "=",
    "glpat-",
    "Cookie: a",
    "<token>",
    "aws key ",
    "postgres://a:",
)


def is_hidden(case: Case) -> bool:
    """Whether nothing that tells is left of the secret."""
    left = redact(case.text)
    if len(case.secret) < 8:
        return left != case.text
    pieces = (case.secret[at : at + WINDOW] for at in range(max(1, len(case.secret) - WINDOW + 1)))
    return not any(piece in left for piece in pieces)


def recall(cases: Iterable[Case], *, show: bool) -> tuple[float, int]:
    """The share that is hidden, and of how many."""
    found, missed = 0, Counter[str]()
    for case in cases:
        if is_hidden(case):
            found += 1
            continue
        missed[case.rule] += 1
        if show:
            sys.stderr.write(f"missed {case.rule}: {case.text!r}\n")
    whole = found + missed.total()
    return round(found / whole, 4), whole


def altered(texts: list[str], *, show: bool) -> float:
    """The share of ordinary lines that did not come through as they were."""
    changed = 0
    for text in texts:
        left = redact(text)
        if left != text:
            changed += 1
            if show:
                sys.stderr.write(f"altered {text!r}\n     to {left!r}\n")
    return round(changed / len(texts), 5)


def p99_ms(texts: list[str]) -> float:
    """Milliseconds of this thread for 10 kB of ordinary lines."""
    whole = "\n".join(texts)
    pieces = [whole[at : at + 10_000] for at in range(0, min(len(whole), 5_000_000) - 10_000, 10_000)]
    return round(statistics.quantiles(map(_spent(redact), pieces), n=100)[98] * 1000, 2)


def _spent(work: Callable[[str], object]) -> Callable[[str], float]:
    def timed(text: str) -> float:
        began = time.thread_time()
        work(text)
        return time.thread_time() - began

    return timed


def worst_regex_ms() -> float:
    """Milliseconds of the slowest single expression over 1 MB of the most unpleasant repetition."""
    texts = [(unit * (1_000_000 // len(unit) + 1))[:1_000_000] for unit in HOSTILE]
    return round(max(_spent(_searched(compiled(shape.form)))(text) for shape in SHAPES for text in texts) * 1000, 1)


def _searched(form: re.Pattern[str]) -> Callable[[str], object]:
    return lambda text: sum(1 for _ in form.finditer(text))


def main() -> None:
    """Measures; what was missed or altered goes to standard error."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--gitleaks", type=Path)
    parser.add_argument("--logs", type=Path, action="append", default=[])
    parser.add_argument("--show", action="store_true")
    asked = parser.parse_args()
    warm()
    figures: dict[str, float | str] = {}
    figures["recall_detect_secrets"], cases = recall(detect_secrets(12), show=asked.show)
    try:
        figures["recall_gitleaks"], more = recall(gitleaks(2, asked.gitleaks), show=asked.show)
        cases += more
    except Missing as reason:
        figures["recall_gitleaks"] = f"not measured: {reason}"
    ordinary = lines(MADE, (*PLACES, *asked.logs))
    figures["benign_altered"] = altered(ordinary, show=asked.show)
    figures["p99_ms_10kb"] = p99_ms(ordinary)
    figures["worst_regex_ms_1mb"] = worst_regex_ms()
    figures["cases"], figures["benign_lines"] = cases, len(ordinary)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
