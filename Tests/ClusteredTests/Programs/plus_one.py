"""Adds one to n."""

import json
import sys

for line in sys.stdin:
    row = json.loads(line)
    print(json.dumps({"id": row["id"], "n": row["n"] + 1}), flush=True)
