"""Does what compute.py does, several times faster: it takes all the lines that have come, and answers them at once.

It never waits for a line while it owes an answer, so it needs no flush, and reads until its input ends.
"""

import json
import os
from decimal import Decimal


def field3(row):
    # A null gives a null, as in the SQL of set.yaml.
    if row["field1"] is None or row["field2"] is None:
        return None
    return f"{row['field1'].upper()}-{row['field2'] * 3}"


# Decimal keeps all digits of a numeric column, which a float would not. str writes the number back unchanged.
encode = json.JSONEncoder(default=str).encode


def answer(row):
    # The key is a number here. A key of another type would need encoding, too.
    return f'{{"id":{row["id"]},"field3":{encode(field3(row))}}}\n'


rest = b""
while chunk := os.read(0, 1 << 20):
    # The last line may be incomplete.
    lines, _, rest = (rest + chunk).rpartition(b"\n")
    rows = json.loads(b"[" + lines.replace(b"\n", b",") + b"]", parse_float=Decimal)
    answers = "".join(map(answer, rows)).encode()
    while answers:
        answers = answers[os.write(1, answers):]
