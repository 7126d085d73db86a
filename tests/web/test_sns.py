"""Amazon SNS, with a certificate of our own where Amazon's would be fetched: theirs gets in, and nobody else's."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from bot.web.alerting import Alerting
from tests.alerts.examples import notification
from tests.web.house import House

TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
HOST = "https://sns.eu-west-1.amazonaws.com"
FILE = "/SimpleNotificationService-1.pem"
ALERTS = {"cloudwatch": {"topics": [TOPIC]}}
ORDER = ("Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type")


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Held:
    """What Amazon holds ready, as far as this test goes; every other address is none."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        now = datetime.now(UTC)
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        made = made.serial_number(7).not_valid_before(now).not_valid_after(now + timedelta(days=1))
        self.pem = made.sign(key, SHA256()).public_bytes(Encoding.PEM)
        self.asked: list[str] = []
        self.is_away = False

    async def get(self, url: str) -> bytes:
        self.asked.append(url)
        if self.is_away:
            raise OSError("away")
        return self.pem if url.endswith(".pem") else b"<ConfirmSubscriptionResponse/>"


@pytest.fixture
def amazon(key: rsa.RSAPrivateKey) -> Held:
    return Held(key)


def signed(key: rsa.RSAPrivateKey, message: Mapping[str, Any]) -> dict[str, Any]:
    text = "".join(f"{field}\n{message[field]}\n" for field in ORDER if field in message)
    algorithm = SHA1() if message["SignatureVersion"] == "1" else SHA256()
    signature = key.sign(text.encode(), padding.PKCS1v15(), algorithm)
    return {**message, "Signature": base64.b64encode(signature).decode()}


def confirmation(**more: Any) -> dict[str, Any]:
    return {
        "Type": "SubscriptionConfirmation", "MessageId": "m", "TopicArn": TOPIC, "Message": "subscribe?", "Token": "t",
        "SubscribeURL": f"{HOST}/?Action=ConfirmSubscription&Token=t", "Timestamp": "2026-05-04T10:22:01.000Z",
        "SignatureVersion": "2", "SigningCertURL": f"{HOST}/SimpleNotificationService-1.pem", **more,
    }  # fmt: skip


async def sent(house: House, amazon: Held, message: Any) -> int:
    async with house.client as web:
        house.app.state.alerting = Alerting(house.settings.alerts, house.box, amazon)
        return (await web.post("/alerts/cloudwatch", json=message)).status_code


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_signed_alarm_of_a_known_topic_gets_in(version: str, key: rsa.RSAPrivateKey, amazon: Held) -> None:
    house = House({"alerts": ALERTS})
    message = signed(key, {**notification(), "SignatureVersion": version})
    assert await sent(house, amazon, message) == 202
    assert [alert.name for each in house.box.taken for alert in each.alerts] == ["HighCPU"]
    without = {name: each for name, each in message.items() if name != "Subject"}
    assert await sent(House({"alerts": ALERTS}), amazon, without) == 401


@pytest.mark.parametrize(
    "change",
    [
        {"Message": notification(AlarmName="Another")["Message"]}, {"Signature": "AAAA"}, {"Signature": "!"},
        {"Signature": 7}, {"SignatureVersion": "3"}, {"TopicArn": "arn:aws:sns:eu-west-1:123456789012:others"},
        {"TopicArn": ["x"]}, {"Type": "UnsubscribeConfirmation"}, {"Type": None}, {"Timestamp": 7}, {"Message": {}},
    ],
)  # fmt: skip
async def test_what_is_not_signed_as_it_stands_does_not(
    change: dict[str, Any], key: rsa.RSAPrivateKey, amazon: Held
) -> None:
    house = House({"alerts": ALERTS})
    assert await sent(house, amazon, {**signed(key, notification()), **change}) == 401
    assert not house.box.taken
    assert not house.box.unreadable


@pytest.mark.parametrize(
    "url",
    [
        f"https://evil.test{FILE}", f"http://sns.eu-west-1.amazonaws.com{FILE}", f"https://s3.amazonaws.com{FILE}",
        f"https://sns.us-east-1.amazonaws.com{FILE}", f"{HOST}.evil.test{FILE}", f"{HOST}@evil.test{FILE}",
        f"{HOST}:8443{FILE}", f"{HOST}:x{FILE}", f"{HOST}/other.pem", f"{HOST}\\@evil.test/", 7, None, f"https://[{FILE}",
    ],
)  # fmt: skip
async def test_no_other_address_is_ever_asked(url: object, key: rsa.RSAPrivateKey, amazon: Held) -> None:
    message = {**notification(), "SigningCertURL": url}
    assert await sent(House({"alerts": ALERTS}), amazon, signed(key, message)) == 401
    assert amazon.asked == []


async def test_a_subscription_is_confirmed_and_only_at_amazons_own_address(
    key: rsa.RSAPrivateKey, amazon: Held
) -> None:
    assert await sent(House({"alerts": ALERTS}), amazon, signed(key, confirmation())) == 202
    assert amazon.asked[1:] == [f"{HOST}/?Action=ConfirmSubscription&Token=t"]
    elsewhere = signed(key, confirmation(SubscribeURL="https://evil.test/?Action=ConfirmSubscription"))
    assert await sent(House({"alerts": ALERTS}), amazon, elsewhere) == 503
    assert all(each.startswith(HOST) for each in amazon.asked)


async def test_when_amazon_does_not_answer_it_is_asked_to_send_again(key: rsa.RSAPrivateKey, amazon: Held) -> None:
    amazon.is_away = True
    house = House({"alerts": ALERTS})
    assert await sent(house, amazon, signed(key, notification())) == 503
    assert not house.box.taken


async def test_a_certificate_is_fetched_once(key: rsa.RSAPrivateKey, amazon: Held) -> None:
    house = House({"alerts": ALERTS})
    async with house.client as web:
        house.app.state.alerting = Alerting(house.settings.alerts, house.box, amazon)
        for _ in range(3):
            assert (await web.post("/alerts/cloudwatch", json=signed(key, notification()))).status_code == 202
    assert len(amazon.asked) == 1


async def test_strangers_do_not_make_locum_ask_amazon_as_often_as_they_like(
    key: rsa.RSAPrivateKey, amazon: Held
) -> None:
    house = House({"alerts": ALERTS})
    async with house.client as web:
        house.app.state.alerting = Alerting(house.settings.alerts, house.box, amazon)
        right = signed(key, notification())
        assert (await web.post("/alerts/cloudwatch", json=right)).status_code == 202
        for number in range(20):
            other = {**right, "SigningCertURL": f"{HOST}/SimpleNotificationService-{number}a.pem"}
            assert (await web.post("/alerts/cloudwatch", json=other)).status_code == 503
        # Whose certificate is known gets in all the while.
        assert (await web.post("/alerts/cloudwatch", json=right)).status_code == 202
    assert len(amazon.asked) == 1


async def test_without_a_topic_there_is_no_such_source(key: rsa.RSAPrivateKey, amazon: Held) -> None:
    assert await sent(House({"alerts": {}}), amazon, signed(key, notification())) == 404
