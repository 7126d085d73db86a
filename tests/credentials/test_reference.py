import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from approvals.credentials.reference import BadReference, Reference, Scheme


@pytest.mark.parametrize(
    ("text", "scheme", "path", "field"),
    [
        ("op://vault/item/field", Scheme.ONEPASSWORD, "vault/item", "field"),
        ("op://On call/Orders DB/admin/pass word", Scheme.ONEPASSWORD, "On call/Orders DB/admin", "pass word"),
        ("vault:kv/team/orders#password", Scheme.VAULT, "kv/team/orders", "password"),
        ("vault:database/creds/ro#username", Scheme.VAULT, "database/creds/ro", "username"),
        ("vault:kubernetes/creds/restart#token", Scheme.VAULT, "kubernetes/creds/restart", "token"),
    ],
)
def test_a_reference_is_read_and_written_the_same(text: str, scheme: Scheme, path: str, field: str) -> None:
    reference = Reference.parse(text)
    assert (reference.scheme, reference.path, reference.field) == (scheme, path, field)
    assert str(reference) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "hunter2-hunter2", "op://things/item", "op://vault/item/section/field/more", "op:///item/field",
        "op://vault/../field", "op://vault/item/field?attribute=otp", "op://vault/ item/field", "vault:kv#field",
        "vault:kv/path", "vault:kv/path#", "vault:kv/../sys/raw#field", "vault:/kv/path#field", "vault:kv//path#field",
        "vault:kv/path#a#b", "vault:kv/pa th#field", "vault:kv/path%2f#field", "VAULT:kv/path#field",
        "https://vault/kv/path#field", "vault:kv/path?x=1#field", "vault:kv/" + "p" * 600 + "#field",
        "op://vault/item/fi\u200beld", "vault:kv/path\n#field",
    ],
)  # fmt: skip
def test_what_is_no_reference_is_refused_with_what_was_expected_and_without_what_was_given(text: str) -> None:
    with pytest.raises(BadReference, match="expected op://vault/item") as caught:
        Reference.parse(text)
    # Somebody may have put the password where its reference belongs.
    assert len(text) < 8 or text not in str(caught.value)


def test_the_fields_of_one_path_are_fetched_at_once_and_other_paths_apart() -> None:
    user, password = (Reference.parse(f"vault:database/creds/ro#{field}") for field in ("username", "password"))
    assert user.source == password.source
    assert user.source != Reference.parse("vault:database/creds/rw#username").source
    assert Reference.parse("op://a/b/c").source == Reference.parse("op://d/e/f").source


SEGMENT = st.text("abcXYZ019_-.@", min_size=1, max_size=12).filter(lambda text: text.strip("."))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(path=st.lists(SEGMENT, min_size=2, max_size=6), field=SEGMENT)
def test_every_reference_of_vault_survives_its_text(path: list[str], field: str) -> None:
    reference = Reference(scheme=Scheme.VAULT, path="/".join(path), field=field)
    assert Reference.parse(str(reference)) == reference


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.text(max_size=60), prefix=st.sampled_from(["", "op://", "vault:", "vault:kv/x#"]))
def test_any_text_is_either_its_own_reference_or_refused(text: str, prefix: str) -> None:
    try:
        reference = Reference.parse(prefix + text)
    except BadReference:
        return
    assert str(reference) == prefix + text
