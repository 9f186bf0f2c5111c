#!/usr/bin/env bash
# The demo: a private PostgreSQL, a table of ROWS rows (default 1,000,000), one run of coord over it, and a check of
# every row. It can be repeated, since the table is made anew each time. `make demo` builds the release and then calls
# this script.
set -euo pipefail

rows=${ROWS:-1000000}
rows=${rows//[,_]/}
[[ $rows =~ ^[1-9][0-9]*$ ]] || { echo "demo: ROWS must be a number, not $rows" >&2; exit 64; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cd "$here/../.."
command -v swift >/dev/null || { echo "demo: no swift in PATH: https://www.swift.org/install" >&2; exit 1; }
coord=$(swift build -c release --show-bin-path)/coord
[[ -x $coord ]] || { echo "demo: $coord is not built: make demo" >&2; exit 1; }
if [[ .build/release/coord -ef $coord ]]; then coord=.build/release/coord; fi # shorter to read and to type

# The caller's own PGHOST and so on would lead the demo to another server.
# shellcheck disable=SC2086
unset ${!PG@}
"$here/postgres.sh" start
eval "$("$here/postgres.sh" env)"

ask() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }
step() { printf '\n== %s\n' "$*"; }

step "Making public.the_object with $rows rows"
# Runs of an earlier demo in the ledger are about a table that is gone.
"$coord" ledger drop --yes >/dev/null 2>&1 </dev/null || true
# A row has about 290 bytes. The ids grow unevenly and have wide holes, like those of a table that is years old.
# There is no fillfactor: a table that somebody must change all over mostly has the default of 100, without room on its
# pages for new row versions, and the speed shown here should be that of such a table. (When all rows change, a
# fillfactor of 85 makes one update in six a HOT update, and one of 50 nearly all, with a table twice as large.)
ask -v rows="$rows" <<'SQL'
set client_min_messages = warning;
drop table if exists public.the_object;
create table public.the_object (
    id      bigint primary key,
    field1  text not null,
    field2  int not null,
    field3  text,
    padding text
);
insert into public.the_object
select i * 5 + (hashint8(i) & 3) + i / 100000 * 30000000, 'name-' || i, i % 1000003, null, repeat(md5(i::text), 7)
from generate_series(1, :rows::bigint) as i;
vacuum analyze public.the_object;
checkpoint;
SQL
ask -F '  ' -c "select 'id from ' || min(id) || ' to ' || max(id), pg_size_pretty(pg_total_relation_size('the_object'))
                from the_object"

step "$coord start Config/demo.yaml --workers 8 --new"
"$coord" start Config/demo.yaml --workers 8 --new || { echo "demo: FAILED: coord ended with status $?" >&2; exit 1; }

step "Checking every row"
read -r present wrong < <(ask -F ' ' -c "
    select count(*), count(*) filter (where field3 is distinct from upper(field1) || '-' || field2 * 3) from the_object")
if [[ $present -ne $rows || $wrong -ne 0 ]]; then
    echo "demo: FAILED: $present of $rows rows are there, $wrong of them hold a wrong value" >&2
    exit 1
fi
echo "$present rows verified: none is missing, every one holds the new value"
ask -F '  ' -c "select id, field1, field2, field3 from the_object order by id limit 3"

cat <<TEXT

== Your own table
  1. Write a job file, say my.yaml, on the pattern of Config/demo.yaml: its name, the table, and under "set" what each column
     shall become.
  2. Say where the database is:   export PGHOST=db.example.com PGDATABASE=app PGUSER=me
  3. See what would be done:      $coord plan my.yaml
  4. Do it:                       $coord start my.yaml --workers 8
The demo's server still runs. Look at it:  eval "\$(Cluster/local/postgres.sh env)" && psql
Remove all that the demo made:             make clean-demo
TEXT
