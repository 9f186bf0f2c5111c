"""The compute program of the benchmark's job: one JSON object a line in, one a line out."""

import json
import sys


def f(row):
    return f"{row['field1'].upper()}-{row['field2'] * 3}"


for line in sys.stdin:
    r = json.loads(line)
    print(json.dumps({"id": r["id"], "field3": f(r)}))
