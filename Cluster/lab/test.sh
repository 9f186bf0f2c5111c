#!/usr/bin/env bash
# Tests Cluster/lab/lab.sh in a lab of its own. The last line is "N passed, N failed", or says that it was skipped and why.
# With LAB_TEST_REQUIRED=1 a machine that cannot have a lab is a failure.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
export COORD_LAB=t$((RANDOM % 90000 + 10000)) COORD_LAB_SECONDS=600
dir=/var/lib/coord-$COORD_LAB
passed=0 failed=0
work=$(mktemp -d)
lab() { timeout 60 "$here/lab.sh" "$@"; }
on() { local host=$1; shift; lab exec "$host" -- "$@"; }

clean_up() {
    if [[ $EUID -eq 0 ]]; then lab down >/dev/null 2>&1 || true; fi
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# check WHAT COMMAND…
check() {
    local what=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        passed=$((passed + 1))
        echo "passed: $what"
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
        sed 's/^/        /' "$work/said"
    fi
}
not() { ! "$@"; }
is() { [[ $1 == "$2" ]] || { echo "it is \"$1\" and not \"$2\""; false; }; }
# ends WITH COMMAND…
ends() { local with=$1 status=0; shift; "$@" || status=$?; is "$status" "$with"; }

# All that a lab could leave behind on the machine, without what belongs to other labs.
traces() {
    {
        echo "namespaces:"; ip netns list | sort
        echo "links:"; ip -o link show | awk '{ print $2 }' | sort
        echo "users:"; sort /etc/passwd /etc/group
        echo "mounts:"; awk '{ print $5 }' /proc/self/mountinfo | sort
        echo "folders:"; compgen -G '/run/sshd' || true; compgen -G "$dir*" || true
        echo "processes:"; ps -eo user:20,args | sed -n "/[c]oord-$COORD_LAB/p"
    } | sed -E "/coord-$COORD_LAB/!{ /coord-[a-z0-9]{1,6}(-host[0-9]+|-[0-9]+)?([@: ]|$)/d }"
}
same() { diff "$work/before" <(traces); }

# --- can this machine have one? --------------------------------------------------------------------------------------

can=0
why=$(lab up 3 2>&1) || can=$?
if [[ $can -eq 69 ]]; then
    echo "lab test: skipped: ${why#lab: }"
    if [[ ${LAB_TEST_REQUIRED:-} == 1 ]]; then exit 1; fi
    trap - EXIT
    rm -rf "$work"
    exit 0
fi
if [[ $can -ne 0 ]]; then
    echo "FAILED: three hosts come up: $why"
    echo "0 passed, 1 failed"
    exit 1
fi
lab down >/dev/null
traces >"$work/before"

# --- the hosts -------------------------------------------------------------------------------------------------------

check "three hosts come up" lab up 3
check "up again does nothing" lab up 3
check "up with another number is refused" ends 1 lab up 2
check "status says that they are up" lab status
address() { sed -nE "s/^host$1 +([0-9.]+) .*/\1/p" <(lab status); }
a1=$(address 1) a3=$(address 3)

for host in host1 host2 host3; do
    check "$host has its own name" is "$(on "$host" hostname)" "$host"
    check "$host has its own user" is "$(on "$host" id -un)" "coord-$COORD_LAB-${host#host}"
    check "$host has its own processes" is "$(on "$host" cat /proc/1/comm)" sleep
    for other in host1 host2 host3; do
        check "$host reaches $other by ssh" is "$(on "$host" ssh "$other" hostname)" "$other"
    done
    check "$host reaches the database, from its own address" \
        is "$(on "$host" psql -XqAt -c 'select inet_client_addr()')" "$(address "${host#host}")"
done
check "a host's shared memory is its own" not is "$(on host1 stat -c %d /dev/shm)" "$(stat -c %d /dev/shm)"
check "the database refuses a wrong password" \
    not on host2 env PGPASSWORD=wrong psql -Xqc 'select 1'
check "host3 lets no user of another host in" not on host1 ssh "coord-$COORD_LAB-1@host3" true
# Not whether a connection is accepted: some gateway may accept one to any address.
check "the machine reaches no host" not grep -qF "$(cut -d ' ' -f 2 "$dir/host3/ssh_host_key.pub")" \
    <(ssh-keyscan -T 2 "$a3" 2>/dev/null)
check "a host reaches no other network" not on host2 timeout 2 bash -c ": </dev/tcp/192.0.2.1/80"
check "a command's status is that of exec" ends 7 on host2 bash -c 'exit 7'
check "a host that is not there is refused" not lab exec host4 -- true

# --- cut and heal ----------------------------------------------------------------------------------------------------

# An established connection: ssh from host1 to host3, which sends back each line.
coproc ECHO { exec "$here/lab.sh" exec host1 -- ssh -T host3 cat; }
echoing=$! # ECHO_PID is unset when it ends
exec 5<&"${ECHO[0]}" 6>&"${ECHO[1]}"
answer() { local line=''; read -r -t "$2" line <&5 && is "$line" "$1"; }
connects() { on "$1" timeout 3 bash -c ": </dev/tcp/$2/22"; }

echo one >&6
check "an established connection answers" answer one 10
check "a new connection is accepted" connects host1 "$a3"
lab cut host3 >/dev/null
check "status tells who is cut off" grep -q "^host3 .*cut off" <(lab status)
echo two >&6
check "while cut, the established connection stalls" not answer two 3
check "and it is not broken" kill -0 "$echoing"
check "while cut, nobody can connect to the host" not connects host1 "$a3"
check "and the host can connect to nobody" not connects host3 "$a1"
check "a command still runs on the host" is "$(on host3 hostname)" host3
check "the others reach each other" connects host2 "$a1"
check "cut again does nothing" lab cut host3
check "heal brings it back" lab heal host3
check "what the connection held back arrives" answer two 30
check "new connections are accepted again" connects host1 "$a3"
echo three >&6
check "the established connection answers again" answer three 10
exec 5<&- 6>&-
kill "$echoing" 2>/dev/null || true
wait "$echoing" 2>/dev/null || true

# --- freeze, thaw and kill -------------------------------------------------------------------------------------------

cp "$(type -P sleep)" "$(lab bin)/coord"
state() { sed -nE 's/^State:\s+(.).*/\1/p' "/proc/$1/status" 2>/dev/null || true; }
is_in() { [[ $2 == *"$(state "$1")"* && -n $(state "$1") ]]; }
gone() { [[ -z $(state "$1") || $(state "$1") == Z ]]; }
eventually() { local end=$((SECONDS + 10)); until "$@"; do ((SECONDS < end)) || return 1; sleep 0.1; done; }
coord_on() { sed -nE "s/^$1 .*coord: ([0-9]+).*/\1/p" <(lab status); }
runs() { [[ -n $(coord_on "$1") ]]; }
for host in host2 host3; do on "$host" bash -c 'coord 500 >/dev/null 2>&1 &'; done
check "coord runs on host2" eventually runs host2
check "coord runs on host3" eventually runs host3
p2=$(coord_on host2) p3=$(coord_on host3)
check "freeze stops the coord of a host" lab freeze host3
check "it is stopped" eventually is_in "$p3" T
check "status tells it" grep -q "^host3 .*(frozen)" <(lab status)
check "that of another host runs on" is_in "$p2" RS
check "thaw lets it go on" lab thaw host3
check "it goes on" eventually is_in "$p3" RS
check "kill ends it" lab kill host3
check "it is gone" eventually gone "$p3"
check "that of another host runs on" is_in "$p2" RS
check "without one, kill says so" ends 1 lab kill host3

# --- what is left ----------------------------------------------------------------------------------------------------

check "while it is up, its traces show" not same
check "down ends it" lab down
check "nothing is left" same
check "its processes are gone" gone "$p2"
check "down again does nothing" lab down
check "status says that there is none" ends 3 lab status

# A host whose first process was killed from outside, as by the machine's out-of-memory killer.
check "two hosts come up" lab up 2
kill -KILL "$(<"$dir/host2/pid")"
check "status tells of a host that has died" eventually ends 3 lab status
check "up makes a broken lab anew" lab up 2
check "and it works" is "$(on host2 ssh host1 hostname)" host1
lab down >/dev/null

# As by Ctrl-C, at some moment of its making. A background process takes no notice of SIGINT, but of SIGTERM.
for wait in 0.3 1 2; do
    "$here/lab.sh" up 3 >/dev/null 2>&1 &
    making=$!
    sleep "$wait"
    kill -TERM "$making"
    check "a termination of up after $wait s ends it" ends 143 wait "$making"
    check "and leaves nothing" same
done

echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
