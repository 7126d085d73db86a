"""The queries that Locum may send to PostgreSQL, and no others: each reads statistics and no table of a user.

For PostgreSQL 13 and newer. Settings that Locum's own session changes are not asked for. Ages are seconds before now,
sizes bytes. Pure.
"""

from collections.abc import Mapping
from typing import LiteralString

EXTENSION = "pg_stat_statements"
MAY_READ: LiteralString = "SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS may"
"""Whether the role sees other sessions; without that they show as empty, which must not read as idle."""
SCHEMA: LiteralString = (
    "SELECT n.nspname AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace "
    "WHERE e.extname = 'pg_stat_statements'"
)
"""Where the extension lies: asked for, since a name that is looked up by search path can be taken by others."""

_WHO: LiteralString = (
    "a.pid, a.usename AS role, a.datname AS database, a.application_name AS application, "
    "host(a.client_addr) AS client, a.state, a.wait_event_type, a.wait_event, "
    "extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS transaction_s, "
    "extract(epoch FROM clock_timestamp() - a.query_start)::float8 AS query_s, "
    "extract(epoch FROM clock_timestamp() - a.state_change)::float8 AS state_s, left(a.query, 2000) AS query"
)
_NEWEST: LiteralString = (
    "(SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END AS lsn) w"
)

QUERIES: Mapping[str, LiteralString] = {
    "server": """
        SELECT current_setting('server_version') AS version,
               extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8 AS uptime_s,
               pg_is_in_recovery() AS in_recovery,
               current_setting('max_connections')::int AS max_connections,
               current_setting('superuser_reserved_connections')::int
                 + coalesce(current_setting('reserved_connections', true), '0')::int AS reserved_connections""",
    "settings": """
        SELECT s.name, s.setting, s.unit FROM pg_settings s
        WHERE s.name IN ('autovacuum', 'autovacuum_freeze_max_age', 'hot_standby_feedback', 'max_replication_slots',
              'max_slot_wal_keep_size', 'max_wal_senders', 'recovery_min_apply_delay', 'shared_buffers',
              'synchronous_commit', 'synchronous_standby_names', 'track_activities', 'wal_level', 'work_mem')
        ORDER BY s.name""",
    "connections": """
        SELECT a.usename AS role, a.datname AS database, a.application_name AS application,
               host(a.client_addr) AS client, a.state, count(*) AS count,
               count(*) FILTER (WHERE a.state LIKE 'idle%'
                                AND a.state_change < clock_timestamp() - interval '5 minutes') AS stale,
               max(extract(epoch FROM clock_timestamp() - a.state_change))::float8 AS longest_s,
               sum(count(*)) OVER ()::bigint AS total
        FROM pg_stat_activity a WHERE a.backend_type = 'client backend'
        GROUP BY 1, 2, 3, 4, 5 ORDER BY count(*) DESC, 1, 2, 3, 4, 5 LIMIT 500""",
    "activity": f"""
        SELECT {_WHO}, greatest(age(a.backend_xmin), age(a.backend_xid)) AS xids_held_back
        FROM pg_stat_activity a
        WHERE a.backend_type = 'client backend' AND a.state IS DISTINCT FROM 'idle' AND a.pid <> pg_backend_pid()
        ORDER BY a.xact_start NULLS LAST, a.pid LIMIT 200""",  # noqa: S608 - made of constants
    "locks": f"""
        WITH waiting AS MATERIALIZED (
          SELECT a.pid, pg_blocking_pids(a.pid) AS blocked_by FROM pg_stat_activity a WHERE a.wait_event_type = 'Lock')
        SELECT {_WHO}, a.backend_type, w.blocked_by, l.locktype AS lock, l.mode,
               CASE WHEN l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                    THEN l.relation::regclass::text END AS relation,
               extract(epoch FROM clock_timestamp() - (to_jsonb(l) ->> 'waitstart')::timestamptz)::float8 AS wait_s
        FROM pg_stat_activity a LEFT JOIN waiting w ON w.pid = a.pid
        LEFT JOIN LATERAL (SELECT k.* FROM pg_locks k WHERE k.pid = w.pid AND NOT k.granted LIMIT 1) l ON true
        WHERE w.pid IS NOT NULL OR a.pid IN (SELECT unnest(v.blocked_by) FROM waiting v)
        ORDER BY a.pid LIMIT 500""",  # noqa: S608 - made of constants
    "prepared": """
        SELECT p.gid, p.owner AS role, p.database, extract(epoch FROM clock_timestamp() - p.prepared)::float8 AS age_s,
               age(p.transaction) AS xids_held_back
        FROM pg_prepared_xacts p ORDER BY p.prepared LIMIT 50""",
    "statements": """
        SELECT t.* FROM (
          SELECT s.queryid::text AS id, r.rolname AS role, d.datname AS database, s.calls,
                 s.total_exec_time AS total_ms, s.mean_exec_time AS mean_ms, s.max_exec_time AS max_ms, s.rows,
                 s.shared_blks_hit AS blocks_hit, s.shared_blks_read AS blocks_read,
                 s.temp_blks_written AS temp_blocks_written,
                 s.total_exec_time / nullif(sum(s.total_exec_time) OVER (), 0) AS share,
                 row_number() OVER (ORDER BY s.total_exec_time DESC) AS by_total,
                 row_number() OVER (ORDER BY s.mean_exec_time DESC) AS by_mean, left(s.query, 2000) AS query
          FROM {schema}.pg_stat_statements s LEFT JOIN pg_roles r ON r.oid = s.userid
          LEFT JOIN pg_database d ON d.oid = s.dbid) t
        WHERE t.by_total <= 100 OR t.by_mean <= 100 ORDER BY t.by_total""",
    "statements_since": """
        SELECT extract(epoch FROM clock_timestamp() - i.stats_reset)::float8 AS since_s
        FROM {schema}.pg_stat_statements_info i""",
    "replication": f"""
        SELECT r.pid, r.usename AS role, r.application_name AS application, host(r.client_addr) AS client, r.state,
               r.sync_state, extract(epoch FROM r.replay_lag)::float8 AS replay_lag_s,
               pg_wal_lsn_diff(w.lsn, r.replay_lsn)::bigint AS behind_bytes,
               extract(epoch FROM clock_timestamp() - r.reply_time)::float8 AS replied_s_ago
        FROM pg_stat_replication r CROSS JOIN {_NEWEST} ORDER BY r.pid""",  # noqa: S608 - made of constants
    "standby": """
        SELECT CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() END AS replay_paused,
               pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::bigint AS pending_bytes,
               extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 AS replayed_s_ago,
               EXISTS (SELECT 1 FROM pg_settings s WHERE s.name = 'primary_conninfo' AND s.setting <> '') AS streams,
               v.status AS receiver, v.sender_host AS sender,
               extract(epoch FROM clock_timestamp() - v.last_msg_receipt_time)::float8 AS heard_s_ago
        FROM (SELECT 1) one LEFT JOIN pg_stat_wal_receiver v ON true WHERE pg_is_in_recovery()""",
    "slots": f"""
        SELECT s.slot_name AS slot, s.slot_type AS type, s.plugin, s.database, s.active, s.wal_status,
               s.safe_wal_size::bigint AS safe_bytes, pg_wal_lsn_diff(w.lsn, s.restart_lsn)::bigint AS retained_bytes,
               greatest(age(s.xmin), age(s.catalog_xmin)) AS xids_held_back
        FROM pg_replication_slots s CROSS JOIN {_NEWEST} ORDER BY s.slot_name""",  # noqa: S608 - made of constants
    "databases": """
        SELECT d.datname AS database, s.numbackends AS sessions, s.xact_commit AS commits,
               s.xact_rollback AS rollbacks, s.blks_hit AS blocks_hit, s.blks_read AS blocks_read,
               s.temp_bytes, s.deadlocks, s.conflicts, age(d.datfrozenxid) AS xid_age,
               mxid_age(d.datminmxid) AS multixact_age,
               extract(epoch FROM clock_timestamp() - s.stats_reset)::float8 AS since_s
        FROM pg_database d JOIN pg_stat_database s ON s.datid = d.oid ORDER BY d.datname""",
    "sizes": """
        SELECT d.datname AS database, pg_database_size(d.oid) AS bytes
        FROM pg_database d WHERE d.datallowconn ORDER BY bytes DESC""",
    "tables": """
        SELECT s.schemaname AS schema, s.relname AS table, s.n_live_tup AS live_rows, s.n_dead_tup AS dead_rows,
               c.relpages::bigint * current_setting('block_size')::int AS bytes,
               extract(epoch FROM clock_timestamp() - greatest(s.last_vacuum, s.last_autovacuum))::float8
                 AS vacuumed_s_ago,
               age(nullif(c.relfrozenxid, '0'::xid)) AS xid_age
        FROM pg_stat_all_tables s JOIN pg_class c ON c.oid = s.relid
        ORDER BY s.n_dead_tup DESC, c.oid LIMIT 50""",
    "vacuums": """
        SELECT p.pid, p.datname AS database, p.phase,
               CASE WHEN p.datname = current_database() THEN p.relid::regclass::text END AS relation,
               extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds
        FROM pg_stat_progress_vacuum p LEFT JOIN pg_stat_activity a ON a.pid = p.pid ORDER BY p.pid""",
}
"""Each by its name. `{schema}` is where the extension lies; Locum fills it in."""


def shown(*names: str) -> str:
    """The queries as a reader may paste them, on one line."""
    return "; ".join(" ".join(QUERIES[name].replace("{schema}.", "").split()) for name in names)
