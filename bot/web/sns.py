"""Amazon SNS: is a message really theirs, of a topic that may send; and the confirmation of a subscription.

The two addresses in a message that are ever asked are Amazon's own, of the region of a topic that is configured.
https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import asyncio
import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import load_pem_x509_certificate

TIMEOUT_S = 5.0
MOST_BYTES = 65_536
MOST_CERTIFICATES = 20
BETWEEN_S = 5.0
"""Between two certificates that are fetched: strangers must not make Locum ask Amazon as often as they like."""
_ARN = re.compile(r"arn:aws(?:-cn|-us-gov)?:sns:(?P<region>[a-z]{2}(?:-[a-z]+){1,3}-\d):\d{12}:[A-Za-z0-9_.-]{1,256}")
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9a-f]{1,64}\.pem")
_ANY = re.compile(r"/.*")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}

_log = structlog.get_logger("locum.web")


class Fetches(Protocol):
    """Gets what Amazon holds ready under an address."""

    async def get(self, url: str) -> bytes:
        """The body of a 200.

        Raises:
            OSError: when there is none.
        """
        ...


class Amazon:
    """Asks the real addresses."""

    async def get(self, url: str) -> bytes:
        """The body of a 200, as far as it may be long; nobody is followed elsewhere."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(url, allow_redirects=False) as reply,
            ):
                if reply.status != 200:
                    raise OSError(f"{urlsplit(url).hostname} answered {reply.status}")
                return await reply.content.read(MOST_BYTES)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise OSError(f"{urlsplit(url).hostname} did not answer: {type(error).__name__}") from error


class Sns:
    """Tells Amazon's messages from others'."""

    def __init__(self, topics: tuple[str, ...], amazon: Fetches) -> None:
        self._topics = topics
        self._amazon = amazon
        self._certificates: dict[str, bytes] = {}
        self._fetched_at = float("-inf")

    async def is_theirs(self, message: Mapping[str, Any]) -> bool:
        """Whether Amazon signed it for one of the topics.

        Raises:
            OSError: when their certificate cannot be had: nothing is known then.
        """
        topic = message.get("TopicArn")
        fields = _SIGNED.get(str(message.get("Type")), ())
        known = _ARN.fullmatch(topic) if isinstance(topic, str) and topic in self._topics else None
        url = message.get("SigningCertURL")
        if known is None or not fields or not _is_amazons(url, known["region"], _CERTIFICATE):
            return False
        try:
            signature = base64.b64decode(str(message.get("Signature")), validate=True)
        except (binascii.Error, ValueError):
            return False
        return _is_signed(message, fields, signature, await self._certificate(str(url)))

    async def confirm(self, message: Mapping[str, Any]) -> None:
        """Says yes to a subscription; only of a message that `is_theirs`.

        Raises:
            OSError: when they do not answer; they ask again.
        """
        url, topic = message.get("SubscribeURL"), str(message.get("TopicArn"))
        region = _ARN.fullmatch(topic)
        if region is None or not _is_amazons(url, region["region"], _ANY):
            raise OSError("the subscription's address is not Amazon's")
        await self._amazon.get(str(url))
        _log.info("subscription confirmed", topic=topic)

    async def _certificate(self, url: str) -> bytes:
        if url not in self._certificates:
            now = asyncio.get_running_loop().time()
            if now - self._fetched_at < BETWEEN_S:
                raise OSError("another certificate was fetched only now")
            self._fetched_at = now
            pem = await self._amazon.get(url)
            if len(self._certificates) >= MOST_CERTIFICATES:
                self._certificates.clear()
            self._certificates[url] = pem
        return self._certificates[url]


def _is_amazons(url: object, region: str, path: re.Pattern[str]) -> bool:
    if not isinstance(url, str) or not url.isascii() or any(each in url for each in "\\ \t\r\n"):
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    host = f"sns.{region}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")
    # `netloc`, not only the host: a user name in front of it, or a port behind, is nothing that Amazon writes.
    return parts.scheme == "https" and parts.netloc == host and port is None and bool(path.fullmatch(parts.path))


def _is_signed(message: Mapping[str, Any], fields: tuple[str, ...], signature: bytes, pem: bytes) -> bool:
    # A subject is there only where somebody wrote one.
    written = [(field, message[field]) for field in fields if field in message]
    if not all(isinstance(value, str) for _, value in written):
        return False
    text = "".join(f"{field}\n{value}\n" for field, value in written)
    # Version 1 is older topics' choice, and Amazon's default still.
    algorithm = {"1": SHA1(), "2": SHA256()}.get(str(message.get("SignatureVersion")))  # noqa: S303 - theirs
    try:
        key = load_pem_x509_certificate(pem).public_key()
        if algorithm is None or not isinstance(key, rsa.RSAPublicKey):
            return False
        key.verify(signature, text.encode(), padding.PKCS1v15(), algorithm)
    except (InvalidSignature, ValueError):
        return False
    return True
