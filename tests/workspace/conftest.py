"""The workspace and an app for every test here."""

from tests.slack import app, workspace

__all__ = ["app", "workspace"]
