"""Where a credential is, never what it is. References stand in the configuration; the model names none. Pure."""

import re
from dataclasses import dataclass
from enum import StrEnum

LONGEST = 512

_OP_SEGMENT = re.compile(r"[A-Za-z0-9_.-](?:[A-Za-z0-9_. -]*[A-Za-z0-9_.-])?")
_VAULT_SEGMENT = re.compile(r"[A-Za-z0-9_.@-]+")
_EXPECTED = "expected op://vault/item[/section]/field, or vault:path#field as in vault:database/creds/ro#username"


class BadReference(ValueError):
    """Not a reference; the message says what was expected, and nothing of what was given: it may be a password."""


class Scheme(StrEnum):
    """Who holds it."""

    ONEPASSWORD = "op"
    VAULT = "vault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One field of one secret. As text it is what people see and what the configuration holds."""

    scheme: Scheme
    path: str
    """`vault/item` or `vault/item/section` in 1Password, mount and path in Vault."""
    field: str

    def __post_init__(self) -> None:
        parts = self.path.split("/")
        if self.scheme is Scheme.ONEPASSWORD:
            segment, lengths = _OP_SEGMENT, (2, 3)
        else:
            segment, lengths = _VAULT_SEGMENT, range(2, 33)
        if len(parts) not in lengths:
            raise BadReference(f"a reference with {len(parts)} parts before its field; {_EXPECTED}")
        # Dots alone would walk to another path than the one that people read.
        if not all(segment.fullmatch(part) and part.strip(".") for part in (*parts, self.field)):
            raise BadReference(f"a part of a reference is empty or has characters that it cannot have; {_EXPECTED}")

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """The reference that `text` is.

        Raises:
            BadReference: when it is none.
        """
        if len(text) > LONGEST:
            raise BadReference(f"a reference of more than {LONGEST} characters; {_EXPECTED}")
        if text.startswith("op://"):
            path, _, field = text.removeprefix("op://").rpartition("/")
            return cls(scheme=Scheme.ONEPASSWORD, path=path, field=field)
        if text.startswith("vault:"):
            path, _, field = text.removeprefix("vault:").partition("#")
            return cls(scheme=Scheme.VAULT, path=path, field=field)
        raise BadReference(f"neither op:// nor vault: stands at the start of a reference; {_EXPECTED}")

    def __str__(self) -> str:
        separator = ("://", "/") if self.scheme is Scheme.ONEPASSWORD else (":", "#")
        return f"{self.scheme}{separator[0]}{self.path}{separator[1]}{self.field}"

    @property
    def source(self) -> str:
        """Equal for references that are fetched at once: the fields of one path of Vault share one lease."""
        return self.scheme if self.scheme is Scheme.ONEPASSWORD else f"{self.scheme}:{self.path}"


def is_reference(text: str) -> bool:
    """Whether the text says where a value is kept, in one of the forms that can be fetched."""
    try:
        Reference.parse(text)
    except BadReference:
        return False
    return True
