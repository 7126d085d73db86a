"""What cannot even be asked of a sandbox."""

from typing import Any

import pytest

from approvals.sandbox.port import CUT, Command, Ended, Limits, Ran, refused, spoken
from tools.redaction import Redacted

FINE: dict[str, Any] = {"run_id": "run-1", "argv": ("/usr/bin/true",)}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"run_id": ""}, "its id is empty"),
        ({"argv": ()}, "absolute path"),
        ({"argv": ("true",)}, "absolute path"),
        ({"argv": ("/usr/bin/../sbin/x",)}, "absolute path"),
        ({"argv": ("/usr/bin/true\n",)}, "absolute path"),
        ({"argv": ("/usr/bin/true --flag",)}, "absolute path"),
        ({"argv": ("/usr/bin/-x",)}, "absolute path"),
        ({"argv": ("/usr/bin/true", "a\0b")}, "NUL"),
        ({"given": "a\0b"}, "NUL"),
        ({"given": "\u00e9" * 20_000}, "at most 32768 bytes"),
        ({"argv": ("/usr/bin/true", *"x" * 64)}, "at most 64"),
        ({"argv": ("/usr/bin/true", "x" * 2049)}, "at most 64 arguments of 2048"),
        ({"hosts": ("example.org",)}, "needs the network"),
    ],
)
def test_a_command_that_cannot_be_meant_cannot_be_built(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Command(**FINE | wrong)


def test_a_command_has_no_network_unless_it_says_so() -> None:
    assert Command(**FINE).network is False


@pytest.mark.parametrize("name", Limits.__slots__)
def test_no_limit_can_be_taken_away(name: str) -> None:
    with pytest.raises(ValueError, match=f"the limit {name} is 0"):
        Limits(**{name: 0})


def test_only_a_command_that_exited_has_an_exit_code() -> None:
    nothing = Redacted("")
    for ended in Ended:
        with pytest.raises(ValueError, match="cannot have the exit code"):
            Ran(
                ended=ended,
                exit_code=None if ended is Ended.EXITED else 0,
                stdout=nothing,
                stderr=nothing,
                seconds=0.0,
            )


def test_what_is_said_goes_through_redaction_also_where_it_was_refused() -> None:
    assert "hunter2" not in refused("password=hunter2hunter2").stderr
    assert "hunter2" not in spoken(b"password=hunter2hunter2", cut=False)
    assert spoken(b"one two thr", cut=True) == f"one two {CUT}"
