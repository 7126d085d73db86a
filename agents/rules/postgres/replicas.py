"""PostgreSQL: replicas, their slots, and who waits for them. What is not told is unknown. Pure."""

from collections.abc import Iterator

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import Fields, items, mapping, text
from agents.rules.deployments import amount, saw, servers
from agents.scene import Scene
from tools.entity import Entity
from tools.evidence import Evidence
from tools.kubernetes.fields import value
from tools.postgres.queries import shown

LAG_S = 30.0
LAG_BAD_S = 600.0
SLOT_BYTES = 10 * 2**30
STARTING_S = 120.0


def _standbys(scene: Scene) -> Iterator[tuple[Entity, Fields, Evidence]]:
    """What servers that are replicas tell of themselves."""
    for entity, record, look in servers(scene, "postgres.replication"):
        if standby := mapping(record, "standby"):
            yield entity, standby, look


@rule(
    id="pg-replication-lag",
    area="postgres",
    role=Role.CAUSE,
    title="A PostgreSQL replica lags",
    meaning="It replays more than half a minute late: slow disk, heavy writes, a query on it that replay waits for. A "
    "batch load makes it lag for a while; a delay on purpose and an idle primary are not lag.",
    remediation="Look at the replica's disk and its longest query; keep reads away from it until it caught up.",
    needs=("postgres.replication",),
)
def pg_replication_lag(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "postgres.replication"):
        late = [
            (lag, text(each, "application") or text(each, "client") or "a replica")
            for each in items(record, "replicas")
            if (lag := amount(each, "replay_lag_s")) is not None and lag > LAG_S and amount(each, "behind_bytes") != 0
        ]
        if late:
            lag, name = max(late)
            yield saw(
                pg_replication_lag,
                entity,
                look,
                f"{name} is {lag:.0f} s behind",
                _how_late(lag),
                query=shown("replication"),
            )
    for entity, standby, look in _standbys(scene):
        # What came is replayed: then nothing was written since, and the age of the last commit says nothing.
        pending = amount(standby, "pending_bytes") or 0
        lag = (amount(standby, "replayed_s_ago") or 0) - (amount(standby, "delay_s") or 0)
        if pending and lag > LAG_S:
            line = f"this replica replays {lag:.0f} s late, {pending / 2**20:.1f} MiB wait to be replayed"
            yield saw(pg_replication_lag, entity, look, line, _how_late(lag), query=shown("standby"))


def _how_late(lag: float) -> Severity:
    return Severity.CRITICAL if lag > LAG_BAD_S else Severity.WARNING


@rule(
    id="pg-replay-paused",
    area="postgres",
    role=Role.CAUSE,
    title="Replay on a PostgreSQL replica is paused",
    meaning="Somebody paused it, or it stopped at a target or a setting that it cannot follow; what arrives piles up. "
    "With nothing waiting to be replayed it is not told.",
    remediation="Find who paused it and why; pg_wal_replay_resume() goes on.",
    needs=("postgres.replication",),
)
def pg_replay_paused(scene: Scene) -> Iterator[Finding]:
    for entity, standby, look in _standbys(scene):
        pending = amount(standby, "pending_bytes") or 0
        if standby.get("replay_paused") is True and pending:
            line = f"replay is paused, {pending / 2**20:.1f} MiB wait to be replayed"
            yield saw(pg_replay_paused, entity, look, line, Severity.WARNING, query=shown("standby"))


@rule(
    id="pg-replica-disconnected",
    area="postgres",
    role=Role.CAUSE,
    title="A PostgreSQL replica receives nothing",
    meaning="It is told to stream from a primary and nobody sends: network, credentials, a slot or WAL that is gone. "
    "In its first two minutes, and where it restores from an archive alone, it is not told.",
    remediation="Read its log for why the connection fails; if the WAL it needs is gone, build it anew.",
    needs=("postgres.replication",),
)
def pg_replica_disconnected(scene: Scene) -> Iterator[Finding]:
    uptimes = {entity: amount(record, "uptime_s") for entity, record, _ in servers(scene, "postgres.status")}
    for entity, standby, look in _standbys(scene):
        uptime = uptimes.get(entity)
        is_starting = uptime is not None and uptime < STARTING_S
        if standby.get("streams") is True and not text(standby, "receiver") and not is_starting:
            line = "this replica is told to stream and receives from nobody"
            yield saw(pg_replica_disconnected, entity, look, line, Severity.CRITICAL, query=shown("standby"))


@rule(
    id="pg-slot-retains-wal",
    area="postgres",
    role=Role.CAUSE,
    title="A PostgreSQL replication slot retains WAL",
    meaning="More than 10 GB is kept for one consumer, which is mostly dead: the disk fills. While a consumer is "
    "connected it may be a batch load that it works through.",
    remediation="Bring the consumer back, or drop the slot by approval; max_slot_wal_keep_size bounds it.",
    needs=("postgres.replication",),
)
def pg_slot_retains_wal(scene: Scene) -> Iterator[Finding]:
    for entity, slot, look in _slots(scene):
        retained = amount(slot, "retained_bytes") or 0
        if retained > SLOT_BYTES:
            is_dead = slot.get("active") is False
            state = "inactive" if is_dead else "active"
            line = f"slot {text(slot, 'slot')} is {state} and retains {retained / 2**30:.1f} GiB of WAL"
            yield saw(pg_slot_retains_wal, entity, look, line, Severity.WARNING, direct=is_dead, query=shown("slots"))


@rule(
    id="pg-slot-lost",
    area="postgres",
    role=Role.CAUSE,
    title="A PostgreSQL replication slot has lost its WAL",
    meaning="The server removed WAL that the slot's consumer still needs: it cannot go on from there. A slot that is "
    "unreserved may still be saved.",
    remediation="Build the consumer anew; then raise max_slot_wal_keep_size or look after slots that fall behind.",
    needs=("postgres.replication",),
)
def pg_slot_lost(scene: Scene) -> Iterator[Finding]:
    for entity, slot, look in _slots(scene):
        state = text(slot, "wal_status")
        if state in ("lost", "unreserved"):
            how = Severity.CRITICAL if state == "lost" else Severity.WARNING
            yield saw(pg_slot_lost, entity, look, f"slot {text(slot, 'slot')} is {state}", how, query=shown("slots"))


def _slots(scene: Scene) -> Iterator[tuple[Entity, Fields, Evidence]]:
    """The slots of each server, those that retain most first: one finding a server tells the worst."""
    for entity, record, look in servers(scene, "postgres.replication"):
        for slot in sorted(items(record, "slots"), key=lambda each: -(amount(each, "retained_bytes") or 0)):
            yield entity, slot, look


@rule(
    id="pg-sync-standby-missing",
    area="postgres",
    role=Role.CAUSE,
    title="PostgreSQL's commits wait for a replica that is not there",
    meaning="synchronous_standby_names asks for replicas, and none of those that are connected is one of them: every "
    "commit hangs. Where synchronous_commit is off or local nobody waits.",
    remediation="Bring the replica back, or take it out of synchronous_standby_names by approval.",
    needs=("postgres.replication",),
)
def pg_sync_standby_missing(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "postgres.replication"):
        names, is_primary = text(record, "synchronous"), value(record, "in_recovery") is False
        serving = [each for each in items(record, "replicas") if text(each, "sync_state") in ("sync", "quorum")]
        if names and is_primary and not serving:
            line = f"commits wait for {names} and no such replica is connected"
            yield saw(pg_sync_standby_missing, entity, look, line, Severity.CRITICAL, query=shown("settings"))
