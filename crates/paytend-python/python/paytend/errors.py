"""Exceptions, one class for each error code. The codes are the same in every language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Optional, TypeVar

from . import _native


@dataclass(frozen=True)
class ProviderResponse:
    """The HTTP response to send to the provider: the status, the headers and the body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def _of(cls, response: tuple[int, list[tuple[str, str]], bytes]) -> ProviderResponse:
        status, headers, body = response
        return cls(status, dict(headers), bytes(body))


class PaytendError(Exception):
    """The base class for all errors in this package. Errors contain no secrets or personal data."""

    #: The error code, such as ``not_authentic``.
    code = "internal"

    def __init__(self, message: str, response: Optional[ProviderResponse] = None) -> None:
        super().__init__(message)
        #: The response to send to the provider, if a notification was rejected.
        self.response = response


class UsageError(PaytendError, ValueError):
    """An argument is invalid."""

    code = "usage"


class NotAuthentic(PaytendError):
    """The message was not sent by the expected sender to the expected receiver, or it was modified."""

    code = "not_authentic"


class Malformed(PaytendError):
    """The document breaks a format rule that can be checked without a key."""

    code = "malformed"


class PayloadError(PaytendError):
    """The message is authentic, but its payload is not a single JSON object."""

    code = "payload"


class UnsignedFailure(PaytendError):
    """The document is an unsigned error response, which cannot be authenticated."""

    code = "unsigned_failure"

    #: The ``respCode`` of the response. It is not authenticated: an attacker on the network may have written it.
    resp_code: str = ""
    #: The ``respMsg`` of the response. Like ``resp_code``, it is not authenticated.
    resp_msg: str = ""


class Unsealable(PaytendError):
    """The message cannot be sealed: a field or the payload breaks a rule that receivers enforce.

    For example, the signed text would be ambiguous.
    """

    code = "unsealable"


class KeyUnusable(PaytendError):
    """A key cannot be read or used."""

    code = "key"


class Unavailable(PaytendError):
    """A key's backend or the random source is temporarily unavailable."""

    code = "unavailable"


class Rejected(PaytendError):
    """An authentic notification was rejected because it is too old, dated in the future, or for the wrong merchant."""

    code = "rejected"


_BY_CODE: dict[str, type[PaytendError]] = {
    error.code: error
    for error in (
        PaytendError, UsageError, NotAuthentic, Malformed, PayloadError, UnsignedFailure, Unsealable, KeyUnusable,
        Unavailable, Rejected,
    )
}  # fmt: skip

_F = TypeVar("_F", bound=Callable[..., Any])


def _translated(function: _F) -> _F:
    """Converts exceptions from the native module to exceptions of this package."""

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except _native.Failed as failed:
            code, message, resp_code, resp_msg, response = failed.args
            error = _BY_CODE.get(code, PaytendError)(message, ProviderResponse._of(response) if response else None)
            if isinstance(error, UnsignedFailure):
                error.resp_code, error.resp_msg = resp_code or "", resp_msg or ""
        except UnicodeEncodeError:
            # The message of the original exception would reveal the string.
            error = UsageError("a string is not valid Unicode: it contains an unpaired surrogate")
        except OverflowError:
            error = UsageError("a number is negative or too large")
        raise error

    return wrapper  # type: ignore[return-value]
