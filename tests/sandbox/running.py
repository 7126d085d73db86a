"""Commands for tests. The sandbox itself has no opinion on programs; the grammar of diagnostics has."""

from typing import Any

from approvals.sandbox.port import Command, Limits


def shell(script: str, **fields: Any) -> Command:
    return Command(run_id="run-1", argv=("/usr/bin/sh", "-c", script), **fields)


def perl(script: str, *arguments: str, **fields: Any) -> Command:
    return Command(run_id="run-1", argv=("/usr/bin/perl", "-e", script, *arguments), **fields)


def within(seconds: float, **fields: Any) -> Limits:
    return Limits(wall_s=seconds, **fields)
