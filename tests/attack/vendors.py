"""What Grafana, PagerDuty, Sentry and Amazon did not sign, or not this."""

import hashlib
import hmac
import json
import random

from tests.attack.bodies import alertmanager, word
from tests.attack.wire import Door, Made, http

TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
_SIGN = (
    ("grafana", "X-Grafana-Alerting-Signature", "{}"),
    ("pagerduty", "X-PagerDuty-Signature", "v1={}"),
    ("pagerduty", "X-PagerDuty-Signature", "v0={}"),
    ("sentry", "Sentry-Hook-Signature", "{}"),
)
_ELSEWHERE = (
    "evil.test", "sns.eu-west-1.amazonaws.com.evil.test", "sns.eu-west-1.amazonaws.com@evil.test", "127.0.0.1", "[::1]",
    "169.254.169.254", "sns.us-east-1.amazonaws.com", "sns.eu-west-1.amazonaws.com:22", "[", "",
)  # fmt: skip


def unsigned(rng: random.Random, door: Door) -> Made:
    """A good body with a signature that is none of it."""
    body = json.dumps(alertmanager(rng)).encode()
    right = _mac(door.signing_secret, body)
    wrong = rng.choice((
        "", word(rng), right[:-1], right + "0", "0" * 64, "\u00e4" * 64, right[::-1], "A" * 9_000, _mac("", body),
        _mac(word(rng), body), _mac(door.signing_secret, body + b" "),
    ))  # fmt: skip
    source, name, form = rng.choice(_SIGN)
    return Made(
        kind="unsigned", data=http(rng, door, "POST", f"/alerts/{source}", (name, form.format(wrong)), body=body)
    )


def not_amazons(rng: random.Random, door: Door) -> Made:
    """Messages of nobody that Amazon knows, with addresses that must never be asked."""
    own = word(rng)
    message: dict[str, object] = {
        "Type": rng.choice(("Notification", "SubscriptionConfirmation", own, None, 7)),
        "TopicArn": rng.choice((TOPIC, TOPIC + own, own, [TOPIC], None)),
        "MessageId": own, "Message": own, "Token": own, "Timestamp": own,
        "SubscribeURL": f"http://{rng.choice(_ELSEWHERE)}/",
        "SignatureVersion": rng.choice(("1", "2", "3", None)),
        "Signature": rng.choice((own, "AAAA", "!", 7, None)),
        "SigningCertURL": f"https://{rng.choice(_ELSEWHERE)}/SimpleNotificationService-{own}.pem",
    }  # fmt: skip
    body = json.dumps(message).encode()
    sent = body if rng.random() < 0.8 else body[: rng.randint(0, len(body) - 1)]
    return Made(kind="unsigned", data=http(rng, door, "POST", "/alerts/cloudwatch", body=sent))


def _mac(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
