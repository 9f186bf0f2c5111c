#!/usr/bin/env bash
# What `make bench` runs: coord and its peers over the same rows on a private PostgreSQL server.
#
#   Tests/Benchmarks/run.sh [--rows N] [--repeat N] [--only NAME,...] [--memory] [--write] [--json FILE] ...
#
# --help lists all options; each also has a name in the environment (BENCH_ROWS, BENCH_ONLY, ...). With BENCH_COORD set to an
# executable, that one is measured and nothing is built. The server and its data are removed at the end. --self-test tests the
# harness instead: that a wrong result, a failure and a hang end a benchmark.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

venv=.coord/bench-venv
server=$PWD/.coord/bench-postgres
postgres=Cluster/local/postgres.sh
requirements=Tests/Benchmarks/requirements.txt
export PYTHONPYCACHEPREFIX=$PWD/.coord/bench-pycache

# The distribution's interpreter, as most who run such a program have it: others may be built with fewer optimizations.
python=/usr/bin/python3
[[ -x $python ]] || python=python3
"$python" -c 'import ensurepip' 2>/dev/null || Cluster/local/install.sh python3 python3-venv

# The stamp is the last step: a venv that an interrupted run left half made is made again.
if ! cmp -s "$requirements" "$venv/installed.txt" ||
    [[ $(readlink -f "$venv/bin/python3") != $(readlink -f "$python") ]]; then
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
    cp "$requirements" "$venv/installed.txt"
fi

# Before the build: wrong options should not cost one, and --help needs none.
if [[ ${1:-} != --self-test ]]; then
    PYTHONPATH=Tests/Benchmarks "$venv/bin/python" -c 'import bench; bench.parse_options()' "$@"
    for argument in "$@"; do
        if [[ $argument == -h || $argument == --help ]]; then exit; fi
    done
fi

program=(Tests/Benchmarks/bench.py "$@")
if [[ ${1:-} == --self-test ]]; then
    program=(-m unittest discover -s Tests/Benchmarks -v)
elif [[ -z ${BENCH_COORD:-} ]]; then
    make --no-print-directory build >&2
    BENCH_COORD=$(swift build -c release --show-bin-path)/coord
    export BENCH_COORD
fi

# Durability stays as PostgreSQL has it by default (fsync, full_page_writes, synchronous_commit). The rest keeps a checkpoint
# from falling into one contender's run and not into another's, and lets every run recycle WAL files rather than make them.
# A server that an interrupted run left behind goes first.
"$postgres" remove "$server" >&2
trap '"$postgres" remove "$server" >&2' EXIT
"$postgres" start -c fsync=on -c synchronous_commit=on -c full_page_writes=on -c shared_buffers=1GB \
    -c max_wal_size=16GB -c min_wal_size=4GB -c checkpoint_timeout=1h "$server" >&2
eval "$("$postgres" env "$server")"

"$venv/bin/python" "${program[@]}"
