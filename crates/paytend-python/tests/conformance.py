"""The conformance program of the Python binding.

Its output must match the output of examples/conformance.rs in paytend-bindings.

Usage: conformance.py VECTORS vectors FILE | seal FILE | open FILE...
"""

import base64
import json
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import paytend

PARTNER_ID = "888666000100260"
KINDS = {"bizData": "request", "respData": "response", "content": "notification"}
VECTORS = Path(sys.argv[1])


def read(name):
    return json.loads((VECTORS / name).read_text())


KEYS = {name: key for name, key in read("keys.json").items() if name != "note"}


def private(name):
    return paytend.PrivateKey(KEYS[name]["private"])


def public(name):
    return paytend.PublicKey(KEYS[name]["public"])


def keyring(own, peer):
    return paytend.Keyring(private(own), public(peer))


def opened(ring, kind, document, signed):
    partner_id = None if kind == "response" else PARTNER_ID
    return ring.open(kind, document, partner_id=partner_id, payload_signed=signed)


def outcome(work):
    try:
        return "ok", work()
    except paytend.PaytendError as error:
        return error.code, error


def require(holds, what):
    if not holds:
        raise SystemExit(f"conformance: {what}")


def vectors():
    lines = []
    for name, key in KEYS.items():
        forms = ["private", "private_pkcs1_pem", "private_pkcs8_pem", "public", "public_pkcs1_pem"]
        infos = [paytend.inspect_key(key[form]) for form in forms]
        require([info.private for info in infos] == [True] * 3 + [False] * 2, name)
        require(len({info.fingerprint for info in infos}) == 1, name)
        lines.append(f"keys/{name}: {infos[0].fingerprint}")
    for case in read("envelope.json"):
        ring, kind = keyring(case["receiver"], case["sender"]), KINDS[case["payload_field"]]
        code, result = outcome(lambda: opened(ring, kind, case["wire"], case["sign_payload"]))
        lines.append(f"envelope/{case['name']}: {code}")
        require((result.payload, result.canonical) == (case["payload"], case["canonical"]), case["name"])
    cases, own = read("refuse.json"), keyring("partner", "paytend")
    for case in cases:
        if case.get("wire") is not None:
            document = case["wire"].encode()
        elif case.get("wire_base64") is not None:
            document = base64.b64decode(case["wire_base64"])
        elif case["name"] == "json/deep nesting":
            document = b"[" * 100_000
        else:
            require(case["name"] == "randomKey/a million blocks", case["name"])
            fields = json.loads(next(other["wire"] for other in cases if other["name"] == "signature/one bit"))
            fields["randomKey"] = base64.b64encode(bytes(128_000_000)).decode()
            document = json.dumps(fields).encode()
        code, _ = outcome(lambda: opened(own, KINDS[case["kind"]], document, True))
        require(code != "ok", case["name"])
        lines.append(f"refuse/{case['name']}: {code}")
    start = datetime(1970, 1, 1, tzinfo=timezone.utc)
    receivers = {
        "payby": (paytend.PayByReceiver(public("payby")), 1_586_849_300_000),
        "payermax": (paytend.PayerMaxReceiver([("P01010113842047", public("payermax"))]), 1_670_837_217_628),
    }
    for case in read("detached.json"):
        receiver, now = receivers[case["key"]]
        body = base64.b64decode(case["body_base64"])
        now = start + timedelta(milliseconds=now)
        code, result = outcome(lambda: receiver.receive({"Sign": case["sign"]}, body, now=now))
        require((code == "ok") == case["valid"], case["name"])
        if code == "ok":
            require(result.content == body, case["name"])
        else:
            require(result.response.status == 400, case["name"])
        lines.append(f"detached/{case['name']}: {result.dedup_key if code == 'ok' else code}")
    for case in read("rsa_blocks.json"):
        plain = private(case["key"]).hazmat_decrypt_blocks(base64.b64decode(case["wire"]))
        require(plain == case["plain"].encode(), case["name"])
        lines.append(f"rsa_blocks/{case['name']}: ok")
    theirs = keyring("paytend", "partner")
    for file in sorted((VECTORS / "samples").glob("*.json")):
        for sample in json.loads(file.read_text())["samples"]:
            payload = json.dumps(sample["sample"], ensure_ascii=False)
            document = own.seal("request", SENT[0][3], payload)
            require(opened(theirs, "request", document, True).payload == payload, sample["name"])
            lines.append(f"samples/{file.stem}/{sample['name']}: ok")
    lines += [f"arguments/{name}: {outcome(work)[0]}" for name, work in odd_arguments(own, public("payby")).items()]
    return "".join(f"{line}\n" for line in lines)


def odd_arguments(own, key):
    fields = {"partnerId": PARTNER_ID}
    return {
        "request without a partner": lambda: own.open("request", b"{}"),
        "request with an empty partner": lambda: own.open("request", b"{}", partner_id=""),
        "response with a partner": lambda: own.open("response", b"{}", partner_id=PARTNER_ID),
        "payload that is not Unicode": lambda: own.seal("request", fields, '{"name":"\ud83d"}'),
        "field that is not Unicode": lambda: own.seal("request", {**fields, "note": "\ud83d"}, ""),
        "receiver with an empty partner": lambda: paytend.PaytendReceiver("baas", "", own),
        "PayerMax without a merchant": lambda: paytend.PayerMaxReceiver([("", key)]),
        "PayBy without a key": lambda: paytend.PayByReceiver([]),
        "size limit of 0": lambda: paytend.PayByReceiver(key, max_bytes=0),
        "maximum age of 0": lambda: paytend.PayByReceiver(key, max_age=timedelta(0)),
        "512-bit key": lambda: paytend.PrivateKey.generate(512),
    }


SENT = [
    ("request", "partner", "paytend", {"partnerId": PARTNER_ID, "requestId": "0123456789abcdef0123456789abcdef"}),
    ("response", "paytend", "partner", {"respCode": "00", "respMsg": "got it & more"}),
    ("notification", "paytend_2048", "partner_2048", {"partnerId": PARTNER_ID, "notifyType": "2"}),
]
PAYLOADS = [("", True), ('{"amount":"0.10","name":"Žalgirio & Söhne 中文 💶"}', True), ('{"a":1}', False)]


def sealed():
    return [
        {
            "kind": kind, "sender": sender, "receiver": receiver, "payload": payload, "signed": signed,
            "document": keyring(sender, receiver).seal(kind, fields, payload, payload_signed=signed),
        }
        for kind, sender, receiver, fields in SENT
        for payload, signed in PAYLOADS
    ]  # fmt: skip


def open_all(file):
    messages = json.loads(Path(file).read_text())
    require(len(messages) == 9, file)
    for it in messages:
        result = opened(keyring(it["receiver"], it["sender"]), it["kind"], it["document"], it["signed"])
        require(result.payload == it["payload"], file)


verb, files = sys.argv[2], sys.argv[3:]
if verb == "vectors":
    Path(files[0]).write_text(vectors())
elif verb == "seal":
    Path(files[0]).write_text(json.dumps(sealed()))
else:
    for file in files:
        open_all(file)
