"""The messages of an approval's workflow in the ballot's words, and the ways in which a run can end. Pure."""

from temporalio.exceptions import ActivityError, ApplicationError, TimeoutType
from temporalio.exceptions import TimeoutError as TimedOut
from whenever import Instant

from approvals.ballot import Ballot, Principal, State, Stranger, Terms, Voter
from bot.workflows.approval_messages import Known, Ran, Rechecked, Sealed

NOT_STARTED = "no runner took it within a minute; it was never started"


def ballot_of(sealed: Sealed) -> Ballot:
    """The empty ballot of a request as people see it."""
    terms = Terms(
        risk=sealed.risk,
        quorum=sealed.quorum,
        groups=frozenset(sealed.groups),
        barred=frozenset(Principal(each) for each in sealed.barred),
        policy_version=sealed.policy_version,
        expires_at=Instant.parse_iso(sealed.expires_at),
    )
    return Ballot(terms=terms, items=sealed.items)


def voter_of(known: Known) -> Voter | Stranger:
    """Somebody as the gateway described them."""
    if known.stranger:
        return Stranger(why=known.stranger)
    return Voter(
        principal=Principal(known.principal),
        groups=frozenset(known.groups),
        known_at=Instant.parse_iso(known.known_at),
    )


def voters_of(ballot: Ballot, rechecked: Rechecked) -> dict[Principal, Voter | Stranger]:
    """Who voted, as they are known now; an account that is somebody else by now speaks for nobody."""
    found: dict[Principal, Voter | Stranger] = {}
    for vote, known in zip(ballot.votes, rechecked.voters, strict=False):
        voter = voter_of(known)
        is_other = isinstance(voter, Voter) and voter.principal != vote.principal
        found[vote.principal] = Stranger(why="the account belongs to somebody else now") if is_other else voter
    return found


def ended(error: ActivityError) -> Ran:
    """How an execution ended whose activity failed: only what was never begun is known not to have been done."""
    cause = error.cause
    if isinstance(cause, TimedOut):
        if cause.type == TimeoutType.SCHEDULE_TO_START:
            return Ran(outcome=State.FAILED, why=NOT_STARTED)
        return Ran(outcome=State.UNKNOWN, why="the runner was not heard of any more")
    if isinstance(cause, ApplicationError) and cause.type == "NotStarted":
        return Ran(outcome=State.FAILED, why="the runner could not note that it begins; nothing was done")
    return Ran(outcome=State.UNKNOWN, why="the runner failed in the middle")


def why(error: ActivityError) -> str:
    """Why a request could not be prepared."""
    if isinstance(error.cause, TimedOut):
        return "no runner answered"
    if isinstance(error.cause, ApplicationError):
        return error.cause.message
    return "the runner failed"
