"""Seals, opens, signs and verifies Paytend, PayBy and PayerMax messages.

The package uses the Rust crates of paytend-rs, so results are the same as in every other language. The global
interpreter lock is released during cryptographic operations.

>>> own, paytend = PrivateKey.generate(1024), PrivateKey.generate(1024)
>>> sender, receiver = Keyring(paytend, own.public_key), Keyring(own, paytend.public_key)
>>> document = sender.seal("notification", {"partnerId": "888666000100260", "notifyType": "2"}, {"orderNo": "F1"})
>>> receiver.open("notification", document, partner_id="888666000100260").json()
{'orderNo': 'F1'}
"""

from __future__ import annotations

from . import _native
from .errors import (
    KeyUnusable,
    Malformed,
    NotAuthentic,
    PayloadError,
    PaytendError,
    ProviderResponse,
    Rejected,
    Unavailable,
    Unsealable,
    UnsignedFailure,
    UsageError,
)
from .messages import Data, KeyInfo, Keyring, Kind, Opened, PrivateKey, PublicKey, inspect_key, request_id, verify
from .receive import (
    BusinessKey,
    Headers,
    Notification,
    PayByReceiver,
    PayerMaxReceiver,
    PaytendReceiver,
    Reply,
    ScheduledKey,
)

__version__ = _native.VERSION
__all__ = [
    "BusinessKey", "Data", "Headers", "KeyInfo", "KeyUnusable", "Keyring", "Kind", "Malformed", "NotAuthentic",
    "Notification", "Opened", "PayByReceiver", "PayerMaxReceiver", "PayloadError", "PaytendError", "PaytendReceiver",
    "PrivateKey", "ProviderResponse", "PublicKey", "Rejected", "Reply", "ScheduledKey", "Unavailable", "Unsealable",
    "UnsignedFailure", "UsageError", "inspect_key", "request_id", "verify",
]  # fmt: skip
