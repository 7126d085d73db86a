"""How a command ends when it cannot do what was asked."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.settings import Settings


class BadInput(Exception):
    """What the caller gave cannot be used; the message says what was wrong and what to do. Exit code 2."""


def settings() -> "Settings":
    """The settings, or `BadInput` that names every wrong one.

    Raises:
        BadInput: when a setting is unknown or cannot be used.
    """
    from pydantic import ValidationError
    from pydantic_settings import SettingsError
    from yaml import YAMLError

    from bot.settings import load

    try:
        return load()
    except ValidationError as error:
        lines = [
            f"  {'.'.join(map(str, each['loc']))}: {each['msg']}"
            for each in error.errors(include_url=False, include_input=False)
        ]
        raise BadInput("these settings cannot be used (see .env.example):\n" + "\n".join(lines)) from error
    except (SettingsError, YAMLError, OSError) as error:
        raise BadInput(f"the settings cannot be read: {error}") from error
