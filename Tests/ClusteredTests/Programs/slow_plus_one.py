"""Adds one, half a second a row at the first two rows of a batch."""
import json
import sys
import time

for number, line in enumerate(sys.stdin):
    row = json.loads(line)
    if number % 10 < 2:
        time.sleep(0.5)
    print(json.dumps({"id": row["id"], "n": row["n"] + 1}))
