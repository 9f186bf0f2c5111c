"""coord's own batch as a pgbench script, with shards in the ledger for it to advance."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

OWNER = "00000000-0000-4000-8000-000000000001"

# One shard a client, each with an equal count of rows: the number of batches is then known beforehand.
_SETUP = """
DELETE FROM coord.run WHERE name = 'pgbench-batch';
WITH made AS (
    INSERT INTO coord.run (name, definition, directory, fingerprint, table_name, rows_estimated, state)
    VALUES ('pgbench-batch', '', '', '', 'the_object', 0, 'running') RETURNING id AS run
)
INSERT INTO coord.shard (run_id, id, after_key, through_key, rows_estimated, state, epoch, owner)
SELECT run, tile - 1, ARRAY[(min(id) - 1)::text], ARRAY[max(id)::text], count(*), 'running', 1, '{owner}'
FROM made, (SELECT id, ntile({clients}) OVER (ORDER BY id) AS tile FROM the_object) AS tiled GROUP BY run, tile;
"""

# What the variables of coord's script are at first, of the client's own shard. The statement's answer moves the last two on.
_FIRST = """\\if :started
\\else
{prepare};
SELECT run_id AS run, shard.id AS shard, epoch, owner, through_key AS through,
    sequence AS coord_sequence, after_key AS coord_checkpoint
FROM coord.shard JOIN coord.run ON run.id = run_id WHERE name = 'pgbench-batch' AND shard.id = :client_id \\gset
\\set started 1
\\endif
"""


@dataclass(frozen=True)
class BatchScript:
    """What pgbench is given."""

    script: Path
    options: str


def write(coord: Path, directory: Path, expression: str, clients: int, rows_per_batch: int) -> BatchScript:
    """Write the script and make its shards, outside of any measured time."""
    job = directory / "batch.yaml"
    job.write_text(f"name: pgbench-batch\ntable: public.the_object\nkey: id\nbatch: {{ rows: {rows_per_batch} }}\n"
                   f"set:\n  field3: {expression}\n")
    subprocess.run([coord, "ledger", "install"], check=True, stdout=subprocess.DEVNULL)
    answer = json.loads(subprocess.run([coord, "batch-statement", job, "--json"], check=True, capture_output=True).stdout)
    script = directory / "batch.pgbench"
    script.write_text(_FIRST.format(prepare=answer["prepare"]) + f"{answer['execute']} \\gset\n")
    subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"], check=True, stdout=subprocess.DEVNULL,
                   input=_SETUP.format(owner=OWNER, clients=clients), text=True)
    pairs = [re.fullmatch(r"SET (\w+) = '?(\w+)'?", setting) for setting in answer["settings"]]
    return BatchScript(script, " ".join(f"-c {pair[1]}={pair[2]}" for pair in pairs if pair))
