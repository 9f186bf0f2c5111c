#!/usr/bin/env bash
# The demo on three hosts: PostgreSQL and the coordinator on host1, workers on host2 and host3. In the middle of the run host3
# is cut off the network, and comes back later. The workers join over the network, each host with a key of its own. In the end every row must have been changed exactly once. The hosts are those of
# lab.sh, made for this and removed afterwards. `make demo-cluster` builds the release and then calls this.
# ROWS: how many rows (default 2,000,000). WORKERS: how many on each of the two hosts (default 2). COORD_BIN: the program, when it
# is not the release of this checkout.
set -euo pipefail

rows=${ROWS:-2000000}
rows=${rows//[,_]/}
workers=${WORKERS:-2}
[[ $rows =~ ^[1-9][0-9]{0,8}$ ]] || { echo "demo: ROWS must be 1 to 999999999, not $rows" >&2; exit 64; }
[[ $workers =~ ^[1-9][0-9]?$ ]] || { echo "demo: WORKERS must be 1 to 99, not $workers" >&2; exit 64; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cd "$here/../.."
coord=${COORD_BIN:-$(swift build -c release --show-bin-path)/coord}
[[ -x $coord ]] || { echo "demo: $coord is not built: make demo-cluster" >&2; exit 1; }

export COORD_LAB=demo COORD_LAB_SECONDS=3600
longest=900 # seconds for the whole run

lab() { "$here/lab.sh" "$@"; }
on() { local host=$1; shift; lab exec "$host" -- "$@"; }
ask() { on host1 psql -XqAt -v ON_ERROR_STOP=1 "$@"; }
step() { printf '\n== %s\n' "$*"; }
fail() { printf 'demo: FAILED: %s\n' "$*" >&2; exit 1; }

listen="tcp://*:7717" connect=tcp://host1:7717
keys=.config/coord/keys

# What runs in the background ends with the lab. Of a progress line only what fits on a screen is shown.
labelled() { sed -uE "s/^/  $1  /; s/, ETA [^;]*, ([0-9]+ workers?)[^;]*/, \1/"; }
background() { local host=$1; shift; exec "$here/lab.sh" exec "$host" -- "$@" </dev/null > >(labelled "$host") 2>&1; }

work=$(mktemp -d)
members=()
clean_up() {
    trap '' INT TERM HUP
    lab down >/dev/null 2>&1 || echo "demo: lab.sh down failed: COORD_LAB=demo Cluster/lab/lab.sh down" >&2
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# until_it SECONDS WHAT COMMAND…: WHAT completes "it took over 10 s until …".
until_it() {
    local seconds=$1 what=$2 end=$((SECONDS + $1))
    shift 2
    until "$@"; do
        kill -0 "$coordinator" 2>/dev/null || fail "the coordinator ended before $what (more ROWS make the run longer)"
        ((SECONDS < end)) || fail "it took over $seconds s until $what"
        sleep 0.2
    done
}
said() { grep -q "$1" "$work/log"; }
done_of() { ask -c "select coalesce(sum(rows_done), 0) from coord.shard"; }
percent_is() { (($(done_of) * 100 / rows >= $1)); }
joined() { (($(ask -c "select count(*) from coord.worker") == 2 * workers)); }
# Some worker of host3 has got a shard since the time that is named.
works_since() {
    [[ $(ask -v since="$1" <<<"
        select exists (select from coord.attempt as a join coord.worker as w on w.id = a.worker
            where w.host = 'host3' and a.started_at > :'since')") == t ]]
}

# ---------------------------------------------------------------------------------------------------------------------

step "Three hosts, each with its own network"
lab up 3
lab status | tail -n 3 | awk '{ print $1, $2 }'
install -m 755 "$coord" "$(lab bin)/coord"

step "host1: a table of $rows rows, and a job"
ask -v rows="$rows" <<'SQL'
set client_min_messages = warning;
create table public.the_object (
    id      bigint primary key,
    field1  text not null,
    field2  int not null,
    field3  text,
    changed int not null default 0
);
insert into public.the_object
select i, 'name-' || i, i % 1000003 from generate_series(1, :rows::bigint) as i;
vacuum analyze public.the_object;
SQL
# Small batches, so that the run lasts a while.
on host1 tee demo.yaml <<'JOB'
name: demo
table: public.the_object
set:
  field3: upper(field1) || '-' || field2 * 3
  changed: changed + 1
shards: 64
batch: { rows: 10 }
JOB

step "host1: a key for each of the other hosts, which ssh carries there"
for host in host2 host3; do
    on host1 coord keys new "$host" | sed -n 's/^/  /;1p'
    on host1 ssh "$host" "mkdir -p -m 700 .config .config/coord $keys"
    on host1 scp -q "$keys/$host.key" "$keys/coordinator.pub" "$host:$keys/"
done

step "host1: coord start demo.yaml --workers 0 --listen $listen"
touch "$work/log"
(exec "$here/lab.sh" exec host1 -- timeout "$longest" coord start demo.yaml --workers 0 --listen "$listen" </dev/null \
    2> >(tee "$work/log" | labelled host1) >"$work/summary") &
coordinator=$!
until_it 60 "workers could join" said "workers may join"

step "host2, host3: coord worker --connect $connect"
for host in host2 host3; do
    for ((i = 0; i < workers; i++)); do background "$host" coord worker --connect "$connect" & members+=($!); done
done
until_it 60 "all workers had joined" joined
until_it "$longest" "30 % of the rows were done" percent_is 30

step "host3 is cut off the network"
lab cut host3 >/dev/null
until_it 60 "the coordinator missed the workers of host3" said "worker host3 pid .* is silent"
until_it "$longest" "60 % of the rows were done" percent_is 60

step "host3 is back"
lab heal host3 >/dev/null
since=$(ask -c 'select clock_timestamp()')
until_it 120 "host3 worked again" works_since "$since"
echo "  host3 has shards again"
status=0
wait "$coordinator" || status=$?
[[ $status -eq 0 ]] || fail "coord ended with status $status"
for member in "${members[@]}"; do
    wait "$member" || fail "a worker ended with status $?"
done
step "The summary of coord"
cat "$work/summary"

step "Checking every row"
read -r present wrong twice < <(ask -F ' ' -c "
    select count(*), count(*) filter (where field3 is distinct from upper(field1) || '-' || field2 * 3),
        count(*) filter (where changed <> 1) from the_object")
[[ $present -eq $rows && $wrong -eq 0 && $twice -eq 0 ]] ||
    fail "$present of $rows rows are there, $wrong hold a wrong value, $twice were not changed exactly once"
echo "$present rows verified: each holds the new value, and was changed exactly once"
ask -F ' ' -c "select host, sum(rows_done) || ' rows' from coord.worker group by host order by host"
