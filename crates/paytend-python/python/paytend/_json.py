"""JSON parsing and serialization. Numbers keep all their digits, and errors do not reveal values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Optional, Union

from .errors import PayloadError, UsageError


def read_json(text: Union[str, bytes], what: str) -> Any:
    """Parses JSON. Every number becomes a ``Decimal``, so that its type does not depend on its value."""
    if not text:
        return None
    try:
        return json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse)
    except (ValueError, ArithmeticError, RecursionError):
        # The original error would reveal the input.
        raise PayloadError(f"the {what} is not valid JSON") from None


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def write_json(payload: Any) -> str:
    """Serializes a payload as JSON."""
    try:
        return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain)
    except (TypeError, ValueError, RecursionError):
        pass
    try:
        problem = _find_problem(payload, "payload")
    except RecursionError:
        problem = None
    raise UsageError(problem or "cannot serialize the payload as JSON: it is nested too deep")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def _find_problem(value: Any, path: str) -> Optional[str]:
    """Returns a description of the first value that JSON cannot represent, with its path."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if not isinstance(name, str):
                return f"`{path}` has a name that is not a str"
            if problem := _find_problem(inner, f"{path}.{name[:32]}"):
                return problem
        return None
    if isinstance(value, (list, tuple)):
        found = (_find_problem(inner, f"{path}[{at}]") for at, inner in enumerate(value))
        return next((problem for problem in found if problem), None)
    if isinstance(value, Decimal):
        return f"`{path}` is a Decimal; write an amount as a str: str(amount)"
    if isinstance(value, float) and not math.isfinite(value):
        return f"`{path}` is not a finite number"
    if value is None or isinstance(value, (str, int, float)):
        return None
    return f"`{path}` is a {type(value).__name__}, which JSON cannot represent"
