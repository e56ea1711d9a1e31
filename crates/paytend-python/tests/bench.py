"""Measures how long it takes to open messages with this package, and with handwritten code that uses `cryptography`.

Usage: bench.py FILE (see examples/bench.rs in paytend-bindings)
"""

import base64
import json
import sys
import time

import paytend
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

PARTNER_ID = "888666000100260"


class ByHand:
    def __init__(self, job):
        self.private = serialization.load_der_private_key(base64.b64decode(job["private"]), None)
        self.public = serialization.load_der_public_key(base64.b64decode(job["public"]))

    def open(self, document):
        fields = json.loads(document)
        signature = base64.b64decode(fields.pop("signature"))
        key = self.private.decrypt(base64.b64decode(fields["randomKey"]), padding.PKCS1v15())
        decryptor = Cipher(algorithms.AES(key), modes.ECB()).decryptor()
        padded = decryptor.update(base64.b64decode(fields["content"])) + decryptor.finalize()
        unpadder = PKCS7(128).unpadder()
        payload = (unpadder.update(padded) + unpadder.finalize()).decode()
        fields["randomKey"], fields["content"] = key.decode(), payload
        if fields["partnerId"] != PARTNER_ID:
            raise ValueError("the message is for another partner")
        signed = "&".join(f"{name}={fields[name]}" for name in sorted(fields) if fields[name] and name != "encryptFlag")
        self.public.verify(signature, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return payload


class Ours:
    def __init__(self, job):
        self.ring = paytend.Keyring(paytend.PrivateKey(job["private"]), paytend.PublicKey(job["public"]))

    def open(self, document):
        return self.ring.open("notification", document, partner_id=PARTNER_ID).payload


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        jobs = json.load(file)
    ways = {(name, bits): way(job) for bits, job in jobs.items() for name, way in [("ours", Ours), ("hand", ByHand)]}
    for (_, bits), way in ways.items():
        assert way.open(jobs[bits]["document"].encode()) == jobs[bits]["payload"]
    for line in sys.stdin:
        name, bits, count = line.split()
        way, document = ways[name, bits], jobs[bits]["document"].encode()
        start = time.perf_counter_ns()
        for _ in range(int(count)):
            way.open(document)
        print(time.perf_counter_ns() - start, flush=True)


main()
