"""What an SQL statement does, without what it says: users' data stay in the database. Pure.

What the server shows may be cut anywhere, and a comment or a password of `CREATE ROLE` may be in it.
"""

import re

_SHOWN = 500
_TOKEN = re.compile(
    r"""
      (?P<comment>--[^\n]*|/\*)
    | (?P<name>"(?:[^"]|"")*(?:"|\Z))
    | (?P<escaped>(?<![\w$])[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z))
    | (?P<string>(?:(?<![\w$])(?:[uU]&|[bBxXnN]))?'(?:[^'\\]|''|\\(?!'))*(?P<closed>'|(?P<odd>\\')|\Z))
    | (?P<dollar>(?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))
    | (?P<parameter>\$\d+)
    | (?P<number>(?<![\w$])(?:0[xXoObB][0-9a-fA-F_]+|(?:\d[\d_]*\.?|\.\d)[\d_]*(?:[eE][+-]?\d+)?))
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_SEVERAL = re.compile(r"\?(?:\s*,\s*\?)+")


def shape(statement: str) -> str:
    """The statement with `?` for each literal and without comments, on one line, at most 500 characters."""
    parts: list[str] = []
    at = 0
    while found := _TOKEN.search(statement, at):
        parts.append(statement[at : found.start()])
        at = found.end()
        match found.lastgroup:
            case "comment":
                parts.append(" ")
                at = _after_comment(statement, at) if found.group() == "/*" else at
            case "name" | "parameter":
                parts.append(found.group())
            case _:
                parts.append("?")
                if found["odd"]:
                    # Whether a backslash escapes the quote is a setting of the server: all the rest may be text.
                    at = len(statement)
    parts.append(statement[at:])
    text = _SEVERAL.sub("?, …", " ".join("".join(parts).split()))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _after_comment(statement: str, at: int) -> int:
    """Where a comment that began ends; comments of SQL nest."""
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(statement, at)
        if edge is None:
            return len(statement)
        depth += 1 if edge.group() == "/*" else -1
        at = edge.end()
    return at
