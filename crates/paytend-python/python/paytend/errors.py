"""One exception for each code; codes and names are the same in every language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Optional, TypeVar

from . import _native


@dataclass(frozen=True)
class Answer:
    """What to send back to a provider."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def _of(cls, answer: tuple[int, list[tuple[str, str]], bytes]) -> Answer:
        status, headers, body = answer
        return cls(status, dict(headers), bytes(body))


class PaytendError(Exception):
    """What every function of this package raises. It holds nothing secret or personal."""

    code = "internal"

    def __init__(self, message: str, answer: Optional[Answer] = None) -> None:
        super().__init__(message)
        #: What to answer the sender of a notification that is not taken.
        self.answer = answer


class UsageError(PaytendError, ValueError):
    """An argument makes no sense."""

    code = "usage"


class NotAuthentic(PaytendError):
    """The message is not from the expected sender to the expected receiver, or was changed. No more is known."""

    code = "not_authentic"


class Malformed(PaytendError):
    """The document breaks a rule that anybody can see."""

    code = "malformed"


class PayloadError(PaytendError):
    """The message is authentic, and its payload is not one JSON object."""

    code = "payload"


class UnsignedFailure(PaytendError):
    """A failure answer without a signature, which proves nothing."""

    code = "unsigned_failure"

    #: As received. Anybody on the way may have written them.
    resp_code: str = ""
    resp_msg: str = ""


class Unsealable(PaytendError):
    """The message would have more than one reading, so no receiver would take it."""

    code = "unsealable"


class KeyUnusable(PaytendError):
    """A key cannot be read or used."""

    code = "key"


class Unavailable(PaytendError):
    """A key's backend, or the source of randomness, does not work now."""

    code = "unavailable"


class Rejected(PaytendError):
    """An authentic notification that is not taken: too old, from the future, for another merchant."""

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
    """Raises this package's exceptions for the native half's one."""

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except _native.Failed as failed:
            code, message, resp_code, resp_msg, answer = failed.args
            error = _BY_CODE.get(code, PaytendError)(message, Answer._of(answer) if answer else None)
            if isinstance(error, UnsignedFailure):
                error.resp_code, error.resp_msg = resp_code or "", resp_msg or ""
        except UnicodeEncodeError:
            # Its own words would show the text.
            error = UsageError("a text is not Unicode: it has half of a pair of surrogates")
        except OverflowError:
            error = UsageError("a number is negative, or too large")
        raise error

    return wrapper  # type: ignore[return-value]
