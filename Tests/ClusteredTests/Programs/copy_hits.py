"""Copies hits, slowly: what it read grows stale meanwhile."""

import json
import sys
import time

for line in sys.stdin:
    row = json.loads(line)
    time.sleep(0.001)
    print(json.dumps({"id": row["id"], "copy": row["hits"]}), flush=True)
