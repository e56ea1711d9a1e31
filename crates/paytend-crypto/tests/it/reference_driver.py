"""Runs many jobs through the reference implementation in one process.

usage: reference_driver.py FOLDER-OF-paytend_reference.py
One JSON job a line on standard input, {"command": ..., "job": ...}; one JSON answer a line on standard output.
"""
import json
import sys

sys.path.insert(0, sys.argv[1])
import paytend_reference as reference  # noqa: E402

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = reference.COMMANDS[request["command"]](request["job"])
    except reference.Refused as refused:
        answer = {"error": str(refused)}
    print(json.dumps(answer))
