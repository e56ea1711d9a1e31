"""Keys, sealing and opening, detached signatures."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Optional, Union

from . import _native
from .errors import UsageError, _translated

Kind = Literal["request", "response", "notification"]
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
    @_translated
    def payload(self) -> str:
        """The payload's text, exactly as it was signed; empty if there was none. Raises :class:`PayloadError` if it is not UTF-8."""
        return self._opened.payload()

    @property
    def payload_bytes(self) -> bytes:
        """The payload's bytes, exactly as they were signed."""
        return self._opened.payload_bytes()

    @property
    def payload_problem(self) -> Optional[str]:
        """Why the payload is not one strict JSON object, if it is not. It is authentic all the same."""
        return self._opened.payload_problem()

    @property
    @_translated
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
