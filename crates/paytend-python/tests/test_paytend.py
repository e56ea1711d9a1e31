"""Tests for the Python API: types, exceptions, threads and frameworks. conformance.py runs the vectors."""

import json
import pickle
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import paytend
import pytest

PARTNER_ID = "888666000100260"
sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))


@pytest.fixture(scope="module")
def keys():
    return paytend.PrivateKey.generate(1024), paytend.PrivateKey.generate(1024)


@pytest.fixture(scope="module")
def rings(keys):
    own, theirs = keys
    return paytend.Keyring(own, theirs.public_key), paytend.Keyring(theirs, own.public_key)


def notification(ring, payload=None, notify_type="2"):
    return ring.seal("notification", {"partnerId": PARTNER_ID, "notifyType": notify_type}, payload)


def test_payload_can_be_a_string_or_a_mapping(rings):
    own, theirs = rings
    text = '{"amount": 1250.07, "n": 1}'
    opened = own.open("notification", notification(theirs, text), partner_id=PARTNER_ID)
    assert opened.payload == text
    assert opened.json() == {"amount": Decimal("1250.07"), "n": 1}
    assert opened.fields["notifyType"] == "2"
    document = notification(theirs, {"name": "Žal", "n": [1, None]})
    for form in (document, document.encode(), bytearray(document.encode()), memoryview(document.encode())):
        assert own.open("notification", form, partner_id=PARTNER_ID).payload == '{"name":"Žal","n":[1,null]}'
    assert own.open("notification", notification(theirs), partner_id=PARTNER_ID).json() is None


def test_exceptions_have_the_expected_class_and_code(rings, keys):
    own, theirs = rings
    document = notification(theirs, {"a": 1})
    opening = lambda *args, **kwargs: (lambda: own.open(*args, **kwargs))  # noqa: E731
    for error, code, work in [
        (paytend.NotAuthentic, "not_authentic", opening("notification", document, partner_id="888666000100999")),
        (paytend.Malformed, "malformed", opening("notification", document[1:], partner_id=PARTNER_ID)),
        (paytend.Malformed, "malformed", opening("notification", document, partner_id=PARTNER_ID, max_bytes=10)),
        (paytend.UsageError, "usage", opening("notification", document)),
        (paytend.UsageError, "usage", opening("notice", document, partner_id=PARTNER_ID)),
        (paytend.UnsignedFailure, "unsigned_failure", opening("response", '{"respCode":"99","respMsg":"no"}')),
        (paytend.Unsealable, "unsealable", lambda: own.seal("request", {})),
        (paytend.UsageError, "usage", lambda: own.seal("request", {"requestId": 1})),
        (paytend.UsageError, "usage", lambda: own.seal("request", {}, {"a": Decimal(1)})),
        (paytend.UsageError, "usage", lambda: own.seal("request", {}, {"a": float("nan")})),
        (paytend.KeyUnusable, "key", lambda: paytend.PrivateKey("no key")),
        (paytend.KeyUnusable, "key", lambda: paytend.PrivateKey.generate(512)),
        (paytend.KeyUnusable, "key", lambda: paytend.PublicKey.from_file("/nowhere/key.pem")),
        (paytend.KeyUnusable, "key", lambda: paytend.Keyring([], [])),
        (paytend.KeyUnusable, "key", lambda: paytend.PayByReceiver([])),
        (paytend.UsageError, "usage", lambda: keys[0].write("jwk")),
        (paytend.UsageError, "usage", lambda: paytend.PaytendReceiver("payout", PARTNER_ID, own)),
    ]:
        with pytest.raises(error) as raised:
            work()
        assert (type(raised.value), raised.value.code, raised.value.__cause__) == (error, code, None)
        assert isinstance(raised.value, paytend.PaytendError) and str(raised.value)
    with pytest.raises(paytend.UnsignedFailure) as raised:
        own.open("response", '{"respCode":"99","respMsg":"no"}')
    assert (raised.value.resp_code, raised.value.resp_msg) == ("99", "no")
    with pytest.raises(TypeError):
        own.open("response", 7)


def test_secrets_are_not_printed_or_pickled(rings, keys):
    own, theirs = rings
    opened = own.open("notification", notification(theirs, {"iban": "CANARY"}), partner_id=PARTNER_ID)
    receiver = paytend.PaytendReceiver("baas", PARTNER_ID, own)
    received = receiver.receive({}, notification(theirs, {"iban": "CANARY"}).encode())
    shown = repr([opened, received, keys, own]) + str(opened) + f"{received}"
    assert "CANARY" not in shown and "BEGIN" not in shown
    with pytest.raises(TypeError):
        pickle.dumps(keys[0])


def test_encoded_keys_can_be_inspected_and_loaded(keys, tmp_path):
    own, _ = keys
    for form in ["pkcs8-pem", "pkcs8-base64", "pkcs1-der"]:
        found = paytend.inspect_key(own.write(form))
        assert (found.private, found.bits, found.format, found.armour) == (True, 1024, *form.split("-"))
        assert paytend.PrivateKey(own.write(form)).public_key.fingerprint == own.public_key.fingerprint
    path = tmp_path / "private.pem"
    path.write_bytes(own.write())
    path.chmod(0o644)
    with pytest.raises(paytend.KeyUnusable, match="0600"):
        paytend.PrivateKey.from_file(path)
    path.chmod(0o600)
    assert paytend.PrivateKey.from_file(path).public_key.fingerprint == own.public_key.fingerprint
    assert paytend.verify(own.public_key, "{}", own.sign("{}")) == own.public_key.fingerprint
    with pytest.raises(paytend.NotAuthentic):
        paytend.verify([own.public_key], b"{} ", own.sign("{}"))
    assert len({paytend.request_id() for _ in range(1000)}) == 1000


def test_scheduled_key_is_used_only_during_its_validity_period(keys):
    own, _ = keys
    day = datetime(2026, 12, 1, tzinfo=timezone.utc)
    scheduled = paytend.ScheduledKey(own.public_key, day, day + timedelta(hours=1))
    receiver = paytend.PayByReceiver(scheduled, max_age=timedelta(minutes=1))
    body = json.dumps({"notify_timestamp": int(day.timestamp() * 1000)}).encode()
    headers = [(b"sign", own.sign(body).encode())]
    received = receiver.receive(headers, body, now=day + timedelta(minutes=1))
    assert (received.provider, received.sent_at, received.content) == ("payby", day, body)
    with pytest.raises(paytend.Rejected) as raised:
        receiver.receive(headers, body, now=day + timedelta(minutes=1, milliseconds=1))
    assert raised.value.response.status == 400
    with pytest.raises(paytend.KeyUnusable) as raised:
        receiver.receive(headers, body, now=day - timedelta(milliseconds=1))
    assert (raised.value.response.status, raised.value.response.headers["retry-after"]) == (503, "60")
    with pytest.raises(paytend.UsageError, match="time zone"):
        receiver.receive(headers, body, now=datetime(2026, 12, 1))


def test_interpreter_lock_is_released_during_key_generation():
    """One thread keeps running while another thread generates a key, which is slow."""
    done = threading.Event()

    def make():
        paytend.PrivateKey.generate(4096)
        done.set()

    ticks = 0
    thread = threading.Thread(target=make)
    thread.start()
    deadline = time.monotonic() + 60
    while not done.is_set() and time.monotonic() < deadline:
        ticks += 1
    thread.join()
    assert ticks > 1000


def test_fastapi_example_handles_notifications(rings):
    from fastapi.testclient import TestClient
    from fastapi_app import make_app

    own, theirs = rings
    seen = set()

    def store(received):
        new = received.dedup_key not in seen
        seen.add(received.dedup_key)
        return new

    client = TestClient(make_app(paytend.PaytendReceiver("baas", PARTNER_ID, own), store))
    for _ in range(2):
        response = client.post("/paytend/baas", content=notification(theirs, {"orderNo": "F1"}))
        assert (response.status_code, response.json()) == (200, {"msg": "success", "status": "00"})
    assert len(seen) == 1
    assert client.post("/paytend/baas", content="{}").status_code == 400
    assert client.post("/paytend/baas", content="x" * 70_000).status_code == 413


def test_django_example_handles_notifications(keys):
    import django
    from django.conf import settings

    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], DATA_UPLOAD_MAX_MEMORY_SIZE=65536)
    django.setup()
    from django.test import RequestFactory
    from django_app import make_view

    own, _ = keys
    received = []
    view = make_view(paytend.PayByReceiver(own.public_key), lambda it: received.append(it) or True)
    body = b'{"notify_id": "N1"}'

    def post(sign):
        return view(RequestFactory().post("/", body, content_type="application/json", headers={"sign": sign}))

    response = post(own.sign(body))
    assert (response.status_code, response.content) == (200, b'{"response":"SUCCESS"}')
    assert received[0].json() == {"notify_id": "N1"}
    assert post(own.sign(b"{}")).status_code == 400


class _Items:
    """A framework's header object, which has items() but is not a Mapping."""

    def __init__(self, pairs):
        self._pairs = pairs

    def items(self):
        return iter(self._pairs)


def test_all_header_and_body_types_are_accepted(keys):
    own, _ = keys
    body = '{"notify_timestamp":1795000000000,"notify_id":"1","name":"Žal"}'
    raw = body.encode()
    sign = own.sign(raw)
    receiver = paytend.PayByReceiver(own.public_key)
    now = datetime.fromtimestamp(1_795_000_000, timezone.utc)
    for headers in (
        {"Sign": sign},
        {"sign": [sign]},
        {"sign": (sign.encode(),)},
        {"content-length": len(raw), "sign": sign, "accept": ["*/*", b"text/html"], "empty": []},
        [("sign", sign)],
        iter([(b"sign", sign.encode())]),
        [["sign", bytearray(sign.encode())]],
        _Items([("sign", sign)]),
        _Items([("a", "1"), ("sign", [sign])]),
    ):
        assert receiver.receive(headers, raw, now=now).provider == "payby"
    for form in (body, bytearray(raw), memoryview(raw)):
        assert receiver.receive({"sign": sign}, form, now=now).content == raw
    # The same signature in two headers counts as one signature, as in every other language.
    assert receiver.receive({"sign": [sign, sign]}, raw, now=now).provider == "payby"


@pytest.mark.parametrize(
    "headers",
    [None, 7, "sign", b"sign", ["sign"], [("sign",)], {"sign": None}, {"sign": 1.5}, {"sign": True}, {7: "x"},
     {"sign": [None]}, {"si\ud800gn": "x"}, {"sign": [["x"]]}, _Items([1, 2]), _Items(None)],
)  # fmt: skip
def test_invalid_headers_cause_a_usage_error(keys, headers):
    receiver = paytend.PayByReceiver(keys[0].public_key)
    if isinstance(headers, _Items) and headers._pairs is None:
        headers.items = lambda: None
    with pytest.raises(paytend.UsageError):
        receiver.receive(headers, b"{}")


@pytest.mark.parametrize("body", [None, 7, ["{}"], {"a": 1}, "\ud800", object()])
def test_invalid_bodies_cause_a_usage_error(keys, body):
    receiver = paytend.PayByReceiver(keys[0].public_key)
    with pytest.raises(paytend.UsageError) as raised:
        receiver.receive({}, body)
    assert "body" in str(raised.value)
    with pytest.raises(paytend.UsageError):
        receiver.receive({}, b"{}", now="yesterday")
