"""Redis and Valkey: memory, evictions, what is found, and who takes the memory. What is not told is unknown.

Pure. Counters count since the start of the server, so what speaks of now is a rate between two samples; without one a
counter alone makes nothing.
"""

from collections.abc import Iterator

from agents.baseline import above, latest, shift
from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import mapping, text
from agents.rules.deployments import amount, saw, servers, with_signal
from agents.scene import Scene

MEMORY_FULL = 0.95
"""Above it the next writes evict or fail; the server itself evicts only at 1.0."""
HIT_RATIO_FALL = 0.5
"""A cache that finds half of what it used to find sends twice as much to what it should protect."""
LOOKUPS_ENOUGH = 20.0
"""A second; fewer make no ratio."""
CACHE_WORKS = 0.8
"""A cache that finds this share of what it is asked does its work, evictions or not."""
OUTPUT_BYTES = 64 * 2**20
"""Twice what a subscriber may hold (`client-output-buffer-limit pubsub 32mb`); ordinary clients have no limit."""
FRAGMENTED = 1.5
FRAGMENTED_BYTES = 256 * 2**20
"""The ratio of a small data set means nothing: the server's own needs outweigh it."""


@rule(
    id="redis-memory-full",
    area="redis",
    role=Role.CAUSE,
    title="Redis has no memory left for writes",
    meaning="Almost all of maxmemory is used and nothing may be evicted (policy noeviction, or volatile-* while hardly "
    "any key expires), or writes are refused for it now. A cache that may evict is full by design and is not told.",
    remediation="Find which keys grow and give them a TTL; raise maxmemory, or let a cache evict.",
    needs=(),
)
def redis_memory_full(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "redis.status"):
        memory = mapping(record, "memory")
        ratio, policy = amount(memory, "ratio"), text(memory, "policy")
        refused = amount(record, "errors", "OOM", "per_s") or 0
        stuck = policy == "noeviction" or (policy.startswith("volatile-") and not amount(record, "keys", "with_expiry"))
        if refused or (ratio is not None and ratio > MEMORY_FULL and stuck):
            shown = "a limit that is not known" if ratio is None else f"{ratio:.0%} of maxmemory"
            words = f"; {refused:g} writes a second are refused (OOM)" if refused else ""
            line = f"uses {shown} under policy {policy or 'not known'}{words}"
            how = Severity.CRITICAL if refused or (ratio or 0) >= 1 else Severity.WARNING
            yield saw(redis_memory_full, entity, look, line, how)
    for entity, series in with_signal(scene, "oom_errors_per_second"):
        found = above(series, scene.window, 0.0)
        if found and not found.is_over:
            summary = f"{entity} refuses {found.level:.2g} writes a second for want of memory (OOM)."
            cited = [scene.cite_series(series)]
            yield redis_memory_full.finding(
                entity, summary, cited, severity=Severity.CRITICAL, first_seen=found.began_at
            )


@rule(
    id="redis-evicting",
    area="redis",
    role=Role.CAUSE,
    title="Redis throws keys away that are still wanted",
    meaning="It evicts now, and finds less than 80 % of what it is asked for: the working set does not fit. A cache "
    "that evicts and still finds nearly everything works as meant, and is not told.",
    remediation="Enlarge maxmemory, shorten TTLs of what is rarely read, or find the writer that fills it.",
    needs=(),
)
def redis_evicting(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "redis.status"):
        keys = mapping(record, "keys")
        rate, now, lookups = (amount(keys, name) for name in ("evicted_per_s", "hit_ratio_now", "lookups_per_s"))
        if rate and (lookups or 0) >= LOOKUPS_ENOUGH and now is not None and now < CACHE_WORKS:
            line = f"evicts {rate:g} keys a second and finds {now:.0%} of what it is asked for"
            yield saw(redis_evicting, entity, look, line, Severity.WARNING)
    for entity, series in with_signal(scene, "evictions_per_second"):
        share, risen = scene.signal(entity, "cache_hit_ratio"), shift(series, scene.window, floor=1.0)
        if share and risen and not risen.is_over and latest(share) < CACHE_WORKS:
            summary = f"{entity} evicts {risen.level:.2g} keys a second and finds {latest(share):.0%}."
            cited = [scene.cite_series(series), scene.cite_series(share)]
            yield redis_evicting.finding(entity, summary, cited, first_seen=risen.began_at)


@rule(
    id="redis-hit-ratio-low",
    area="redis",
    role=Role.SYMPTOM,
    title="Redis finds far less than usual",
    meaning="Half of its usual hit ratio or less, over many lookups: keys were evicted, expired together, were flushed "
    "or changed their names with a release. A server that just started is still empty.",
    remediation="Compare evictions, expiry and restarts with the moment that it began; look at what was deployed then.",
    needs=(),
)
def redis_hit_ratio_low(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "redis.status"):
        keys = mapping(record, "keys")
        usual, now, lookups = (amount(keys, name) for name in ("hit_ratio", "hit_ratio_now", "lookups_per_s"))
        if usual is None or now is None or (lookups or 0) < LOOKUPS_ENOUGH or usual < HIT_RATIO_FALL:
            continue
        if now <= usual * HIT_RATIO_FALL:
            line = f"finds {now:.0%} of {lookups:g} lookups a second, {usual:.0%} since its start"
            yield saw(redis_hit_ratio_low, entity, look, line, Severity.WARNING)
    for entity, series in with_signal(scene, "cache_hit_ratio"):
        fell = shift(series, scene.window, floor=0.05, upward=False)
        if fell and not fell.is_over and fell.factor <= HIT_RATIO_FALL:
            summary = f"{entity} finds {fell.level:.0%} of what it is asked for, usually {fell.usual or 0:.0%}."
            yield redis_hit_ratio_low.finding(entity, summary, [scene.cite_series(series)], first_seen=fell.began_at)


@rule(
    id="redis-output-buffer",
    area="redis",
    role=Role.CAUSE,
    title="A client does not fetch what Redis sends it",
    meaning="More than 64 MiB wait in the buffer of one connection: a subscriber or MONITOR that reads slowly, or a "
    "reply of everything at once. The buffers count as memory: others are evicted for them.",
    remediation="Find that client; bound it with client-output-buffer-limit, and ask for less at a time.",
    needs=("redis.clients",),
)
def redis_output_buffer(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "redis.clients"):
        largest = mapping(record, "largest_output")
        held = amount(largest, "bytes") or 0
        if held > OUTPUT_BYTES:
            who = text(largest, "name") or text(largest, "host") or "an unnamed client"
            line = f"{held / 2**20:.0f} MiB wait for {who}, last at {text(largest, 'command')}"
            yield saw(redis_output_buffer, entity, look, line, Severity.WARNING)


@rule(
    id="redis-fragmented",
    area="redis",
    role=Role.CONTEXT,
    title="Redis uses far more memory than its data",
    meaning="The machine gives it half as much again as it uses, after many deletions; or less than it uses, and then "
    "part of it is swapped. Small data sets always look fragmented, and are not told.",
    remediation="Turn active defragmentation on; where it swaps, give the machine more memory.",
    needs=("redis.status",),
)
def redis_fragmented(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "redis.status"):
        ratio, used = amount(record, "memory", "fragmentation"), amount(record, "memory", "used_bytes") or 0
        if ratio is not None and used > FRAGMENTED_BYTES and not 1.0 <= ratio <= FRAGMENTED:
            line = f"resident memory is {ratio:g} times of what the data uses"
            yield saw(redis_fragmented, entity, look, line, Severity.INFO)


@rule(
    id="redis-no-limit",
    area="redis",
    role=Role.CONTEXT,
    title="Redis has no memory limit",
    meaning="maxmemory is not set and more than 80 % of the machine's memory is in use by it: the kernel ends it next.",
    remediation="Set maxmemory below what the machine or its container has, and a policy.",
    needs=("redis.status",),
)
def redis_no_limit(scene: Scene) -> Iterator[Finding]:
    for entity, record, look in servers(scene, "redis.status"):
        memory = mapping(record, "memory")
        used, whole = amount(memory, "rss_bytes"), amount(memory, "system_bytes")
        if (
            amount(memory, "used_bytes")
            and amount(memory, "max_bytes") is None
            and used
            and whole
            and used > 0.8 * whole
        ):
            line = f"no maxmemory, and {used / whole:.0%} of the machine's memory used"
            yield saw(redis_no_limit, entity, look, line, Severity.INFO)
