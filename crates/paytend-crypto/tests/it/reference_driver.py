"""Runs many jobs through the reference implementation in one process.

Usage: reference_driver.py DIRECTORY, where DIRECTORY contains paytend_reference.py.
Reads one JSON job per line from standard input, {"command": ..., "job": ...}, and writes one JSON response per line to
standard output.
"""
import json
import sys

sys.path.insert(0, sys.argv[1])
import paytend_reference as reference  # noqa: E402

for line in sys.stdin:
    request = json.loads(line)
    try:
        response = reference.COMMANDS[request["command"]](request["job"])
    except reference.Refused as refused:
        response = {"error": str(refused)}
    print(json.dumps(response))
