"""What is left of SQL when the data are taken out of it."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.postgres.shapes import shape


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SELECT * FROM t\n WHERE a = 'it''s' AND b=12.5e3", "SELECT * FROM t WHERE a = ? AND b=?"),
        ("SELECT c1 FROM t2 WHERE id = $1 AND n IN (1, 2,3)", "SELECT c1 FROM t2 WHERE id = $1 AND n IN (?, …)"),
        ('SELECT "it\'s" FROM "t 1" WHERE a=\'x\'', 'SELECT "it\'s" FROM "t 1" WHERE a=?'),
        ("SELECT $$secret$$, $tag$ a $$ secret $tag$, $1", "SELECT ?, …, $1"),
        ("SELECT E'a\\'secret' , U&'\\0061', x'1f', 0x1F, 1_000", "SELECT ?, …"),
        ("SELECT 1 -- for ann\n FROM t /* a /* b */ secret */ WHERE true", "SELECT ? FROM t WHERE true"),
        ("ALTER ROLE shop PASSWORD 'secr", "ALTER ROLE shop PASSWORD ?"),
        ("SELECT $$secr", "SELECT ?"),
        ("SELECT a /* secr", "SELECT a"),
        ("COPY t FROM '/home/ann/data.csv'", "COPY t FROM ?"),
        # Whether the backslash escapes is a setting of the server: what follows may be text.
        ("SELECT 'a\\', secret, 'b'", "SELECT ?"),
        ("SELECT 'C:\\dir', 5 FROM t", "SELECT ?, … FROM t"),
    ],
)
def test_literals_and_comments_go_and_the_rest_stays(statement: str, shown: str) -> None:
    assert shape(statement) == shown
    assert shape(shown) == shown


def test_a_long_statement_is_cut_and_says_so() -> None:
    told = shape("SELECT " + ", ".join(f"column_{number}" for number in range(200)))
    assert len(told) == 500
    assert told.endswith("…")


def plain(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def escaped(text: str) -> str:
    return "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def in_dollars(text: str) -> str:
    return f"$q${text.replace('$', '')}$q$"


def in_comment(text: str) -> str:
    return f"/* {text.replace('*', '').replace('/', '')} */"


def in_line(text: str) -> str:
    return "-- " + text.replace("\n", " ") + "\n"


QUOTED = st.sampled_from((plain, escaped, in_dollars, in_comment, in_line))
VALUES = st.text(st.sampled_from("ab '\"$\\-/*;?1\n"), max_size=12)


@settings(deadline=None, max_examples=300)
@given(pieces=st.lists(st.tuples(QUOTED, VALUES, VALUES), min_size=1, max_size=4), cut=st.integers(0, 200))
def test_no_value_is_left_wherever_it_stands_and_wherever_the_server_cut(
    pieces: list[tuple[Callable[[str], str], str, str]], cut: int
) -> None:
    statement = "SELECT a"
    for quoted, before, after in pieces:
        statement += f" , b = {quoted(f'{before}SECRET{after}')}"
    for text in (statement, statement[: -cut or None], f"{statement} WHERE c = 1"):
        assert "SECRET" not in shape(text)
        assert shape(shape(text)) == shape(text)
