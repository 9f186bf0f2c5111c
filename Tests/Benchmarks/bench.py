"""Measures coord and its peers over the same rows and prints one table. Start it through run.sh, which prepares the rest.

Connection settings come from the libpq environment. Progress goes to stderr, the tables to stdout.
"""

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg

import comb
import coord_contenders
import latency
import machine
import memory
import report
from contenders import Contender, giant_update, peers
from dataset import Dataset, WrongResult
from measure import ContenderFailed, Measurement, measure
from processes import become_subreaper

PROJECT = Path(__file__).resolve().parents[2]


def main() -> int:
    options = parse_options()
    become_subreaper()
    with psycopg.connect(autocommit=True) as connection:
        about = machine.describe(connection, PROJECT)
        raw: dict = {"machine": about, "options": {key: str(value) for key, value in vars(options).items()}}
        try:
            if not options.memory_only and not options.latency_only and not options.comb_only:
                bench_speed(options, connection, about, raw)
            if options.comb or options.comb_only:
                bench_comb(options, connection, about, raw)
            if options.latency or options.latency_only:
                bench_latency(options, connection, about, raw)
            if options.memory or options.memory_only:
                bench_memory(options, connection, about, raw)
        except (WrongResult, ContenderFailed, TimeoutError) as error:
            print(f"benchmark aborted, nothing written: {error}", file=sys.stderr)
            return 1
    if options.json:
        options.json.write_text(json.dumps(raw, indent=2) + "\n")
    return 0


def bench_speed(options: argparse.Namespace, connection: psycopg.Connection, about: dict[str, str], raw: dict) -> None:
    everyone = (peers(options.rows, options.django_rows, options.coord)
                + coord_contenders.contenders(options.coord, options.rows, options.workers))
    chosen = [contender for contender in everyone if is_chosen(contender, options.only)]
    if not chosen:
        sys.exit(f"--only names no contender. There are: {', '.join(contender.name for contender in everyone)}")
    measurements, bytes_per_row = run_rounds(connection, chosen, options)
    raw["measurements"] = [dataclasses.asdict(measurement) for measurement in measurements]
    publish(options, report.TABLE_SECTION, report.table(chosen, measurements, about, bytes_per_row))


def bench_comb(options: argparse.Namespace, connection: psycopg.Connection, about: dict[str, str], raw: dict) -> None:
    everyone = comb.contenders(options.coord, options.comb_rows)
    chosen = [contender for contender in everyone if is_chosen(contender, options.only)]
    if not chosen and options.comb_only:
        sys.exit(f"--only names no contender. There are: {', '.join(contender.name for contender in everyone)}")
    # Else --only is about those of the first table.
    chosen = chosen or everyone
    dataset = Dataset(connection, options.comb_rows, comb.FIELD1_DIGITS, comb.FIELD3_DIGITS)
    try:
        measurements, bytes_per_row = run_on(dataset, chosen, options)
        if dataset.compresses_wal(comb.COMPRESSION):
            # Bytes of WAL hardly differ from run to run: once is enough.
            for contender in chosen:
                if not contender.skip:
                    measurements.append(measure(dataset, comb.compressed(contender), options.timeout))
                    say_measured(f"with {comb.COMPRESSION}", measurements[-1])
    finally:
        dataset.drop()
    raw["comb"] = [dataclasses.asdict(measurement) for measurement in measurements]
    text = [comb.table(chosen, measurements), comb.notes(options.comb_rows, options.repeat, bytes_per_row)]
    publish(options, report.COMB_SECTION, "\n\n".join([*text, report.machine_line(about)]))


def bench_memory(options: argparse.Namespace, connection: psycopg.Connection, about: dict[str, str], raw: dict) -> None:
    chosen = list(memory.contenders(options.coord, options.memory_rows))
    measurements, _ = run_rounds(connection, chosen, options)
    raw["memory"] = [dataclasses.asdict(measurement) for measurement in measurements]
    publish(options, report.MEMORY_SECTION, report.memory_table(chosen, measurements, about))


def bench_latency(options: argparse.Namespace, connection: psycopg.Connection, about: dict[str, str], raw: dict) -> None:
    dataset = Dataset(connection, options.latency_rows)
    try:
        found = latency.measure(options.coord, dataset, options.latency_rows, options.timeout)
    finally:
        dataset.drop()
    raw["latency"] = [dataclasses.asdict(item) for item in found]
    publish(options, report.LATENCY_SECTION, latency.table(found) + "\n\n" + report.machine_line(about))


def run_rounds(connection: psycopg.Connection, chosen: list[Contender],
               options: argparse.Namespace) -> tuple[list[Measurement], int]:
    """Measure by rounds, each contender once in each, so that a noisy minute of the machine hits all alike."""
    runnable = [contender for contender in chosen if not contender.skip]
    if not runnable:
        return [], 0
    say(f"building the template of {max(contender.rows for contender in runnable):,} rows")
    dataset = Dataset(connection, max(contender.rows for contender in runnable))
    try:
        return run_on(dataset, runnable, options)
    finally:
        dataset.drop()


def run_on(dataset: Dataset, chosen: list[Contender], options: argparse.Namespace) -> tuple[list[Measurement], int]:
    """The rounds themselves, and how many bytes a row of the fresh table takes."""
    runnable = [contender for contender in chosen if not contender.skip]
    # Unmeasured: later runs find WAL files to recycle and warm caches, so the first one should as well.
    warm_up = giant_update(runnable[0].rows)
    measure(dataset, warm_up, options.timeout)
    dataset.load(warm_up.rows)
    bytes_per_row = dataset.bytes_per_row(warm_up.rows)
    measurements = []
    for number in range(1, options.repeat + 1):
        for contender in runnable:
            measurements.append(measure(dataset, contender, options.timeout))
            say_measured(f"round {number}/{options.repeat}", measurements[-1])
    return measurements, bytes_per_row


def say_measured(what: str, measurement: Measurement) -> None:
    say(f"{what}  {measurement.contender:32} {measurement.rows:>11,} rows"
        f"  {measurement.seconds:8.2f} s  {measurement.rows_per_second:>9,.0f} rows/s")


def is_chosen(contender: Contender, only: list[str]) -> bool:
    """A name chooses itself and what it begins: `coord-set` chooses `coord-set-1`, `coord-set-2`, …"""
    return not only or any(contender.name == name or contender.name.startswith(f"{name}-") for name in only)


def publish(options: argparse.Namespace, section: str, text: str) -> None:
    print(text, end="\n\n", flush=True)
    if options.write:
        report.write_section(options.out, section, text)
        say(f"wrote the section {section} of {options.out}")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parse_options() -> argparse.Namespace:
    """Every option can also be given by the environment, as BENCH_ and its name: BENCH_ROWS=1000, BENCH_WRITE=1, …"""
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)

    def option(name: str, default: str | None, parse: Callable, text: str) -> None:
        value = os.environ.get(variable(name), default)
        parser.add_argument(f"--{name}", default=value, type=parse, help=f"{text} (default: {default or 'none'})")

    def flag(name: str, text: str) -> None:
        parser.add_argument(f"--{name}", action="store_true", default=os.environ.get(variable(name)) == "1", help=text)

    option("rows", "1000000", int, "rows of the table")
    option("django-rows", "100000", int, "rows of the table for the two Django contenders")
    option("repeat", "3", int, "rounds")
    option("only", "", names, "contenders to run, by name or beginning of a name, with commas between")
    option("workers", "1,2,4,8", numbers, "coord's numbers of workers")
    option("memory-rows", "100000,10000000", numbers, "table sizes of the memory section")
    option("coord", ".build/release/coord", lambda path: (PROJECT / path), "coord's executable")
    option("timeout", "3600", float, "seconds after which one run is given up")
    option("out", "docs/benchmarks.md", lambda path: (PROJECT / path), "document that --write changes")
    option("json", None, Path, "file for every measurement, unrounded")
    option("comb-rows", "1000000", int, "rows of the table of the section on the order of work")
    option("latency-rows", "100000", int, "rows of the table of the latency section")
    flag("comb", "measure what the order of work does to the table's size, after the table")
    flag("comb-only", "measure what the order of work does to the table's size, nothing else")
    flag("latency", "measure how long the application waits while a row is held, after the table")
    flag("latency-only", "measure how long the application waits while a row is held, nothing else")
    flag("memory", "measure memory against table size after the table")
    flag("memory-only", "measure memory against table size, nothing else")
    flag("write", "write the tables between the markers of the document")
    options = parser.parse_args()
    counts = (options.rows, options.comb_rows, options.django_rows, *options.memory_rows, *options.workers)
    if options.repeat < 1 or min(counts) < 1:
        parser.error("counts begin at 1")
    if options.write and options.repeat < report.FEWEST_ROUNDS:
        parser.error(f"--write needs --repeat {report.FEWEST_ROUNDS} or more: fewer rounds have no median worth publishing")
    return options


def variable(option: str) -> str:
    return "BENCH_" + option.upper().replace("-", "_")


def names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def numbers(text: str) -> list[int]:
    return [int(number) for number in names(text)]


if __name__ == "__main__":
    sys.exit(main())
