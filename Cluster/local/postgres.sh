#!/usr/bin/env bash
# A private PostgreSQL for the demo, the tests and the benchmarks. It touches no other server of this machine.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: postgres.sh start [--tcp] [-c name=value]... [DIR]   make and start the server (again: says that it runs)
       postgres.sh stop   [DIR]    fast shutdown; the data stay
       postgres.sh status [DIR]    exit status 0 when it runs, 3 when it does not
       postgres.sh env    [DIR]    export lines for the shell: eval "$(postgres.sh env DIR)"
       postgres.sh remove [DIR]    stop it and delete all that start made
DIR is .coord/postgres in the checkout when not given. DIR/log is the server's log; the files DIR/data-dir, DIR/socket-dir
and DIR/bin-dir name the places of the data, of the socket and of PostgreSQL's programs. --tcp also listens on 127.0.0.1, on
a free port that DIR/port names, with a password that DIR/pgpass holds. COORD_PGBIN names the folder of the PostgreSQL
programs if they are in an unusual place.
TEXT
}

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
os_user=$(id -un)

# The caller's own PGHOST, PGSERVICE, PGOPTIONS and so on must not lead any command here to another server.
# shellcheck disable=SC2086
unset ${!PG@}

say() { printf 'postgres: %s\n' "$*"; }
fail() { printf 'postgres: %s\n' "$*" >&2; exit 1; }

# PostgreSQL refuses to run as root. Then the server and its files belong to the distribution's user postgres.
# The `cd /` is needed since postgres may have no right to enter the caller's folder.
as_owner() {
    if [[ $EUID -eq 0 ]]; then (cd / && exec setpriv --reuid postgres --regid postgres --init-groups "$@"); else (cd / && exec "$@"); fi
}

recalled() { if [[ -r $dir/$1 ]]; then cat "$dir/$1"; fi; }

# --- where things are ------------------------------------------------------------------------------------------------

# The programs of one major version ($1, or '*' for the newest that is installed). `pg_config --bindir` is not asked: it tells
# the version of libpq-dev, which may be newer than the server.
find_programs() {
    local folder newest=${COORD_PGBIN:-}
    if [[ -z $newest ]]; then
        while read -r folder; do
            if [[ -x $folder/initdb && -x $folder/postgres ]]; then newest=$folder; fi
        done < <(compgen -G "/usr/lib/postgresql/$1/bin" | sort -V)
    fi
    if [[ -z $newest && $1 == '*' ]] && command -v postgres >/dev/null; then
        newest=$(dirname "$(readlink -f "$(command -v postgres)")")
    fi
    [[ -x $newest/initdb ]] && printf '%s\n' "$newest"
}

# Whether the server's user can reach DIR. As root that is not so if the checkout is in /root.
owner_reaches() { as_owner test -x "$1"; }

choose_data_dir() {
    if owner_reaches "$dir"; then
        data=$dir/data
        mkdir -p "$data"
    else
        data=$(readlink -f "$(mktemp -d /var/tmp/coord-data.XXXXXX)")
    fi
    if [[ $EUID -eq 0 ]]; then chown postgres: "$data"; fi
    chmod 700 "$data"
    printf '%s\n' "$data" >"$dir/data-dir"
}

# The path of a unix socket may have 107 bytes, of which "/.s.PGSQL.65535" takes 15. Whoever can open the socket is a
# superuser, so the folder is closed to others.
choose_socket_dir() {
    if [[ ${#dir} -le 80 && $dir =~ ^[A-Za-z0-9/._-]+$ ]] && owner_reaches "$dir"; then
        socket=$dir/socket
        mkdir -p "$socket"
    else
        socket=$(mktemp -d /tmp/coord-socket.XXXXXX)
    fi
    if [[ $EUID -eq 0 ]]; then chown postgres: "$socket"; fi
    chmod 700 "$socket"
    printf '%s\n' "$socket" >"$dir/socket-dir"
}

free_port() {
    local port tries
    for tries in {1..50}; do
        port=$((20000 + RANDOM % 12000)) # below the ports that the kernel gives to clients
        if ! (: </dev/tcp/127.0.0.1/"$port") 2>/dev/null; then printf '%s\n' "$port"; return; fi
    done
    fail "found no free port after $tries tries"
}

# --- is it running? --------------------------------------------------------------------------------------------------

# The pid of the running postmaster, or nothing. A pid file alone proves nothing: after a crash of the machine its number
# may belong to some other process. A postmaster stands in its data directory. The owner asks, since root without
# CAP_SYS_PTRACE (in a container) may not look at other users' processes.
server_pid() {
    local pid=
    if [[ -n $data && -r $data/postmaster.pid ]]; then
        read -r pid <"$data/postmaster.pid" || true
        if [[ $pid =~ ^[0-9]+$ && $(as_owner readlink "/proc/$pid/cwd" || true) == "$data" ]]; then
            printf '%s\n' "$pid"
        fi
    fi
}

# Server processes of this data directory, one pid a line. After a kill -9 of the postmaster its children live on a little.
server_processes() {
    { as_owner find /proc -maxdepth 2 -name cwd -printf '%h %l\n' 2>/dev/null || true; } | while read -r process folder; do
        if [[ $folder == "$data" && $(cat "$process/comm" 2>/dev/null) == postgres ]]; then
            printf '%s\n' "${process#/proc/}"
        fi
    done
}

wait_for_orphans() {
    local tries
    for tries in {1..50}; do
        if [[ -z $(server_processes) ]]; then return 0; fi
        sleep 0.2
    done
    return 1
}

# --- the commands ----------------------------------------------------------------------------------------------------

quoted() { printf "'%s'" "${1//\'/\'\'}"; }

# All settings go to a file in the data directory, not on the command line: so a plain `pg_ctl -D … restart`, as the tests
# do it, brings back the same server.
write_settings() {
    local setting
    {
        echo "listen_addresses = $(if [[ $tcp == yes ]]; then quoted 127.0.0.1; else quoted ''; fi)"
        echo "port = $port"
        echo "unix_socket_directories = $(quoted "$socket")"
        echo "password_encryption = 'scram-sha-256'"
        echo "shared_buffers = '512MB'"
        echo "max_connections = 100"
        echo "wal_level = replica"
        echo "max_wal_size = '4GB'"
        echo "fsync = on" # what is measured here must hold on a real server
        echo "track_io_timing = off"
        echo "logging_collector = off" # the log is standard error, see launch
        echo "log_line_prefix = '%m [%p] %q%u@%d %a '"
        for setting in "${settings[@]}"; do echo "${setting%%=*} = $(quoted "${setting#*=}")"; done
    } | as_owner tee "$data/coord.conf" >/dev/null
}

# The shell opens the log, so that it can be in DIR also where the server's user cannot reach DIR.
launch() {
    if as_owner "$programs/pg_ctl" -D "$data" -w -t 120 -s start </dev/null >>"$dir/log" 2>&1; then return; fi
    tail -n 20 "$dir/log" >&2
    fail "the server did not start; its log is $dir/log"
}

ask() { "$programs/psql" -h "$socket" -p "$port" -U postgres -d postgres -XqAt -v ON_ERROR_STOP=1 "$@"; }

make_cluster() {
    say "making a cluster with $("$programs/postgres" --version)"
    as_owner "$programs/initdb" -D "$data" -U postgres --locale=C.UTF-8 --encoding=UTF8 \
        --auth-local=trust --auth-host=scram-sha-256 >>"$dir/log" 2>&1 \
        || { tail -n 20 "$dir/log" >&2; fail "initdb failed"; }
    echo "include 'coord.conf'" | as_owner tee -a "$data/postgresql.conf" >/dev/null
}

make_roles_and_database() {
    local password
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    (umask 077 && printf '127.0.0.1:*:*:*:%s\n' "$password" >"$dir/pgpass")
    # By standard input: a password on a command line can be read by all.
    ask -v user="$os_user" <<SQL
select format('create role %I superuser login', :'user') where :'user' <> 'postgres' \gexec
alter role postgres password '$password';
alter role :"user" password '$password';
create database coord owner :"user";
SQL
}

start() {
    (umask 022 && mkdir -p "$dir")
    dir=$(cd "$dir" && pwd -P)
    if [[ $EUID -eq 0 ]] && ! id postgres >/dev/null 2>&1; then
        fail "there is no user postgres to run the server as: Cluster/local/install.sh first"
    fi

    if [[ -n $(server_pid) ]]; then
        say "already running in $dir"
        if [[ $tcp == yes && ! -e $dir/tcp || ${#settings[@]} -gt 0 ]]; then
            say "settings stay as they were: postgres.sh stop first to change them" >&2
        fi
        return
    fi

    # DIR/ready is written last. Without it an earlier start was cut short, and what it left is not worth keeping.
    if [[ -e $dir/ready && ! -e $data/PG_VERSION ]]; then say "the data in $data are gone: making them again"; fi
    if [[ ! -e $dir/ready || ! -e $data/PG_VERSION ]]; then
        remove
        mkdir -p "$dir"
        programs=$(find_programs '*') || fail "no PostgreSQL server programs found: Cluster/local/install.sh first"
        choose_data_dir
    else
        programs=$(find_programs "$(cat "$data/PG_VERSION")") ||
            fail "$data was made by PostgreSQL $(cat "$data/PG_VERSION"), which is not installed: postgres.sh remove $dir"
    fi
    printf '%s\n' "$programs" >"$dir/bin-dir"
    # /tmp is emptied at boot, the data directory is not.
    if [[ -z $socket || ! -d $socket ]]; then choose_socket_dir; fi

    # The socket is in a folder of its own, so its port number can be the usual one.
    port=5432
    rm -f "$dir/tcp"
    if [[ $tcp == yes ]]; then port=$(free_port); touch "$dir/tcp"; fi
    echo "$port" >"$dir/port"

    if [[ ! -e $dir/ready ]]; then make_cluster; fi
    write_settings
    # With children of a killed postmaster alive the server refuses to start, so give them time to see it and end. It also
    # refuses when a lock file's number is that of some other process, or of a zombie that nobody reaps (in a container).
    if wait_for_orphans; then
        rm -f "$data/postmaster.pid" "$socket"/.s.PGSQL.*
    else
        say "processes of the last server are still there" >&2
    fi
    launch
    if [[ ! -e $dir/ready ]]; then make_roles_and_database; touch "$dir/ready"; fi
    say "running in $dir"
}

stop() {
    if [[ -z $(server_pid) ]]; then say "not running in $dir"; return; fi
    programs=$(find_programs "$(cat "$data/PG_VERSION")") || fail "the programs of this server are gone"
    as_owner "$programs/pg_ctl" -D "$data" -w -t 120 -s -m fast stop
    say "stopped in $dir"
}

status() {
    local pid
    pid=$(server_pid)
    if [[ -z $pid ]]; then say "not running in $dir"; exit 3; fi
    say "running in $dir, pid $pid, socket $socket, port $port$(if [[ -e $dir/tcp ]]; then echo ', also on 127.0.0.1'; fi)"
}

env_lines() {
    if [[ ! -e $dir/ready ]]; then fail "there is no server in $dir: postgres.sh start $dir"; fi
    if [[ -z $(server_pid) ]]; then say "not running in $dir" >&2; fi
    printf 'export PGHOST=%q\nexport PGPORT=%q\nexport PGUSER=%q\nexport PGDATABASE=coord\n' "$socket" "$port" "$os_user"
    if [[ -e $dir/tcp ]]; then printf 'export PGPASSFILE=%q\n' "$dir/pgpass"; fi
}

# Deletes only paths that start can have made, whatever the files that recall them say.
remove() {
    local pid made
    if [[ ! -d $dir ]]; then return; fi
    if [[ -n $(server_pid) ]]; then stop >/dev/null; fi
    if [[ -n $data ]] && ! wait_for_orphans; then
        for pid in $(server_processes); do kill -9 "$pid" 2>/dev/null || true; done
    fi
    for made in "$data" "$socket"; do
        case $made in
            "$dir/data" | "$dir/socket" | */coord-data.?????? | */coord-socket.??????) rm -rf "$made" ;;
        esac
    done
    rm -rf "$dir/data" "$dir/socket"
    rm -f "$dir"/{data-dir,socket-dir,bin-dir,port,tcp,pgpass,ready,log}
    rmdir --ignore-fail-on-non-empty "$dir"
    data='' socket=''
}

# --- the command line ------------------------------------------------------------------------------------------------

if [[ $# -eq 0 ]]; then usage >&2; exit 64; fi
command=$1
shift
dir='' tcp=no settings=()
while [[ $# -gt 0 ]]; do
    case $1 in
        --tcp) tcp=yes ;;
        -c)
            [[ ${2:-} == *=* ]] || fail "-c wants name=value"
            settings+=("$2")
            shift
            ;;
        -*) fail "unknown option $1" ;;
        *)
            [[ -z $dir ]] || fail "more than one directory: $dir and $1"
            dir=$1
            ;;
    esac
    shift
done
dir=${dir:-$checkout/.coord/postgres}
dir=$(readlink -m -- "$dir")
data=$(recalled data-dir)
socket=$(recalled socket-dir)
port=$(recalled port)

case $command in
    start | stop | status) "$command" ;;
    env) env_lines ;;
    remove)
        remove
        say "removed from $dir"
        ;;
    help | -h | --help) usage ;;
    *)
        usage >&2
        exit 64
        ;;
esac
