"""Computes field3 from field1 and field2, for command.yaml.

One row comes in as one line of JSON; one line of JSON with its key goes out for it, in any order.
In:   {"id": 7, "field1": "abc", "field2": 2}
Out:  {"id": 7, "field3": "ABC-6"}
"""

import json
import sys
from decimal import Decimal


def field3(row):
    # A null gives a null, as in the SQL of set.yaml.
    if row["field1"] is None or row["field2"] is None:
        return None
    return f"{row['field1'].upper()}-{row['field2'] * 3}"


for line in sys.stdin:
    # Decimal keeps all digits of a numeric column, which a float would not. str writes the number back unchanged.
    row = json.loads(line, parse_float=Decimal)
    print(json.dumps({"id": row["id"], "field3": field3(row)}, default=str))
