"""Adds one to n, but does something wrong for the keys from FIRST to LAST: misbehave.py HOW FIRST LAST."""

import json
import sys

how, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

for line in sys.stdin:
    row = json.loads(line)
    answer = {"id": row["id"], "n": row["n"] + 1}
    if first <= row["id"] <= last:
        print(f"trouble: {how}", file=sys.stderr, flush=True)
        match how:
            case "dies":
                sys.exit(7)
            case "prints_rubbish":
                print("Segmentation fault? Just kidding", flush=True)
            case "answers_another_key":
                answer["id"] += 1_000_000
            case "answers_twice":
                print(json.dumps(answer), flush=True)
            case "skips_a_row_and_exits":
                for _ in range(3):
                    print(json.dumps(answer), flush=True)
                    answer = json.loads(sys.stdin.readline())
                    answer["n"] += 1
                sys.exit(0)
            case "hangs":
                for _ in sys.stdin:
                    pass
            case "writes_text_to_a_number":
                answer["n"] = "many"
            case "writes_a_number_too_large":
                answer["n"] = 3_000_000_000
            case "forgets_a_column":
                del answer["n"]
    print(json.dumps(answer), flush=True)
