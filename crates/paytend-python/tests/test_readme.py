"""Tests README.md: runs its code blocks unchanged, and checks its statements."""

import json
import logging
import os
import re
import shlex
import subprocess
import sys
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import paytend
import pytest

PARTNER_ID = "888666000100260"
ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


class Store:
    """An in-memory database for the README's handler."""

    def __init__(self):
        self.keys, self.repeats, self.reviews, self.applied = set(), [], [], []

    @contextmanager
    def transaction(self):
        yield self

    def insert_key(self, key):
        new = key not in self.keys
        self.keys.add(key)
        return new

    def store_repeat(self, key, about):
        self.repeats.append((key, about))

    def store_for_review(self, content, problem):
        self.reviews.append((content, problem))

    def apply(self, content):
        self.applied.append(content)


@pytest.fixture
def readme(tmp_path, monkeypatch):
    """Runs the README's code blocks. Returns the names that they define, Paytend's keyring, and the store."""
    own, theirs = paytend.PrivateKey.generate(1024), paytend.PrivateKey.generate(1024)
    (tmp_path / "private.pem").write_bytes(own.write())
    (tmp_path / "private.pem").chmod(0o600)
    (tmp_path / "paytend.pem").write_bytes(theirs.public_key.write())
    monkeypatch.chdir(tmp_path)
    store = Store()
    names = {"log": logging.getLogger("readme"), "transaction": store.transaction}
    for number, block in enumerate(blocks("python")):
        exec(compile(block, f"README.md, block {number}", "exec"), names)
    return names, paytend.Keyring(theirs, own.public_key), store


def notification(sender, payload, notify_type="2"):
    fields = {"partnerId": PARTNER_ID, "notifyType": notify_type}
    return sender.seal("notification", fields, payload).encode()


def test_every_readme_code_block_is_run():
    assert re.findall(r"^```(\w+)$", README, re.MULTILINE) == ["sh", "python", "python"]
    install, shown = blocks("sh")[0].splitlines()
    # The wheel is already installed, so this command is compared but not run.
    assert install == "pip install paytend"
    program, *arguments = shlex.split(shown)
    assert program == "python"
    printed = subprocess.run([sys.executable, "-I", *arguments], capture_output=True, text=True, check=True).stdout
    assert printed == f"{paytend.__version__}\n"


def test_seal_adds_a_request_id(readme):
    names, paytends, _ = readme
    opened = paytends.open("request", names["document"], partner_id=PARTNER_ID)
    assert opened.fields["requestId"] == names["request_id"] and len(names["request_id"]) == 32
    assert opened.payload == '{"orderNo":"A-1001","amount":"12.50"}'
    keyring = names["keyring"]
    again = keyring.seal("request", {"partnerId": PARTNER_ID}, {})
    assert json.loads(again)["requestId"] != names["request_id"]
    kept = keyring.seal("request", {"partnerId": PARTNER_ID, "requestId": names["request_id"]})
    assert json.loads(kept)["requestId"] == names["request_id"]
    with pytest.raises(paytend.Unsealable, match="`requestId`"):
        keyring.seal("request", {"partnerId": PARTNER_ID, "requestId": ""})
    assert "requestId" not in json.loads(notification(paytends, None))


def test_error_for_decimal_in_payload_names_the_field(readme):
    payload = {"order": [{"amount": Decimal("12.50")}]}
    with pytest.raises(paytend.UsageError, match=r"`payload\.order\[0\]\.amount` is a Decimal") as raised:
        readme[0]["keyring"].seal("request", {"partnerId": PARTNER_ID}, payload)
    assert "12.50" not in str(raised.value)


def test_amounts_are_parsed_as_decimal(readme):
    names, sender, store = readme
    for number, amount in enumerate(["250", "250.07", "0.1", "1e2", "0"]):
        payload = f'{{"orderNo":"F{number}","currency":"EUR","amount":{amount}}}'
        response = names["handle"]({}, notification(sender, payload))
        assert (response.status, response.body) == (200, b'{"msg":"success","status":"00"}')
        applied = store.applied[-1]["amount"]
        assert type(applied) is Decimal and applied == Decimal(amount)
    assert (len(store.applied), store.repeats, store.reviews) == (5, [], [])
    document = notification(sender, '{"amount":5,"text":"5.00"}')
    opened = names["keyring"].open("notification", document, partner_id=PARTNER_ID)
    assert [type(value) for value in opened.json().values()] == [Decimal, str]


def test_second_delivery_is_recorded_as_a_repeat(readme):
    names, sender, store = readme
    for _ in range(2):
        payload = {"transactionId": "T1", "tradeStatus": 2}
        assert names["handle"]({}, notification(sender, payload)).status == 200
    names["handle"]({}, notification(sender, {"transactionId": "T1", "tradeStatus": 3}))
    assert len(store.keys) == 2
    [(key, about)] = store.repeats
    assert key in store.keys
    assert about == paytend.BusinessKey(kind="deposit", id="T1", state="2")


def test_untyped_notification_is_stored_unchanged(readme):
    names, sender, store = readme
    for payload, notify_type in [('{"new": 1}', "77"), ('{"amount": "many"}', "2")]:
        assert names["handle"]({}, notification(sender, payload, notify_type)).status == 200
    assert [content for content, _ in store.reviews] == [b'{"new": 1}', b'{"amount": "many"}']
    assert store.applied == []


def test_rejection_has_a_response_and_a_reason(readme, caplog):
    names, sender, store = readme
    response = names["handle"]({}, b"{")
    assert response.status == 400
    [record] = caplog.records
    assert "JSON ends too early at line 1 column 1" in record.getMessage()
    assert b"JSON" not in response.body and response.body == names["handle"]({}, b"x").body
    assert not store.keys
    # A usage error contains no response, so the handler asks the sender to retry.
    assert names["handle"]({"sign": None}, b"{}").status == 503


def test_every_error_code_has_an_exception_class():
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|$", README, re.MULTILINE)
    assert [code for _, code in rows] == [
        "usage", "not_authentic", "malformed", "payload", "unsigned_failure", "unsealable", "key", "unavailable",
        "rejected", "internal",
    ]  # fmt: skip
    for name, code in rows:
        error = getattr(paytend, name)
        assert error.code == code and issubclass(error, paytend.PaytendError)
    assert {error.code for error in paytend.PaytendError.__subclasses__()} == {code for _, code in rows[:-1]}


def test_both_examples_exist():
    # test_paytend.py runs the examples.
    assert sorted(os.listdir(ROOT / "examples")) == ["django_app.py", "fastapi_app.py"]


def test_readme_lines_have_at_most_120_columns():
    assert max(map(len, README.splitlines())) <= 120
