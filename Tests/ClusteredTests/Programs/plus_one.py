"""Adds one to n."""

import json
import os
import sys

key = os.environ["COORD_KEY"]

for line in sys.stdin:
    row = json.loads(line)
    print(json.dumps({key: row[key], "n": row["n"] + 1}), flush=True)
