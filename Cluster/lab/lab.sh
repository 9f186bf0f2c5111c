#!/usr/bin/env bash
# Hosts on one machine: each has its own network, address, name, processes, user and sshd. host1 also has PostgreSQL. They
# share the machine's files and its clock. Nothing of the machine reaches them, and they reach nothing but each other.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: lab.sh up N                 make N hosts, host1 to hostN, 1 to 20 (again: says that they are up)
       lab.sh down                 end all that runs on them and remove all that up made
       lab.sh exec HOST -- CMD…    run a command on a host, as the host's user
       lab.sh cut HOST             take the host off the network, as when its cable is pulled
       lab.sh heal HOST            put it back
       lab.sh freeze HOST          SIGSTOP to all coord processes of the host
       lab.sh thaw HOST            SIGCONT to them
       lab.sh kill HOST            SIGKILL to them
       lab.sh status               the hosts; exit status 0 when all are up, 3 when not
It needs root. In each host, psql and coord reach the database "app" on host1 as the role "app", and `ssh hostN` works without
a password. Programs that are put into the folder that `lab.sh bin` names are in the PATH of all hosts.

COORD_LAB          name of the lab, up to 6 of a-z and 0-9, if there shall be several at a time (default: lab)
COORD_LAB_SECONDS  after this time all that runs on the hosts ends (default: 14400)
Exit status 69: this machine cannot have a lab, and why.
TEXT
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
lab=${COORD_LAB:-lab}
lifetime=${COORD_LAB_SECONDS:-14400}
dir=/var/lib/coord-$lab
bridge=coord-$lab
most_hosts=20
role=app
sshd=/usr/sbin/sshd

say() { printf 'lab: %s\n' "$*"; }
fail() { printf 'lab: %s\n' "$*" >&2; exit 1; }
wrong_usage() { printf 'lab: %s\n' "$*" >&2; exit 64; }
unavailable() { printf 'lab: %s\n' "$*" >&2; exit 69; }

# within SECONDS WHAT COMMAND…: tries until it succeeds. WHAT completes "it took over 10 s until …".
within() {
    local seconds=$1 what=$2 end
    shift 2
    end=$((SECONDS + seconds))
    until "$@"; do
        if ((SECONDS >= end)); then
            printf 'lab: it took over %s s until %s\n' "$seconds" "$what" >&2
            return 1
        fi
        sleep 0.1
    done
}

# --- names -----------------------------------------------------------------------------------------------------------

# A name of at most 15 bytes, which is the limit of an interface: coord-, 6 of the lab, -, 2 of the number.
space() { printf 'coord-%s-host%s' "$lab" "$1"; }
cable() { printf 'coord-%s-%s' "$lab" "$1"; }
user() { printf 'coord-%s-%s' "$lab" "$1"; }
folder() { printf '%s/host%s' "$dir" "$1"; }
address() { printf '%s.%s' "$(<"$dir/network")" "$1"; }
hosts() { if [[ -r $dir/hosts ]]; then seq "$(<"$dir/hosts")"; fi; }

# The number of the host that the caller named.
number() {
    local n=${1#host}
    [[ -e $dir/ready ]] || fail "there is no lab: lab.sh up N"
    if [[ ! $1 =~ ^host[1-9][0-9]?$ ]] || ((n > $(<"$dir/hosts"))); then
        fail "there is no host $1, but host1 to host$(<"$dir/hosts")"
    fi
    printf '%s' "$n"
}

# --- what the machine has to give ------------------------------------------------------------------------------------

needs_root() { [[ $EUID -eq 0 ]] || unavailable "this needs root: namespaces, bridges and users are made"; }

# Tries each thing once, so that what is missing has its name.
check_machine() {
    local probe=coord-$lab-probe trouble
    needs_root
    "$here/../local/install.sh" openssh-server openssh-client iproute2 || unavailable "a package is missing"
    trouble=$(ip netns add "$probe" 2>&1) || unavailable "no network namespaces here (ip netns add): $trouble"
    ip netns del "$probe"
    # A namespace that lives as long as this command takes what is made in it along.
    trouble=$(unshare --net --mount --pid --uts --ipc --fork --mount-proc bash -c '
        hostname probe && ip link add probe type bridge && ip link add v1 type veth peer name v2 && ip link set v1 master probe &&
            mount -t tmpfs tmpfs /run' 2>&1) || unavailable "no bridge, veth, process or mount namespace here: $trouble"
    "$sshd" -V 2>/dev/null || [[ -x $sshd ]] || unavailable "no $sshd here"
}

# A network of 10.0.0.0/8 to which this machine has no route, so that `ip route` stays easy to read.
free_network() {
    local tries network
    for tries in {1..50}; do
        network=10.$((64 + RANDOM % 190)).$((RANDOM % 256))
        if [[ -z $(ip -4 route show table all root "$network.0/24"; ip -4 route show table all match "$network.0/24" |
            grep -v '^default' || true) ]]; then
            printf '%s' "$network"
            return
        fi
    done
    fail "found no free network in 10.0.0.0/8 after $tries tries"
}

# --- a host ----------------------------------------------------------------------------------------------------------

# The first process of a host. When it ends, the kernel ends all others of the host.
first_process() {
    local pid
    [[ -r $(folder "$1")/pid ]] || return 1
    pid=$(<"$(folder "$1")/pid")
    # After a reboot the number may be another process's: that one is not in this host's network.
    [[ -e /run/netns/$(space "$1") && /proc/$pid/ns/net -ef /run/netns/$(space "$1") ]] && printf '%s' "$pid"
}

# inside N COMMAND…, as root
inside() {
    local pid
    pid=$(first_process "$1") || fail "host$1 is down: lab.sh down, then up"
    shift
    nsenter --target "$pid" --net --mount --pid --uts --ipc -- "$@"
}

environment() {
    printf '%s\n' "PGHOST=host1" "PGDATABASE=$role" "PGUSER=$role" "TMPDIR=$(folder "$1")/tmp" "LANG=C.UTF-8" \
        "PATH=$dir/bin:/usr/local/bin:/usr/bin:/bin"
}

# It is the init of the host: SIGCHLD is ignored, so that the kernel reaps the orphans.
# shellcheck disable=SC2016 # it is the text of another shell's program
boot='
set -euo pipefail
name=$1 address=$2 dir=$3 lifetime=$4
read -r pid _ </proc/self/stat      # this /proc is still the one of the machine, and so is the number
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mkdir -p /run/sshd
mount --bind "$dir/etc-hosts" /etc/hosts
hostname "$name"
ip link set lo up
ip address add "$address/24" dev eth0
ip link set eth0 up
echo "$pid" >"$dir/$name/pid.new"
mv "$dir/$name/pid.new" "$dir/$name/pid"
trap "" CHLD
exec sleep "$lifetime"
'

make_user() {
    local home
    home=$(folder "$1")/home
    useradd --system --user-group --no-create-home --home-dir "$home" --shell /bin/bash --password '*' \
        --comment "host$1 of coord's lab" "$(user "$1")"
    # Now, since down removes only users whose home is here.
    mkdir -p "$home/.ssh" "$(folder "$1")/tmp"
    ssh-keygen -q -t ed25519 -N '' -C "$(user "$1")@host$1" -f "$home/.ssh/id_ed25519"
    ssh-keygen -q -t ed25519 -N '' -C "host$1" -f "$(folder "$1")/ssh_host_key"
    printf 'host%s,%s %s\n' "$1" "$(address "$1")" "$(cut -d ' ' -f 1,2 "$(folder "$1")/ssh_host_key.pub")" \
        >>"$dir/known_hosts"
}

# What each host must know of all others.
introduce() {
    local n=$1 other home
    home=$(folder "$n")/home
    for other in $(hosts); do
        cat "$(folder "$other")/home/.ssh/id_ed25519.pub"
    done >"$home/.ssh/authorized_keys"
    {
        for other in $(hosts); do printf 'Host host%s\n    User %s\n' "$other" "$(user "$other")"; done
        printf 'Host *\n    UserKnownHostsFile %s\n    StrictHostKeyChecking yes\n    BatchMode yes\n    ConnectTimeout 5\n' \
            "$dir/known_hosts"
    } >"$home/.ssh/config"
    printf 'host1:5432:*:%s:%s\n' "$role" "$(<"$dir/password")" >"$home/.pgpass"
    chmod 600 "$home/.pgpass" "$home/.ssh"/*
    chmod 700 "$home" "$home/.ssh" "$(folder "$n")/tmp"
    chown -R "$(user "$n"):" "$home" "$(folder "$n")/tmp"
    cat >"$(folder "$n")/sshd_config" <<CONFIG
ListenAddress $(address "$n")
HostKey $(folder "$n")/ssh_host_key
AllowUsers $(user "$n")
AuthenticationMethods publickey
UsePAM no
Subsystem sftp internal-sftp
PidFile none
SetEnv $(environment "$n" | tr '\n' ' ')
CONFIG
}

boot_host() {
    local n=$1
    ip netns add "$(space "$n")"
    ip link add "$(cable "$n")" type veth peer name eth0 netns "$(space "$n")"
    ip link set "$(cable "$n")" master "$bridge" up
    setsid ip netns exec "$(space "$n")" unshare --mount --pid --uts --ipc --fork --kill-child \
        bash -c "$boot" boot "host$n" "$(address "$n")" "$dir" "$lifetime" </dev/null >"$(folder "$n")/boot.log" 2>&1 &
    within 10 "host$n was up: $(folder "$n")/boot.log" test -e "$(folder "$n")/pid" || { cat "$(folder "$n")/boot.log" >&2; exit 1; }
    inside "$n" "$sshd" -f "$(folder "$n")/sshd_config" -E "$(folder "$n")/sshd.log"
}

start_postgres() {
    local data password
    inside 1 "$here/../local/postgres.sh" start -c "listen_addresses=$(address 1)" -c shared_buffers=128MB \
        "$dir/postgres" >"$dir/postgres.log" 2>&1 || { cat "$dir/postgres.log" >&2; fail "PostgreSQL did not start"; }
    data=$(<"$dir/postgres/data-dir")
    password=$(<"$dir/password")
    printf 'host all all %s.0/24 scram-sha-256\n' "$(<"$dir/network")" >>"$data/pg_hba.conf"
    # By standard input: a password on a command line can be read by all.
    inside 1 psql -XqAt -v ON_ERROR_STOP=1 -h "$(<"$dir/postgres/socket-dir")" -U postgres -d postgres >/dev/null <<SQL
create role $role login password '$password';
create database $role owner $role;
select pg_reload_conf();
SQL
}

reaches() { inside "$1" timeout 3 bash -c ": </dev/tcp/$(address "$2")/$3" 2>/dev/null; }

# --- up and down -----------------------------------------------------------------------------------------------------

# All hosts have their first process.
whole() {
    local n
    [[ -e $dir/ready ]] || return 1
    for n in $(hosts); do first_process "$n" >/dev/null || return 1; done
}

up() {
    local n count=$1
    if [[ ! $count =~ ^[1-9][0-9]?$ ]] || ((count > most_hosts)); then wrong_usage "up takes 1 to $most_hosts hosts, not $count"; fi
    [[ $lifetime =~ ^[1-9][0-9]{0,5}$ ]] || wrong_usage "COORD_LAB_SECONDS must be 1 to 999999, not $lifetime"
    check_machine
    if whole; then
        [[ $(<"$dir/hosts") == "$count" ]] || fail "a lab of $(<"$dir/hosts") hosts is up: lab.sh down first"
        say "$count hosts are up already"
        return
    fi
    # What a crash or a reboot left.
    down >/dev/null
    # mkdir is the lock: of two at a time one is refused, and takes nothing away from the other.
    mkdir -m 755 "$dir" || fail "another lab.sh makes this lab: $dir"

    trap 'down >/dev/null' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    free_network >"$dir/network"
    echo "$count" >"$dir/hosts"
    (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$dir/password")
    mkdir "$dir/bin"
    echo "127.0.0.1 localhost" >"$dir/etc-hosts"
    for n in $(hosts); do
        mkdir "$(folder "$n")"
        printf '%s host%s\n' "$(address "$n")" "$n" >>"$dir/etc-hosts"
    done
    # It has no address: the machine is not on this network.
    ip link add "$bridge" type bridge
    ip link set "$bridge" up
    for n in $(hosts); do make_user "$n"; done
    for n in $(hosts); do introduce "$n"; done
    for n in $(hosts); do boot_host "$n"; done
    start_postgres
    for n in $(hosts); do
        within 10 "host$n reached the database: does a firewall of this machine drop what crosses a bridge?" reaches "$n" 1 5432
        within 10 "host1 reached the sshd of host$n" reaches 1 "$n" 22
    done
    touch "$dir/ready"
    trap - EXIT INT TERM HUP
    say "$count hosts are up in $(<"$dir/network").0/24, PostgreSQL on host1; for $((lifetime / 60)) minutes at most"
}

# Nothing of what it looks for has to be there.
down() {
    local name pid home
    needs_root
    while read -r name; do
        # The first process takes the others along. These may be in it too: what was started by `ip netns exec`.
        for pid in $(ip netns pids "$name"); do kill -KILL "$pid" 2>/dev/null || true; done
        within 10 "the processes of $name were gone" no_process "$name"
        ip netns del "$name"
    done < <(ip netns list | awk '{ print $1 }' | grep -E "^coord-$lab-host[0-9]+$" || true)
    # The kernel removes a namespace's cables a little later than the namespace.
    for name in $(ip -o link show | sed -nE "s/^[0-9]+: (coord-$lab(-[0-9]+)?)[@:].*/\1/p"); do
        ip link del "$name" 2>/dev/null || true
    done
    within 10 "the links were gone" no_link
    while IFS=: read -r name _ _ _ _ home _; do
        if [[ $name =~ ^coord-$lab-[0-9]+$ && $home == "$dir"/* ]]; then
            within 10 "the user $name was removed" userdel "$name"
        fi
    done </etc/passwd
    if [[ -d $dir/postgres ]]; then "$here/../local/postgres.sh" remove "$dir/postgres" >/dev/null; fi
    rm -rf "$dir"
    say "nothing is left of it"
}

no_process() { [[ -z $(ip netns pids "$1") ]]; }
no_link() { ! ip -o link show | grep -qE ": coord-$lab(-[0-9]+)?[@:]"; }

# --- what happens to a host ------------------------------------------------------------------------------------------

run() {
    local n pid variables=()
    n=$(number "$1")
    pid=$(first_process "$n") || fail "host$n is down: lab.sh down, then up"
    shift
    mapfile -t variables < <(environment "$n")
    # The signal: who ends this command ends the one in the host.
    exec nsenter --target "$pid" --net --mount --pid --uts --ipc -- \
        setpriv --reuid "$(user "$n")" --regid "$(user "$n")" --init-groups --pdeathsig TERM \
        env -i -C "$(folder "$n")/home" "HOME=$(folder "$n")/home" "USER=$(user "$n")" "LOGNAME=$(user "$n")" SHELL=/bin/bash \
        "TERM=${TERM:-dumb}" "${variables[@]}" "$@"
}

is_cut() { [[ -z $(ip -o link show up dev "$(cable "$1")") ]]; }

cut_off() {
    local n
    n=$(number "$1")
    ip link set "$(cable "$n")" down
    say "host$n is cut off"
}

heal() {
    local n
    n=$(number "$1")
    ip link set "$(cable "$n")" up
    # To itself host1 always has a way.
    if ((n > 1)) && ! is_cut 1; then within 10 "host$n reached host1 again" reaches "$n" 1 22; fi
    say "host$n is back"
}

# Numbers of the host's coord processes, as the machine counts them.
processes() {
    local pid own folder link
    pid=$(first_process "$1") || return 0
    own=$(readlink "/proc/$pid/ns/pid")
    { find /proc -mindepth 3 -maxdepth 3 -path '/proc/[0-9]*/ns/pid' -printf '%h %l\n' 2>/dev/null || true; } |
        while read -r folder link; do
            folder=${folder%/ns}
            if [[ $link == "$own" && $(readlink "$folder/exe") == */coord ]]; then basename "$folder"; fi
        done
}

# signal NAME HOST DONE
signal() {
    local n pids
    n=$(number "$2")
    pids=$(processes "$n")
    [[ -n $pids ]] || fail "no coord process runs on host$n"
    # shellcheck disable=SC2086 # one word a number
    kill "-$1" $pids
    say "$3 on host$n: coord, pid $(tr '\n' ' ' <<<"$pids")"
}

status() {
    local n pid pids all=0
    needs_root
    if [[ ! -e $dir/ready ]]; then say "there is none: lab.sh up N"; exit 3; fi
    say "$(<"$dir/hosts") hosts in $(<"$dir/network").0/24"
    for n in $(hosts); do
        if pid=$(first_process "$n"); then
            pids=$(for pid in $(processes "$n"); do
                printf ' %s' "$pid"
                if grep -q '^State:.*T' "/proc/$pid/status"; then printf ' (frozen)'; fi
            done 2>/dev/null)
            printf 'host%-3s %-15s %-15s %-8s coord:%s\n' "$n" "$(address "$n")" "$(user "$n")" \
                "$(if is_cut "$n"; then echo "cut off"; else echo up; fi)" "${pids:- none}"
        else
            printf 'host%-3s down\n' "$n"
            all=3
        fi
    done
    return "$all"
}

# --- the command line ------------------------------------------------------------------------------------------------

[[ $lab =~ ^[a-z0-9]{1,6}$ ]] || wrong_usage "COORD_LAB must be up to 6 of a-z and 0-9, not $lab"
if [[ $# -eq 0 ]]; then usage >&2; exit 64; fi
command=$1
shift
case $command in
    up) [[ $# -eq 1 ]] || wrong_usage "up N"; up "$1" ;;
    down) [[ $# -eq 0 ]] || wrong_usage "down takes nothing"; down ;;
    status) [[ $# -eq 0 ]] || wrong_usage "status takes nothing"; status ;;
    bin) printf '%s\n' "$dir/bin" ;;
    exec)
        [[ $# -ge 3 && $2 == -- ]] || wrong_usage "exec HOST -- COMMAND…"
        host=$1
        shift 2
        needs_root
        run "$host" "$@"
        ;;
    cut | heal | freeze | thaw | kill)
        [[ $# -eq 1 ]] || wrong_usage "$command HOST"
        needs_root
        case $command in
            cut) cut_off "$1" ;;
            heal) heal "$1" ;;
            freeze) signal STOP "$1" frozen ;;
            thaw) signal CONT "$1" thawed ;;
            kill) signal KILL "$1" killed ;;
        esac
        ;;
    help | -h | --help) usage ;;
    *) usage >&2; exit 64 ;;
esac
