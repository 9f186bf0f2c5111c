#!/usr/bin/env bash
# Installs what coord needs beside a Swift toolchain, and only what is missing: with nothing missing it does and says
# nothing. More package names may be given, for example: install.sh python3
set -euo pipefail

fail() { printf 'install: %s\n' "$*" >&2; exit 1; }

# What counts is that a thing is there, whatever package it came from.
is_there() {
    case $1 in
        libpq-dev) pkg-config --exists libpq ;;
        libzmq3-dev) pkg-config --exists libzmq ;;
        pkg-config) command -v pkg-config ;;
        python3) command -v python3 ;;
        make) command -v make ;;
        iproute2) command -v ip ;;
        openssh-client) command -v ssh && command -v ssh-keygen ;;
        openssh-server) [[ -x /usr/sbin/sshd ]] ;;
        postgresql) [[ -n ${COORD_PGBIN:-} ]] || compgen -G '/usr/lib/postgresql/*/bin/initdb' || command -v initdb ;;
        postgresql-contrib) compgen -G '/usr/share/postgresql/*/extension/amcheck.control' ;;
        *) false ;;
    esac >/dev/null 2>&1 ||
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

missing=()
for package in pkg-config libpq-dev libzmq3-dev postgresql postgresql-contrib "$@"; do
    is_there "$package" || missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 ]]; then exit 0; fi

command -v apt-get >/dev/null ||
    fail "this system has no apt-get; install what these Debian packages hold: ${missing[*]}"
as_root=()
if [[ $EUID -ne 0 ]]; then
    command -v sudo >/dev/null || fail "as root: apt-get install ${missing[*]}"
    as_root=(sudo)
fi

log=$(mktemp)
no_cluster=/etc/postgresql-common/createcluster.d/coord.conf
no_start=
# shellcheck disable=SC2329 # called by the trap
clean_up() {
    rm -f "$log"
    "${as_root[@]}" rm -f "$no_cluster" ${no_start:+"$no_start"}
}
trap clean_up EXIT

apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" </dev/null >"$log" 2>&1 ||
        { tail -n 30 "$log" >&2; fail "apt-get $1 failed"; }
}

echo "install: ${missing[*]}"
# Debian's package would start a server on port 5432, which coord does not need. This file exists only during the
# installation: what the machine's owner installs later behaves as usual.
"${as_root[@]}" mkdir -p "${no_cluster%/*}"
echo 'create_main_cluster = false' | "${as_root[@]}" tee "$no_cluster" >/dev/null
# So would that of sshd, and would open the machine to its network.
if [[ " ${missing[*]} " == *" openssh-server "* && ! -e /usr/sbin/policy-rc.d ]]; then
    no_start=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$no_start" >/dev/null
    "${as_root[@]}" chmod 755 "$no_start"
fi
apt update
apt install --no-install-recommends "${missing[@]}"
if [[ " ${missing[*]} " == *" openssh-server "* ]] && command -v systemctl >/dev/null; then
    "${as_root[@]}" systemctl --quiet disable ssh.service >/dev/null 2>&1 || true # nor at the next boot
fi
