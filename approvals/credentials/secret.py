"""A live value that shows itself to nobody but the one who asks for it by name.

As long as it lives, and a while longer, `tools.redaction` takes it out of all that leaves the process.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

from approvals.credentials.errors import CredentialsEnded, CredentialsError, CredentialsMissing, CredentialsRefused
from approvals.credentials.reference import Reference
from tools.redaction import hide, unhide


class Secret:
    """One value. Its text, its `repr` and its formats are its name; it is equal to itself alone."""

    __slots__ = ("_is_ended", "_is_hidden", "_name", "_value")

    def __init__(self, value: str, *, name: str, in_development: bool) -> None:
        """Hides `value` from now on; `name` is what is shown in its place.

        Raises:
            CredentialsRefused: when it is too short to be found in text. In development any length but none is taken.
        """
        self._is_hidden = _hidden(value)
        if not self._is_hidden and not (in_development and value):
            raise CredentialsRefused(
                f"the value of {name} is too short to be found in texts and kept out of them; "
                "choose one of at least 8 characters"
            )
        self._name = name
        self._value = value
        self._is_ended = False

    def reveal(self) -> str:
        """The value, for the client that needs it.

        Raises:
            CredentialsEnded: when it was given back.
        """
        if self._is_ended:
            raise CredentialsEnded(f"{self._name} was given back; it cannot be used any more")
        return self._value

    def end(self) -> None:
        """Nobody gets the value from here on. Texts are still searched for it: an error may quote it a little later."""
        self._is_ended = True

    def forget(self) -> None:
        """Ends it, and lets go of the value altogether."""
        self.end()
        if self._is_hidden:
            unhide(self._value)
        self._is_hidden, self._value = False, ""

    def __repr__(self) -> str:
        return f"<secret {self._name}>"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(f"{self!r} cannot be copied or serialised")


def _hidden(value: str) -> bool:
    try:
        hide(value)
    except ValueError:
        return False
    return True


def sealed(values: Mapping[Reference, object], *, in_development: bool) -> dict[Reference, Secret]:
    """A secret for each value, or none at all.

    Raises:
        CredentialsMissing: when a value is missing.
        CredentialsRefused: when one is no text, or too short.
    """
    made: dict[Reference, Secret] = {}
    try:
        for reference, value in values.items():
            if value is None:
                raise CredentialsMissing(f"{reference}: the secret is there, but it has no field {reference.field!r}")
            if not isinstance(value, str):
                raise CredentialsRefused(f"{reference} is no text; store it as a string")
            made[reference] = Secret(value, name=str(reference), in_development=in_development)
    except CredentialsError:
        for secret in made.values():
            secret.forget()
        raise
    return made
