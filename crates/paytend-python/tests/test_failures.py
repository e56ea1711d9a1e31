"""Tests that error messages name the file, field or argument, and contain no personal data."""

import os
import re
from datetime import datetime, timedelta, timezone

import paytend
import pytest

PARTNER_ID = "888666000100260"
NOW = datetime(2026, 12, 1, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def own():
    return paytend.PrivateKey.generate(1024)


def test_error_for_missing_key_file_names_the_path(tmp_path):
    path = tmp_path / "absent.pem"
    for kind in (paytend.PrivateKey, paytend.PublicKey):
        with pytest.raises(paytend.KeyUnusable, match=rf"cannot read the key file {re.escape(str(path))}: "):
            kind.from_file(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")
def test_error_for_insecure_key_file_names_path_and_mode(tmp_path, own):
    path = tmp_path / "private.pem"
    path.write_bytes(own.write())
    path.chmod(0o644)
    with pytest.raises(paytend.KeyUnusable) as raised:
        paytend.PrivateKey.from_file(path)
    message = str(raised.value)
    assert str(path) in message and "644" in message and "0600" in message
    assert "BEGIN" not in message


def test_rejection_message_includes_the_cause(own):
    receiver = paytend.PayByReceiver(own.public_key, max_age=timedelta(minutes=1))
    body = b'{"notify_timestamp":%d,"name":"CANARY"}' % (NOW.timestamp() * 1000)
    headers = {"sign": own.sign(body)}
    for late, said in [
        (timedelta(hours=2), "the notification was sent 2 h ago; `max_age` is 1 min"),
        (-timedelta(hours=9), "the notification is dated 9 h in the future, but "),
    ]:
        with pytest.raises(paytend.Rejected) as raised:
            receiver.receive(headers, body, now=NOW + late)
        assert said in str(raised.value) and "CANARY" not in str(raised.value)
    with pytest.raises(paytend.NotAuthentic, match="^rejected: the message is not authentic$"):
        receiver.receive({"sign": own.sign(b"{}")}, body, now=NOW)
    later = paytend.PayByReceiver(paytend.ScheduledKey(own.public_key, NOW + timedelta(days=1)))
    with pytest.raises(paytend.KeyUnusable, match="^cannot verify now: "):
        later.receive(headers, body, now=NOW)


def test_error_names_the_invalid_field(own):
    ring = paytend.Keyring(own, own.public_key)
    for fields, error, name in [
        ({}, paytend.Unsealable, "`partnerId`"),
        ({"partnerId": PARTNER_ID, "note": "CANARY&x=y"}, paytend.Unsealable, "`note`"),
        ({"partnerId": 4711}, paytend.UsageError, "`partnerId`"),
        ({"partnerId": "CANARY\ud800"}, paytend.UsageError, "`partnerId`"),
    ]:
        with pytest.raises(error, match=name) as raised:
            ring.seal("request", fields)
        assert "CANARY" not in str(raised.value) and "4711" not in str(raised.value)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"a": float("nan")}, r"`payload\.a` is not a finite number"),
        ({"a": [{"b": {1}}]}, r"`payload\.a\[0\]\.b` is a set"),
        ({("a",): 1}, "`payload` has a name that is not a str"),
    ],
)
def test_error_names_the_value_that_json_cannot_represent(own, payload, said):
    with pytest.raises(paytend.UsageError, match=said):
        paytend.Keyring(own, own.public_key).seal("request", {"partnerId": PARTNER_ID}, payload)


@pytest.mark.parametrize("body", [b'{"name":"CANARY"', b"[" * 100_000, b'{"a":NaN}', b'{"a":1e99999999999999999999}'])
def test_invalid_json_content_causes_a_payload_error(own, body):
    receiver = paytend.PayByReceiver(own.public_key)
    try:
        received = receiver.receive({"sign": own.sign(body)}, body)
    except paytend.PaytendError as error:
        assert "CANARY" not in str(error)
        return
    with pytest.raises(paytend.PayloadError) as raised:
        received.json()
    assert raised.value.__cause__ is None and "CANARY" not in str(raised.value)
