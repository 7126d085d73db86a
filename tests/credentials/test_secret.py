import copy
import dataclasses
import json
import pickle
import traceback
from typing import Any

import orjson
import pydantic
import pydantic_core
import pytest
import temporalio.converter

from approvals.credentials.errors import CredentialsEnded, CredentialsMissing, CredentialsRefused
from approvals.credentials.reference import Reference
from approvals.credentials.secret import Secret, sealed
from tools.redaction import redact

VALUE = "correct-horse-battery"


@dataclasses.dataclass(frozen=True)
class Holder:
    secret: Secret


def secret(value: str = VALUE) -> Secret:
    return Secret(value, name="op://vault/item/field", in_development=False)


def test_a24_a_secret_shows_its_name_and_never_its_value() -> None:
    one = secret()
    shown = [repr(one), str(one), f"{one}", f"{one!r:>80}", "%s" % one, repr([one]), repr(Holder(one)), str(dir(one))]  # noqa: UP031
    assert not any(VALUE in each for each in shown)
    assert repr(one) == "<secret op://vault/item/field>"
    assert not hasattr(one, "__dict__")
    one.forget()


def test_a24_a_secret_cannot_be_pickled_copied_or_put_into_json() -> None:
    one = secret()
    for attempt in (
        lambda: pickle.dumps(one), lambda: copy.copy(one), lambda: copy.deepcopy(one), lambda: json.dumps(one),
        lambda: orjson.dumps(one), lambda: dataclasses.asdict(Holder(one)),
    ):  # fmt: skip
        with pytest.raises(TypeError) as caught:
            attempt()
        assert VALUE not in "".join(traceback.format_exception(caught.value))
    one.forget()


def test_a21_a_secret_cannot_be_an_argument_or_a_result_of_an_activity() -> None:
    one = secret()
    for value in (one, [one], Holder(one)):
        with pytest.raises(TypeError) as caught:
            temporalio.converter.default().payload_converter.to_payloads([value])
        assert VALUE not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(pydantic_core.PydanticSerializationError) as refused:
        pydantic.TypeAdapter(Any).dump_json([one])
    assert VALUE not in str(refused.value)
    one.forget()


def test_comparing_secrets_tells_nothing_about_their_values() -> None:
    one, other = secret(), secret()
    assert one != other
    assert one != VALUE
    assert one == one  # noqa: PLR0124
    for each in (one, other):
        each.forget()


def test_a_live_value_is_taken_out_of_texts_until_it_is_forgotten() -> None:
    one = secret()
    assert VALUE not in redact(f"it says {VALUE} here")
    one.end()
    assert VALUE not in redact(f"it says {VALUE} here"), "an error that quotes it may be told after its end"
    one.forget()
    one.forget()
    assert VALUE in redact(f"it says {VALUE} here")


def test_a_secret_that_was_given_back_is_not_revealed_any_more() -> None:
    one = secret()
    assert one.reveal() == VALUE
    one.end()
    with pytest.raises(CredentialsEnded, match="given back"):
        one.reveal()
    one.forget()
    other = secret()
    other.forget()
    with pytest.raises(CredentialsEnded, match="given back"):
        other.reveal()


@pytest.mark.parametrize("value", ["", "  ", "hunter2", "        ", "a b c d e"])
def test_a_value_too_short_to_be_found_is_refused(value: str) -> None:
    with pytest.raises(CredentialsRefused, match="at least 8 characters") as caught:
        secret(value)
    assert not value.strip() or value not in str(caught.value)


def test_in_development_a_short_value_will_do_but_an_empty_one_will_not() -> None:
    one = Secret("hunter2", name="op://a/b/c", in_development=True)
    assert one.reveal() == "hunter2"
    one.forget()
    with pytest.raises(CredentialsRefused):
        Secret("", name="op://a/b/c", in_development=True)


@pytest.mark.parametrize(("second", "kind"), [(None, CredentialsMissing), (12345678, CredentialsRefused)])
def test_values_are_sealed_all_or_none(second: object, kind: type[Exception]) -> None:
    first, other = Reference.parse("vault:kv/x#a"), Reference.parse("vault:kv/x#b")
    with pytest.raises(kind, match="vault:kv/x#b"):
        sealed({first: VALUE, other: second}, in_development=False)
    assert VALUE in redact(VALUE), "what was sealed before it failed is let go of"
