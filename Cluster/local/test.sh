#!/usr/bin/env bash
# Runs all tests against a private PostgreSQL that is made for this run and removed after it.
# Arguments go to `swift test`: test.sh --filter Sharding
# The last line is always "N passed, N failed". The exit status is 0 only when something ran and nothing failed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cd "$here/../.."

log=$(mktemp)
# Every scenario makes and drops a database, which means hundreds of files. They are kept in memory if there is enough
# of it.
place=/tmp
gibibytes() { awk -v kilobytes="${1:-0}" 'BEGIN { print int(kilobytes / 1048576) }'; }
in_memory=$(gibibytes "$(df --output=avail /dev/shm 2>/dev/null | tail -n 1)")
available=$(gibibytes "$(sed -nE 's/^MemAvailable: *([0-9]+) kB$/\1/p' /proc/meminfo 2>/dev/null)")
if ((in_memory >= 6 && available >= 10)) && [[ -w /dev/shm ]]; then place=/dev/shm; fi
server=$(mktemp -d "$place/coord-test.XXXXXX")
chmod 755 "$server" # as root the server runs as postgres, who must reach its data in there
# What killed processes leave behind goes with it.
TMPDIR=$(mktemp -d /tmp/coord-tests.XXXXXX)
chmod 755 "$TMPDIR"
export TMPDIR
unset COORD_KEYS COORD_LEDGER_SCHEMA # the caller's own
beside=
clean_up() {
    # A background process ignores Ctrl-C.
    if [[ -n $beside ]]; then kill "$beside" 2>/dev/null || true; fi
    "$here/postgres.sh" remove "$server" >/dev/null 2>&1 || true
    rm -f "$log" "$log.beside"
    rm -rf "$TMPDIR"
}
trap clean_up EXIT

# Ends without any test result, but still with the last line that readers of the output wait for.
give_up() {
    printf 'test: %s\n' "$*"
    echo "0 passed, 1 failed"
    exit 1
}

"$here/install.sh" python3 openssh-server openssh-client 2>&1 || give_up "something is missing"
swift=$(command -v swift) || give_up "no swift in PATH: https://www.swift.org/install"
swift build --build-tests 2>&1 || give_up "the build failed"
COORD_BIN=$(swift build --show-bin-path)/coord

# The caller's own PGHOST and so on would lead the tests to another server.
# shellcheck disable=SC2086
unset ${!PG@}
"$here/postgres.sh" start --tcp "$server" 2>&1 || give_up "PostgreSQL did not start"
eval "$("$here/postgres.sh" env "$server")"
COORD_TEST_PGDATA=$(cat "$server/data-dir")
COORD_TEST_PGBIN=$(cat "$server/bin-dir")
export COORD_BIN COORD_TEST_PGDATA COORD_TEST_PGBIN
# `swift` is called by its path from here on, since another program of that name may be in the interpreter's folder.
# The tests call the interpreter directly: if python3 is a shim of pyenv, each start of a program runs a dozen processes
# first.
PATH=$(dirname "$(python3 -c 'import sys; print(sys.executable)')"):$PATH

status=0
if [[ $# -gt 0 ]]; then
    "$swift" test --skip-build "$@" </dev/null 2>&1 | tee "$log" || status=$?
else
    # The tests run in two processes, since each process has only one thread a core for all calls that wait for the
    # server. With `swift test`, one process would wait for the other.
    tests() { NO_COLOR=1 "$(dirname "$COORD_BIN")/coordPackageTests.xctest" --testing-library swift-testing "$@" </dev/null 2>&1; }
    tests --filter '^(BatchesTests|LedgerTests|PreflightTests)\.' >"$log.beside" &
    beside=$!
    tests --skip '^(ClusteredTests|BatchesTests|LedgerTests|PreflightTests)\.' | tee "$log" || status=$?
    wait "$beside" || status=$?
    beside=
    tee -a "$log" <"$log.beside"
    # The tests that kill and freeze real processes run last and alone, so that no other test takes their processor
    # time.
    tests --filter '^ClusteredTests\.' | tee -a "$log" || status=$?
fi

# Each test has one line: "✔ Test name passed after 0.1 seconds." of Swift Testing, or "Test Case 'Suite.name' passed
# (0.1 seconds)" of XCTest, which runs first. The symbol depends on the terminal and the locale, so any bytes may stand
# before "Test". A test with arguments also has a line for each argument, which begins differently.
count() {
    sed -e $'s/\e\\[[0-9;]*m//g' "$log" | LC_ALL=C grep -aE \
        -e "^[^A-Za-z]*Test .* $1 after [0-9.]+ seconds(\.| with [0-9])" -e "^Test Case '.*' $1 \(" |
        LC_ALL=C grep -acvE '^[^A-Za-z]*Test run with [0-9]+ test' || true
}
# The ten slowest tests by their own time. For a scenario that is the time that it printed itself, since the reported
# time includes the wait for earlier scenarios. A test with arguments has a line for each scenario.
slowest() {
    local plain
    plain=$(sed -e $'s/\e\\[[0-9;]*m//g' "$log")
    {
        sed -nE 's/^own time: ([0-9.]+) s, (.*)$/own \1 \2/p' <<<"$plain"
        LC_ALL=C sed -nE -e '/Test run with/d' \
            -e 's/^[^A-Za-z]*Test (.*) (passed|failed) after ([0-9.]+) seconds.*$/all \3 \1/p' <<<"$plain" |
            sed -E 's/ with [0-9]+ test cases?$//'
    } | awk '{ seconds = $2; kind = $1; $1 = $2 = ""; sub(/^ +/, "") }
        kind == "own" { own[$0] = 1; printf "%8.1f s  %s\n", seconds, $0 }
        kind == "all" && !($0 in own) { printf "%8.1f s  %s\n", seconds, $0 }' | sort -rn | head -n 10 || true
}
echo "test: the slowest, by their own time:"
slowest

passed=$(count passed)
failed=$(count failed)

if [[ $status -ne 0 && $failed -eq 0 ]]; then
    echo "test: swift test ended with status $status though no test failed: a crash?"
    failed=1
fi
if [[ $status -ne 0 || $failed -ne 0 ]]; then
    cp "$server/log" .build/test-postgres.log && echo "test: the log of PostgreSQL is .build/test-postgres.log"
    status=1
fi
if [[ $((passed + failed)) -eq 0 ]]; then
    echo "test: no test ran"
    status=1
fi
clean_up
echo "$passed passed, $failed failed"
exit "$status"
