"""Keys, sealed messages and detached signatures."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Optional, Union

from . import _native
from ._json import read_json, write_json
from .errors import UsageError, _translated

#: The kind of a message: a request, a response or a notification.
Kind = Literal["request", "response", "notification"]
#: Bytes, or a string that is encoded as UTF-8.
Data = Union[str, bytes, bytearray, memoryview]


def _bytes(data: Data) -> bytes:
    # bytes(n) would create n zero bytes; memoryview() rejects a number.
    if isinstance(data, str):
        return data.encode()
    return data if isinstance(data, bytes) else bytes(memoryview(data))


class PublicKey:
    """A public RSA key, read from SubjectPublicKeyInfo or PKCS#1 in PEM, DER or base64."""

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
        """Reads a key from a file."""
        return cls._of(_native.PublicKey.load_file(os.fspath(path)))

    @_translated
    def write(self, form: Literal["spki-pem", "spki-base64", "spki-der"] = "spki-pem") -> bytes:
        """Returns the key in the given encoding (default: PEM)."""
        return self._key.write(form)

    @property
    def fingerprint(self) -> str:
        """The fingerprint: ``SHA256:`` followed by hexadecimal digits."""
        return inspect_key(self.write("spki-der")).fingerprint

    def __repr__(self) -> str:
        return f"<paytend.PublicKey {self.fingerprint}>"


class PrivateKey:
    """A private RSA key, read from PKCS#1 or PKCS#8 in PEM, DER or base64.

    The key is wiped from memory when it is garbage-collected. ``repr`` does not show it, and it cannot be pickled.
    """

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
        """Reads a key from a file. Raises :class:`KeyUnusable` if the file is missing or other users can read it."""
        return cls._of(_native.PrivateKey.load_file(os.fspath(path)))

    @classmethod
    @_translated
    def generate(cls, bits: int) -> PrivateKey:
        """Generates a key pair. The size is a multiple of 128 bits, from 1024 to 8192."""
        return cls._of(_native.PrivateKey.generate(max(bits, 0)))

    @property
    def public_key(self) -> PublicKey:
        """The matching public key."""
        return PublicKey._of(self._key.public())

    @_translated
    def write(self, form: Literal["pkcs8-pem", "pkcs8-base64", "pkcs1-der"] = "pkcs8-pem") -> bytes:
        """Returns the key in the given encoding (default: PKCS#8 PEM). The result is secret."""
        return self._key.write(form)

    @_translated
    def sign(self, body: Data) -> str:
        """Signs a body for PayBy or PayerMax, and returns the value of the ``sign`` header."""
        return self._key.sign(_bytes(body))

    @_translated
    def hazmat_decrypt_blocks(self, ciphertext: bytes) -> bytes:
        """Decrypts concatenated RSA PKCS#1 v1.5 blocks.

        An attacker who can observe whether decryption succeeds can use this method as a padding oracle. Use the method
        only in tools, never in a server.
        """
        return self._key.hazmat_decrypt_blocks(ciphertext)

    def __repr__(self) -> str:
        return f"<paytend.PrivateKey {self.public_key.fingerprint}>"


@dataclass(frozen=True)
class KeyInfo:
    """Information about a key."""

    private: bool
    bits: int
    #: The fingerprint of the public key.
    fingerprint: str
    format: Literal["pkcs1", "pkcs8", "spki"]
    armour: Literal["der", "base64", "pem"]


@_translated
def inspect_key(data: Data) -> KeyInfo:
    """Describes a private or public key."""
    return KeyInfo(**json.loads(_native.key_info(_bytes(data))))


@_translated
def verify(keys: Union[PublicKey, Sequence[PublicKey]], body: Data, sign: str) -> str:
    """Verifies the ``sign`` header of a raw body. Returns the fingerprint of the key that verified the signature."""
    return _native.verify([key._key for key in _several(keys, PublicKey)], _bytes(body), sign)


@_translated
def request_id() -> str:
    """Generates a unique 32-character request identifier."""
    return _native.request_id()


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _several(one_or_many: Any, kind: type) -> list[Any]:
    return [one_or_many] if isinstance(one_or_many, kind) else list(one_or_many)


class Opened:
    """The contents of an authentic message. ``repr`` does not show them, and they cannot be pickled."""

    __slots__ = ("_opened",)

    def __init__(self, opened: _native.Opened) -> None:
        self._opened = opened

    @property
    def fields(self) -> dict[str, str]:
        """The unencrypted fields."""
        return self._opened.fields()

    @property
    @_translated
    def payload(self) -> str:
        """The payload as text, exactly as signed; empty for a message without a payload.

        Raises :class:`PayloadError` if the payload is not UTF-8.
        """
        return self._opened.payload()

    @property
    def payload_bytes(self) -> bytes:
        """The payload bytes, exactly as signed."""
        return self._opened.payload_bytes()

    @property
    def payload_problem(self) -> Optional[str]:
        """A description of the problem if the payload is not a single strict JSON object, and ``None`` otherwise.

        The payload is authentic in both cases.
        """
        return self._opened.payload_problem()

    @property
    @_translated
    def canonical(self) -> str:
        """The signed text. It is secret, since it contains the session key and the payload."""
        return self._opened.canonical()

    @property
    def verified_by(self) -> str:
        """The fingerprint of the key that verified the signature."""
        return self._opened.verified_by()

    @property
    def decrypted_by(self) -> Optional[str]:
        """The fingerprint of the key that decrypted the message, if anything was encrypted."""
        return self._opened.decrypted_by()

    def json(self) -> Any:
        """Returns the parsed payload, or ``None`` if it is empty. Every number is a :class:`decimal.Decimal`.

        Raises :class:`PayloadError` if the payload is not JSON.
        """
        return read_json(self.payload, "payload")

    def __repr__(self) -> str:
        return f"<paytend.Opened verified by {self.verified_by}>"


class Keyring:
    """The keys that one side uses to communicate with one peer.

    The first own key is used for signing, and all own keys for decryption. The first peer key is used for encryption,
    and all peer keys for verification. Use several keys during a key rotation. Threads can share a keyring.
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
        """Seals a message and returns its document.

        ``fields`` are the unencrypted fields except ``signType`` and ``version``, which ``seal`` adds. Adds a
        32-character ``requestId`` to a request that does not contain one. An existing ``requestId`` is kept. To read
        the ``requestId``, use ``json.loads(document)["requestId"]``.

        A ``str`` payload is sealed exactly as passed. A mapping is serialized as JSON. Write amounts in a mapping as
        ``str``, not ``Decimal``.

        Raises :class:`UsageError` if an argument has the wrong type. Raises :class:`Unsealable` if a field or the
        payload cannot be sealed. Raises :class:`KeyUnusable` if the keyring has no key to sign or encrypt with.
        """
        if payload is not None and not isinstance(payload, str):
            payload = write_json(payload)
        for name, value in fields.items():
            if not isinstance(name, str):
                raise UsageError(f"a field name must be a str, not {type(name).__name__}")
            if not isinstance(value, str):
                raise UsageError(f"field `{name[:32]}` must be a str, not {type(value).__name__}")
            if not _is_unicode(name + value):
                shown = name[:32].encode("ascii", "replace").decode()
                raise UsageError(f"field `{shown}` is not valid Unicode: it contains an unpaired surrogate")
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
        """Decrypts and verifies a message. Returns the contents only if both succeed.

        ``partner_id`` is required for requests and notifications, and not allowed for responses.
        """
        return Opened(self._keyring.open(kind, partner_id, _bytes(document), payload_signed, max_bytes))

    def __repr__(self) -> str:
        return "<paytend.Keyring>"
