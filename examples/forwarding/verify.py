"""Verifies a notification that `paytend inbox serve --forward-to` has posted. It needs only Python's standard library.

Ignore a `webhook-id` that your service has already processed: a notification can be posted more than once.
"""

import base64
import hashlib
import hmac
import time


def verify(secret, headers, body, now=None):
    """Returns whether the body is authentic. `headers` has names in lower case, and `body` is the bytes as received."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    identifier, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    if abs((now or time.time()) - int(timestamp)) > 300:
        return False
    signed = f"{identifier}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(expected, given) for given in headers["webhook-signature"].split(" "))


if __name__ == "__main__":
    import os
    import sys

    names = ["webhook-id", "webhook-timestamp", "webhook-signature"]
    given = {name: os.environ[name.upper().replace("-", "_")] for name in names}
    print("valid" if verify(os.environ["SECRET"], given, sys.stdin.buffer.read()) else "invalid")
