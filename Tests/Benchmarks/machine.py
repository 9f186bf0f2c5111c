"""What a reader must know of the machine and the server to place the figures."""

import ctypes
import datetime
import os
import platform
import subprocess
from pathlib import Path

import psycopg

# Where things are, not how fast they go.
_UNINTERESTING = ("lc_messages", "lc_monetary", "lc_numeric", "lc_time", "log_timezone", "TimeZone", "DateStyle", "port",
                  "default_text_search_config", "unix_socket_directories", "listen_addresses", "data_directory",
                  "config_file", "hba_file", "ident_file", "external_pid_file", "cluster_name", "log_filename",
                  "log_directory", "logging_collector", "log_line_prefix", "log_destination", "stats_temp_directory")

_SETTINGS = """
SELECT name, current_setting(name) FROM pg_settings
WHERE setting IS DISTINCT FROM boot_val AND source NOT IN ('default', 'override', 'client', 'session')
  AND context <> 'internal' AND name <> ALL (%s) AND name NOT LIKE 'ssl%%' ORDER BY name
"""


def describe(connection: psycopg.Connection, directory: Path) -> dict[str, str]:
    """Machine, versions, settings, date and commit, in the order in which they are printed."""
    settings = connection.execute(_SETTINGS, (list(_UNINTERESTING),)).fetchall()
    return {
        "CPU": f"{_cpu_model()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "kernel": platform.release(),
        "PostgreSQL": connection.execute("SHOW server_version").fetchone()[0],
        "libpq": _libpq_version(),
        "Python": platform.python_version(),
        "libzmq": _libzmq_version(),
        "settings": ", ".join(f"{name}={value}" for name, value in settings) or "all at their defaults",
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "commit": _commit(directory),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _libpq_version() -> str:
    try:
        number = ctypes.CDLL("libpq.so.5").PQlibVersion()
    except OSError:
        return "not installed"
    return f"{number // 10000}.{number % 10000}"


def _libzmq_version() -> str:
    try:
        library = ctypes.CDLL("libzmq.so.5")
    except OSError:
        return "not installed"
    parts = [ctypes.c_int() for _ in range(3)]
    library.zmq_version(*(ctypes.byref(part) for part in parts))
    return ".".join(str(part.value) for part in parts)


def _commit(directory: Path) -> str:
    described = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=directory,
                               capture_output=True, text=True)
    return described.stdout.strip() if described.returncode == 0 else "none"
