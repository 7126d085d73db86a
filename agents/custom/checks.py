"""The custom checks of one process, as whoever investigates holds them. Pure."""

from dataclasses import dataclass

from agents.causes import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """PromQL that a check asks about the last minutes."""

    promql: str
    minutes: int
    has_signal: bool
    """Whether a recorded signal answers in its place: a snapshot has no query engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """Rules that somebody wrote in YAML; without any, investigations are as they are shipped."""

    rules: tuple[Rule, ...] = ()
    kinds: tuple[str, ...] = ()
    """Of Kubernetes objects that they are about."""
    queries: tuple[Query, ...] = ()
