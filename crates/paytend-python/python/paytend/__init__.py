"""Seals, opens, signs and verifies the messages of Paytend, PayBy and PayerMax.

The work is done by the Rust crates of paytend-rs, with the interpreter's lock released: the same code, and so the same answers, as in every
other language.

>>> own, paytend = PrivateKey.generate(1024), PrivateKey.generate(1024)
>>> sender, receiver = Keyring(paytend, own.public_key), Keyring(own, paytend.public_key)
>>> document = sender.seal("notification", {"partnerId": "888666000100260", "notifyType": "2"}, {"orderNo": "F1"})
>>> receiver.open("notification", document, partner_id="888666000100260").json()
{'orderNo': 'F1'}
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Literal, Optional, Union

from . import _native
from .errors import (
    Answer,
    KeyUnusable,
    Malformed,
    NotAuthentic,
    PayloadError,
    PaytendError,
    Rejected,
    Unavailable,
    Unsealable,
    UnsignedFailure,
    UsageError,
    _translated,
)

__version__ = _native.VERSION
__all__ = [
    "Answer", "BusinessKey", "DatedKey", "KeyInfo", "KeyUnusable", "Keyring", "Malformed", "NotAuthentic", "Notification",
    "Opened", "PayByReceiver", "PayerMaxReceiver", "PayloadError", "PaytendError", "PaytendReceiver", "PrivateKey",
    "PublicKey", "Rejected", "Unavailable", "Unsealable", "UnsignedFailure", "UsageError", "inspect_key", "request_id",
    "verify",
]  # fmt: skip

Kind = Literal["request", "response", "notification"]
Reply = Literal["accepted", "duplicate", "try_again_later"]
Data = Union[str, bytes, bytearray, memoryview]


def _bytes(data: Data) -> bytes:
    # A number would make so many zeros of bytes().
    if isinstance(data, str):
        return data.encode()
    return data if isinstance(data, bytes) else bytes(memoryview(data))


class PublicKey:
    """A public RSA key: PEM, DER or base64; SubjectPublicKeyInfo or PKCS#1."""

    @_translated
    def __init__(self, data: Data) -> None:
        self._key = _native.PublicKey.load(_bytes(data))

    @classmethod
    def _of(cls, native: _native.PublicKey) -> PublicKey:
        key = cls.__new__(cls)
        key._key = native
        return key

    @classmethod
    @_translated
    def from_file(cls, path: Union[str, os.PathLike[str]]) -> PublicKey:
        """Reads a file."""
        return cls._of(_native.PublicKey.load_file(os.fspath(path)))

    @_translated
    def write(self, form: Literal["spki-pem", "spki-base64", "spki-der"] = "spki-pem") -> bytes:
        """The key in writing."""
        return self._key.write(form)

    @property
    def fingerprint(self) -> str:
        """The fingerprint: ``SHA256:`` and hexadecimal digits."""
        return inspect_key(self.write("spki-der")).fingerprint

    def __repr__(self) -> str:
        return f"<paytend.PublicKey {self.fingerprint}>"


class PrivateKey:
    """A private RSA key: PEM, DER or base64; PKCS#1 or PKCS#8. Wiped when it is collected; no ``repr`` or pickle shows it."""

    @_translated
    def __init__(self, data: Data) -> None:
        self._key = _native.PrivateKey.load(_bytes(data))

    @classmethod
    def _of(cls, native: _native.PrivateKey) -> PrivateKey:
        key = cls.__new__(cls)
        key._key = native
        return key

    @classmethod
    @_translated
    def from_file(cls, path: Union[str, os.PathLike[str]]) -> PrivateKey:
        """Reads a file, which nobody else may be able to read."""
        return cls._of(_native.PrivateKey.load_file(os.fspath(path)))

    @classmethod
    @_translated
    def generate(cls, bits: int) -> PrivateKey:
        """Makes a new key pair of 1024 to 8192 bits."""
        return cls._of(_native.PrivateKey.generate(max(bits, 0)))

    @property
    def public_key(self) -> PublicKey:
        """The public half."""
        return PublicKey._of(self._key.public())

    @_translated
    def write(self, form: Literal["pkcs8-pem", "pkcs8-base64", "pkcs1-der"] = "pkcs8-pem") -> bytes:
        """The key in writing. Secret."""
        return self._key.write(form)

    @_translated
    def sign(self, body: Data) -> str:
        """The ``sign`` header of PayBy's and PayerMax's for a body."""
        return self._key.sign(_bytes(body))

    @_translated
    def hazmat_decrypt_blocks(self, ciphertext: bytes) -> bytes:
        """Decrypts blocks of RSA PKCS#1 v1.5, joined.

        Whether it fails tells an attacker about the private key: for tools, never for a server.
        """
        return self._key.hazmat_decrypt_blocks(ciphertext)

    def __repr__(self) -> str:
        return f"<paytend.PrivateKey {self.public_key.fingerprint}>"


@dataclass(frozen=True)
class KeyInfo:
    """What a key is."""

    private: bool
    bits: int
    fingerprint: str
    format: Literal["pkcs1", "pkcs8", "spki"]
    armour: Literal["der", "base64", "pem"]


@_translated
def inspect_key(data: Data) -> KeyInfo:
    """Says what a key is, private or public."""
    return KeyInfo(**json.loads(_native.key_info(_bytes(data))))


@_translated
def verify(keys: Union[PublicKey, Sequence[PublicKey]], body: Data, sign: str) -> str:
    """Verifies a ``sign`` header over a body's bytes, as received, with one of these keys; gives its fingerprint."""
    return _native.verify([key._key for key in _several(keys, PublicKey)], _bytes(body), sign)


@_translated
def request_id() -> str:
    """A new request identifier: 32 characters, unique."""
    return _native.request_id()


def _several(one_or_many: Any, kind: type) -> list[Any]:
    return [one_or_many] if isinstance(one_or_many, kind) else list(one_or_many)


class Opened:
    """What an authentic message says. No ``repr`` or pickle shows it."""

    __slots__ = ("_opened",)

    def __init__(self, opened: _native.Opened) -> None:
        self._opened = opened

    @property
    def fields(self) -> dict[str, str]:
        """The plain fields."""
        return self._opened.fields()

    @property
    def payload(self) -> str:
        """The payload's text, exactly as it was signed; empty if there was none."""
        return self._opened.payload()

    @property
    def canonical(self) -> str:
        """The signed text. Secret: it holds the session key and the payload."""
        return self._opened.canonical()

    @property
    def verified_by(self) -> str:
        """The fingerprint of the key that the signature is by."""
        return self._opened.verified_by()

    @property
    def decrypted_by(self) -> Optional[str]:
        """The fingerprint of the key that decrypted it, if something was encrypted."""
        return self._opened.decrypted_by()

    def json(self) -> Any:
        """The payload, read; numbers with a fraction are :class:`decimal.Decimal`."""
        payload = self.payload
        return json.loads(payload, parse_float=Decimal) if payload else None

    def __repr__(self) -> str:
        return f"<paytend.Opened verified by {self.verified_by}>"


class Keyring:
    """The keys of one side, facing one other side.

    The first of our own keys signs, all decrypt; the other side's first key encrypts, all verify: so keys are rotated. Threads may share
    one.
    """

    @_translated
    def __init__(
        self, own: Union[PrivateKey, Sequence[PrivateKey]], peer: Union[PublicKey, Sequence[PublicKey]]
    ) -> None:
        owns = [key._key for key in _several(own, PrivateKey)]
        self._keyring = _native.Keyring(owns, [key._key for key in _several(peer, PublicKey)])

    @_translated
    def seal(
        self,
        kind: Kind,
        fields: Mapping[str, str],
        payload: Union[None, str, Mapping[str, Any]] = None,
        *,
        payload_signed: bool = True,
    ) -> str:
        """Seals a message.

        ``fields`` are the plain fields but those that the protocol fixes. A payload that is text is sealed to the letter; a mapping is
        written as JSON, in which a ``Decimal`` is not allowed: write money as text, as Paytend does.
        """
        if payload is not None and not isinstance(payload, str):
            try:
                payload = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            except (TypeError, ValueError) as error:
                raise UsageError(f"the payload cannot be written as JSON: {type(error).__name__}") from None
        if not all(isinstance(text, str) for pair in fields.items() for text in pair):
            raise UsageError("names and values of fields are texts")
        return self._keyring.seal(kind, list(fields.items()), payload, payload_signed)

    @_translated
    def open(
        self,
        kind: Kind,
        document: Data,
        *,
        partner_id: Optional[str] = None,
        payload_signed: bool = True,
        max_bytes: Optional[int] = None,
    ) -> Opened:
        """Opens a message: decrypts it, verifies it, and gives what is in it only if both hold.

        A request and a notification must name ``partner_id``; a response names none.
        """
        return Opened(self._keyring.open(kind, partner_id, _bytes(document), payload_signed, max_bytes))

    def __repr__(self) -> str:
        return "<paytend.Keyring>"


@dataclass(frozen=True)
class DatedKey:
    """A provider's key, and when it is used."""

    key: PublicKey
    not_before: Optional[datetime] = None
    retire_at: Optional[datetime] = None


def _millis(moment: Optional[datetime]) -> Optional[int]:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise UsageError("a time needs a time zone: datetime.now(timezone.utc), not datetime.now()")
    return max((moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1), 0)


def _dated(key: Union[PublicKey, DatedKey]) -> tuple[_native.PublicKey, Optional[int], Optional[int]]:
    dated = key if isinstance(key, DatedKey) else DatedKey(key)
    return dated.key._key, _millis(dated.not_before), _millis(dated.retire_at)


@dataclass(frozen=True)
class BusinessKey:
    """What a notification is about, and the state that it reports."""

    kind: str
    id: str
    state: Optional[str]


@dataclass(frozen=True, repr=False)
class Notification:
    """A verified notification."""

    provider: Literal["paytend", "payby", "payermax"]
    #: Paytend's product and ``notifyType``.
    product: Optional[str]
    notify_type: Optional[str]
    #: What was signed: Paytend's content, PayBy's and PayerMax's body.
    content: bytes
    #: Why the content is not of its documented type, if it is not.
    problem: Optional[str]
    #: Equal for the same notification, however often and however sealed it comes.
    dedup_key: str
    business_key: Optional[BusinessKey]
    verified_by: str
    #: When the provider says that it was sent. Paytend does not say.
    sent_at: Optional[datetime] = field(default=None)

    def json(self) -> Any:
        """The content, read; numbers with a fraction are :class:`decimal.Decimal`."""
        return json.loads(self.content, parse_float=Decimal) if self.content else None

    def __repr__(self) -> str:
        return f"<paytend.Notification {self.provider} {self.dedup_key}>"


Headers = Union[Mapping[str, Union[str, bytes]], Iterable[tuple[Union[str, bytes], Union[str, bytes]]]]


class _Receiver:
    _receiver: _native.Receiver

    @_translated
    def receive(self, headers: Headers, body: bytes, *, now: Optional[datetime] = None) -> Notification:
        """Verifies a notification. ``body`` is the raw body, as received.

        What is raised if it is not taken has the ``answer`` to send.
        """
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        # Header values are bytes of Latin-1, whatever a framework makes of them.
        text = [
            (name.decode("latin-1") if isinstance(name, bytes) else name, value)
            for name, value in pairs
        ]  # fmt: skip
        encoded = [(n, v if isinstance(v, bytes) else v.encode("latin-1", "replace")) for n, v in text]
        summary, content = self._receiver.receive(encoded, bytes(memoryview(body)), _millis(now))
        told = json.loads(summary)
        about, sent_at = told.pop("business_key"), told.pop("sent_at")
        return Notification(
            content=bytes(content),
            business_key=BusinessKey(**about) if about else None,
            sent_at=None if sent_at is None else datetime.fromtimestamp(0, timezone.utc) + timedelta(milliseconds=sent_at),
            **told,
        )

    @_translated
    def answer(self, reply: Reply) -> Answer:
        """What to answer a notification that was received. Send it once the notification is durable, and never earlier."""
        return Answer._of(self._receiver.answer(reply))


class PaytendReceiver(_Receiver):
    """Receives what a product of Paytend's notifies a partner of: both belong to the route."""

    @_translated
    def __init__(
        self, product: Literal["baas", "issuing"], partner_id: str, keyring: Keyring, *, max_bytes: Optional[int] = None
    ) -> None:
        self._receiver = _native.Receiver.paytend(product, partner_id, keyring._keyring, max_bytes)


class PayByReceiver(_Receiver):
    """Receives PayBy's notifications, with its key, or several while they are rotated."""

    @_translated
    def __init__(
        self,
        keys: Union[PublicKey, DatedKey, Sequence[Union[PublicKey, DatedKey]]],
        *,
        max_bytes: Optional[int] = None,
        max_age: Optional[timedelta] = None,
    ) -> None:
        several = [keys] if isinstance(keys, (PublicKey, DatedKey)) else list(keys)
        self._receiver = _native.Receiver.payby([_dated(key) for key in several], max_bytes, _age(max_age))


class PayerMaxReceiver(_Receiver):
    """Receives PayerMax's notifications, of these merchants, each with its key."""

    @_translated
    def __init__(
        self,
        merchants: Iterable[tuple[str, Union[PublicKey, DatedKey]]],
        *,
        max_bytes: Optional[int] = None,
        max_age: Optional[timedelta] = None,
    ) -> None:
        pairs = merchants.items() if isinstance(merchants, Mapping) else merchants
        dated = [(merchant, _dated(key)) for merchant, key in pairs]
        self._receiver = _native.Receiver.payermax(dated, max_bytes, _age(max_age))


def _age(age: Optional[timedelta]) -> Optional[int]:
    return None if age is None else max(age // timedelta(milliseconds=1), 0)
