"""Certificates, connections, names and lost packets."""

from typing import Any

import pytest
from whenever import TimeDelta

from agents.causes import Rule
from agents.finding import Severity
from agents.rules import network
from tests.rules.builders import NOW
from tests.rules.looks import found, lines, moved, probes, signals, steady, world

HOST = "shop.example:443"


def certificate(days: float = 60, *, ok: bool = True, **more: Any) -> dict[str, Any]:
    ends = str(NOW + TimeDelta(hours=24 * days))
    named = {"names": ["shop.example"], "trusted": True, "hostname_ok": True}
    return {"probe": "tls", "target": HOST, "ok": ok, "not_after": ends, **named, **more}


WELL = certificate()


@pytest.mark.parametrize(
    ("of", "sick", "well"),
    [
        (network.tls_expired, certificate(-1, ok=False), certificate(1)),
        (network.tls_expiring, certificate(10), certificate(20)),
        (network.tls_chain_broken, certificate(ok=False, trusted=False, trust_error="unknown authority"), WELL),
        (network.tls_hostname_mismatch, certificate(ok=False, hostname_ok=False, names=["other.example"]), WELL),
        (
            network.tls_hostname_mismatch,
            certificate(ok=False, hostname_ok=None, names=["*.other.example"]),
            certificate(hostname_ok=None, names=["*.example"]),
        ),
        (
            network.tcp_refused,
            {"probe": "tcp", "target": "10.0.0.1:80", "ok": False, "detail": "connection refused"},
            {"probe": "tcp", "target": "10.0.0.1:80", "ok": True},
        ),
        (
            network.tcp_timeout,
            {"probe": "tcp", "target": "10.0.0.1:80", "ok": False, "detail": "timed out"},
            {"probe": "tcp", "target": "10.0.0.1:80", "ok": False, "detail": "connection refused"},
        ),
        (
            network.dns_errors,
            {"probe": "dns", "target": "shop.example", "ok": False, "detail": "SERVFAIL"},
            {"probe": "dns", "target": "shop.example", "ok": True},
        ),
        (
            network.probe_succeeds,
            {"probe": "http", "target": "http://shop.example/", "ok": True},
            {"probe": "http", "target": "http://shop.example/", "ok": False, "detail": "status 500"},
        ),
    ],
)
def test_it_fires_and_its_healthy_twin_does_not(of: Rule, sick: dict[str, Any], well: dict[str, Any]) -> None:
    assert [each.cause for each in found(of, world(probes(sick)))] == [of.cause.id]
    assert found(of, world(probes(well))) == []
    assert found(of, world()) == []


def test_an_expired_certificate_is_not_also_expiring_or_untrusted() -> None:
    expired = world(probes(certificate(-3, ok=False, trusted=False, trust_error="certificate has expired")))
    assert found(network.tls_expired, expired)
    assert found(network.tls_expiring, expired) == []
    assert found(network.tls_chain_broken, expired) == []


def test_a_private_authority_is_never_told_as_certain() -> None:
    (only,) = found(
        network.tls_chain_broken, world(probes(certificate(ok=False, trusted=False, trust_error="self-signed")))
    )
    assert not only.direct
    assert only.severity is Severity.WARNING


def test_a_recorded_probe_without_dates_is_read_by_its_words() -> None:
    said = {"probe": "tls", "target": HOST, "ok": False, "detail": "x509: certificate has expired"}
    assert found(network.tls_expired, world(probes(said)))


def test_the_newest_probe_of_a_target_counts() -> None:
    before = {"probe": "tcp", "target": "db:1", "ok": False, "detail": "refused", "at": str(NOW - TimeDelta(minutes=9))}
    after = {"probe": "tcp", "target": "db:1", "ok": True, "at": str(NOW)}
    assert found(network.tcp_refused, world(probes(after, before))) == []


def test_a_name_inside_the_cluster_is_about_its_service() -> None:
    refused = {"probe": "tcp", "target": "cart.shop.svc.cluster.local:80", "ok": False, "detail": "refused"}
    (only,) = found(network.tcp_refused, world(probes(refused)))
    assert str(only.entity) == "service/shop/cart"


def test_names_that_fail_again_and_again_in_a_log_are_told_and_one_lookup_is_not() -> None:
    failing = "dial tcp: lookup db.shop.svc: no such host"
    (only,) = found(network.dns_errors, world(lines(failing, failing, failing)))
    assert not only.direct
    assert found(network.dns_errors, world(lines(failing))) == []


@pytest.mark.parametrize(
    ("of", "signal"),
    [(network.packet_loss, "packet_drop_ratio"), (network.retransmits_high, "tcp_retransmit_ratio")],
)
def test_packets_must_be_lost_for_minutes(of: Rule, signal: str) -> None:
    assert found(of, world(signals(moved("node//n1", signal, 0.001, 0.05))))
    assert found(of, world(signals(steady("node//n1", signal, 0.005)))) == []
    (past,) = found(of, world(signals(moved("node//n1", signal, 0.001, 0.05, back=4))))
    assert past.severity is Severity.INFO
