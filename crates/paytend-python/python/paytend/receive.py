"""Receivers for notifications from Paytend, PayBy and PayerMax."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Literal, Optional, Protocol, Union

from . import _native
from ._json import read_json
from .errors import ProviderResponse, UsageError, _translated
from .messages import Keyring, PublicKey

#: The result of handling a notification. ``try_again_later`` means that the notification could not be stored, so the
#: provider should retry.
Reply = Literal["accepted", "duplicate", "try_again_later"]


@dataclass(frozen=True)
class ScheduledKey:
    """A provider's key and its validity period."""

    key: PublicKey
    #: The start of the validity period (inclusive).
    not_before: Optional[datetime] = None
    #: The end of the validity period (exclusive).
    retire_at: Optional[datetime] = None


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def _millis(moment: Optional[datetime]) -> Optional[int]:
    if moment is None:
        return None
    if not isinstance(moment, datetime):
        raise UsageError(f"a time must be a datetime, not {type(moment).__name__}")
    if moment.tzinfo is None:
        raise UsageError("a time needs a time zone: datetime.now(timezone.utc), not datetime.now()")
    return max((moment - _EPOCH) // timedelta(milliseconds=1), 0)


def _scheduled(key: Union[PublicKey, ScheduledKey]) -> tuple[_native.PublicKey, Optional[int], Optional[int]]:
    scheduled = key if isinstance(key, ScheduledKey) else ScheduledKey(key)
    return scheduled.key._key, _millis(scheduled.not_before), _millis(scheduled.retire_at)


@dataclass(frozen=True)
class BusinessKey:
    """The object that a notification is about, and the reported state."""

    kind: str
    id: str
    state: Optional[str]


@dataclass(frozen=True, repr=False)
class Notification:
    """A verified notification."""

    provider: Literal["paytend", "payby", "payermax"]
    #: The Paytend product, ``baas`` or ``issuing``, if the provider is Paytend.
    product: Optional[str]
    #: Paytend's ``notifyType``, if the provider is Paytend.
    notify_type: Optional[str]
    #: The signed content: the decrypted ``content`` for Paytend, the body for PayBy and PayerMax.
    content: bytes
    #: The result of parsing: ``typed``, ``unreadable`` (a documented type that could not be parsed) or ``unknown`` (an
    #: undocumented type). If the result is not ``typed``, store the notification with its content, and do not treat it
    #: as handled.
    reading: Literal["typed", "unreadable", "unknown"]
    #: A description of the parsing problems, if any. Even a typed notification can have fields that could not be
    #: parsed.
    problem: Optional[str]
    #: The deduplication key. It is the same for every delivery of a notification, even if the notification is sealed
    #: again. Store the key in the same transaction as the notification's effect. Notifications from Paytend have no
    #: sequence number, so a notification whose dedup key is already stored may still be an update. Store that
    #: notification too, and query the current state of the object that ``business_key`` identifies.
    dedup_key: str
    #: The object that the notification is about, and the reported state.
    business_key: Optional[BusinessKey]
    #: The fingerprint of the key that verified the signature.
    verified_by: str
    #: The time at which the notification was sent, if the provider reports it. Paytend does not.
    sent_at: Optional[datetime] = field(default=None)

    def json(self) -> Any:
        """Returns the parsed content, or ``None`` if it is empty. Every number is a :class:`decimal.Decimal`.

        Raises :class:`PayloadError` if the content is not JSON.
        """
        return read_json(self.content, "content")

    def __repr__(self) -> str:
        return f"<paytend.Notification {self.provider} {self.dedup_key}>"


_Name = Union[str, bytes]
_Value = Union[str, bytes, int, Sequence[Union[str, bytes, int]]]


class _HasItems(Protocol):
    def items(self) -> Iterable[tuple[Any, Any]]: ...


#: Request headers: a mapping, an object with ``items()``, or name-value pairs. A value can be a list, since some
#: gateways pass repeated headers as a list.
Headers = Union[Mapping[str, Any], _HasItems, Iterable[tuple[_Name, _Value]]]


def _bytes_of(value: Any) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value).encode("ascii")
    if isinstance(value, str):
        # Frameworks decode header values as Latin-1. Encoding them as Latin-1 restores the bytes.
        return value.encode("latin-1", "replace")
    raise UsageError("a header value must be a str, bytes, an int or a list of them")


def _name_of(name: Any) -> str:
    if isinstance(name, bytes):
        return name.decode("latin-1")
    if isinstance(name, str):
        return name
    raise UsageError("a header name must be a str or bytes")


def _pairs(headers: Any) -> list[tuple[str, bytes]]:
    found = getattr(headers, "items", None)
    items = found() if callable(found) else headers
    try:
        pairs = [(name, value) for name, value in items]
    except (TypeError, ValueError):
        raise UsageError("headers must be a mapping, an object with items(), or pairs of a name and a value") from None
    several = (
        (_name_of(name), one)
        for name, value in pairs
        for one in (value if isinstance(value, (list, tuple)) else [value])
    )  # fmt: skip
    try:
        return [(name.encode("utf-8").decode("utf-8"), _bytes_of(one)) for name, one in several]
    except UnicodeError:
        raise UsageError("a header name is not valid Unicode") from None


def _body_of(body: Any) -> bytes:
    if isinstance(body, str):
        try:
            return body.encode("utf-8")
        except UnicodeError:
            raise UsageError("the text of the body is not valid Unicode; pass the raw bytes") from None
    try:
        return bytes(memoryview(body))
    except TypeError:
        raise UsageError("the body must be bytes or a str; pass the raw body as received") from None


class _Receiver:
    _receiver: _native.Receiver

    @_translated
    def receive(
        self,
        headers: Headers,
        body: Union[bytes, bytearray, memoryview, str],
        *,
        now: Optional[datetime] = None,
    ) -> Notification:
        """Verifies a notification. ``body`` must be the raw request body, as bytes or as a string.

        ``headers`` is a mapping, an object with ``items()``, or name-value pairs. A value can be a list.

        Raises :class:`PaytendError` if the notification is rejected. The exception's ``response`` is the
        response to send, or ``None`` if an argument has the wrong type.
        """
        summary, content = self._receiver.receive(_pairs(headers), _body_of(body), _millis(now))
        values = json.loads(summary)
        about, sent_at = values.pop("business_key"), values.pop("sent_at")
        return Notification(
            content=bytes(content),
            business_key=BusinessKey(**about) if about else None,
            sent_at=None if sent_at is None else _EPOCH + timedelta(milliseconds=sent_at),
            **values,
        )

    @_translated
    def respond(self, reply: Reply) -> ProviderResponse:
        """Returns the HTTP response for a received notification. Send it after storing the notification durably."""
        return ProviderResponse._of(self._receiver.respond(reply))


class PaytendReceiver(_Receiver):
    """A receiver for notifications from one Paytend product to one partner.

    Use a separate HTTP route for each receiver.
    """

    @_translated
    def __init__(
        self, product: Literal["baas", "issuing"], partner_id: str, keyring: Keyring, *, max_bytes: Optional[int] = None
    ) -> None:
        self._receiver = _native.Receiver.paytend(product, partner_id, keyring._keyring, max_bytes)


class PayByReceiver(_Receiver):
    """A receiver for PayBy's notifications. Use several keys during a key rotation."""

    @_translated
    def __init__(
        self,
        keys: Union[PublicKey, ScheduledKey, Sequence[Union[PublicKey, ScheduledKey]]],
        *,
        max_bytes: Optional[int] = None,
        max_age: Optional[timedelta] = None,
    ) -> None:
        several = [keys] if isinstance(keys, (PublicKey, ScheduledKey)) else list(keys)
        self._receiver = _native.Receiver.payby([_scheduled(key) for key in several], max_bytes, _age(max_age))


class PayerMaxReceiver(_Receiver):
    """A receiver for PayerMax's notifications to the given merchants. Each merchant has its own key."""

    @_translated
    def __init__(
        self,
        merchants: Iterable[tuple[str, Union[PublicKey, ScheduledKey]]],
        *,
        max_bytes: Optional[int] = None,
        max_age: Optional[timedelta] = None,
    ) -> None:
        pairs = merchants.items() if isinstance(merchants, Mapping) else merchants
        scheduled = [(merchant, _scheduled(key)) for merchant, key in pairs]
        self._receiver = _native.Receiver.payermax(scheduled, max_bytes, _age(max_age))


def _age(age: Optional[timedelta]) -> Optional[int]:
    return None if age is None else max(age // timedelta(milliseconds=1), 0)
