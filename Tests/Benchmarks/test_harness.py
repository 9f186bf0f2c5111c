"""The harness's safety: what must end a benchmark does end it. `run.sh --self-test` runs this against a real server."""

import dataclasses
import os
import sys
import tempfile
import unittest
from pathlib import Path

import psycopg

import comb
import processes
import report
from contenders import Contender, peers
from dataset import Dataset, Shape, WrongResult
from measure import ContenderFailed, Measurement, measure

ROWS = 2000
RIGHT = "UPDATE the_object SET field3 = upper(field1) || '-' || field2 * 3"


def contender(*statements: str) -> Contender:
    arguments = [argument for statement in statements for argument in ("-c", statement)]
    return Contender("tested", "tested", ROWS, lambda _: ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *arguments])


class MeasureTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        processes.become_subreaper()
        cls.connection = psycopg.connect(autocommit=True)
        cls.dataset = Dataset(cls.connection, ROWS)

    @classmethod
    def tearDownClass(cls):
        cls.dataset.drop()
        cls.connection.close()

    def measure(self, *statements: str):
        return measure(self.dataset, contender(*statements), timeout_seconds=60)

    def test_a_right_result_is_measured(self):
        measurement = self.measure(RIGHT)
        self.assertEqual(measurement.tuples_updated, ROWS)
        self.assertGreater(measurement.wal_bytes_per_row, 100)
        self.assertGreater(measurement.rows_per_second, 0)

    def test_every_peer_gives_the_right_result(self):
        for peer in peers(ROWS, ROWS, Path("no-coord")):
            if peer.skip is None:
                with self.subTest(peer.name):
                    self.assertEqual(measure(self.dataset, peer, timeout_seconds=60).tuples_updated, ROWS)

    def test_one_row_not_updated_is_a_wrong_result(self):
        with self.assertRaisesRegex(WrongResult, "1 with a wrong value"):
            self.measure(f"{RIGHT} WHERE id <> (SELECT max(id) FROM the_object)")

    def test_one_row_lost_and_one_added_are_a_wrong_result(self):
        with self.assertRaisesRegex(WrongResult, "1 rows lost, 1 added"):
            self.measure(RIGHT, "UPDATE the_object SET id = -1 WHERE id = (SELECT max(id) FROM the_object)")

    def test_another_column_changed_is_a_wrong_result(self):
        with self.assertRaisesRegex(WrongResult, "1 with another column changed"):
            self.measure(RIGHT, "UPDATE the_object SET padding = NULL WHERE id = (SELECT min(id) FROM the_object)")

    def test_a_failing_command_ends_the_benchmark(self):
        with self.assertRaisesRegex(ContenderFailed, "no_such_table"):
            self.measure("UPDATE no_such_table SET a = 1")


class CombTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        processes.become_subreaper()
        cls.connection = psycopg.connect(autocommit=True)
        cls.dataset = Dataset(cls.connection, ROWS, comb.FIELD1_DIGITS, comb.FIELD3_DIGITS)

    @classmethod
    def tearDownClass(cls):
        cls.dataset.drop()
        cls.connection.close()

    def test_updates_that_stay_on_their_page_are_counted_and_so_is_what_grows(self):
        everything = self.measure(RIGHT)
        # The rows of one stripe make room for those of the next.
        stripes = self.measure(*(f"{RIGHT} WHERE id % 8 = {stripe}" for stripe in range(8)))
        self.assertLess(everything.hot_share, 0.05)
        self.assertAlmostEqual(everything.heap_growth, 2, delta=0.1)
        self.assertGreater(everything.index_growth, 1.5)
        self.assertAlmostEqual(stripes.hot_share, 7 / 8, delta=0.15)
        self.assertAlmostEqual(stripes.heap_growth, 9 / 8, delta=0.15)

    def test_every_contender_without_coord_gives_the_right_result_on_every_table(self):
        tested = [one for one in comb.contenders(Path("no-coord"), ROWS) if one.skip is None]
        self.assertEqual(len(tested), 2 * len(comb.GROUPS))
        for one in tested:
            with self.subTest(one.name):
                self.assertEqual(measure(self.dataset, one, timeout_seconds=60).tuples_updated, ROWS)

    def test_a_part_of_the_table_that_no_plain_update_has_is_a_wrong_result(self):
        one = next(one for one in comb.contenders(Path("no-coord"), ROWS) if one.name == "one-index-plain-updates")

        def prepare(directory: Path) -> list[str]:
            command = one.prepare(directory)
            self.connection.execute("UPDATE bench_part SET through = through - 10 WHERE client = 0")
            return command

        with self.assertRaisesRegex(WrongResult, "with a wrong value"):
            measure(self.dataset, dataclasses.replace(one, prepare=prepare), timeout_seconds=60)

    def test_a_table_has_the_shape_that_is_asked_for(self):
        self.dataset.load(ROWS, Shape(grows=True, five_indexes=True))
        self.assertEqual(len(self.dataset.storage().indexes), 5)
        self.assertEqual(self.connection.execute("SELECT count(field3) FROM the_object").fetchone()[0], 0)
        self.dataset.load(ROWS)
        self.assertEqual(len(self.dataset.storage().indexes), 1)
        # Values of equal width before and after.
        self.assertEqual(self.connection.execute(
            f"SELECT min(length(field3)), max(length(field3)), min(length({comb.EXPRESSION})), max(length({comb.EXPRESSION})) "
            "FROM the_object").fetchone(), (24, 24, 24, 24))

    def test_images_are_compressed_where_that_is_asked_for_and_nowhere_else(self):
        if not self.dataset.compresses_wal(comb.COMPRESSION):
            self.skipTest(f"this server has no {comb.COMPRESSION}")
        one = comb.contenders(Path("no-coord"), ROWS)[0]
        plain = measure(self.dataset, one, timeout_seconds=60).wal_bytes_per_row
        compressed = measure(self.dataset, comb.compressed(one), timeout_seconds=60).wal_bytes_per_row
        again = measure(self.dataset, one, timeout_seconds=60).wal_bytes_per_row
        self.assertLess(compressed, 0.8 * plain)
        self.assertAlmostEqual(again, plain, delta=0.1 * plain)

    def test_the_tables_show_medians_the_extra_run_and_what_was_skipped(self):
        giant, plain = comb.contenders(Path("no-coord"), ROWS)[:2]
        coord = next(one for one in comb.contenders(Path("no-coord"), ROWS) if one.skip)
        found = [self.measurement(giant.name, 100, 300), self.measurement(giant.name, 300, 300),
                 self.measurement(giant.name, 200, 300), self.measurement(plain.name, 400, 310),
                 self.measurement(comb.compressed(giant).name, 999, 120)]
        lines = comb.table([giant, plain, coord], found).splitlines()
        self.assertIn("| one giant UPDATE | 200 | 1.00 | 100–300 | 50.0 % | 1.25 | 1.10 | 300 | 120 |", lines)
        self.assertIn(f"| {plain.title} | 400 | 2.00 | 400–400 | 50.0 % | 1.25 | 1.10 | 310 | – |", lines)
        self.assertIn(f"| {coord.title} | skipped | – | – | – | – | – | – | – |", lines)
        self.assertEqual(len(lines), 7)

    def measure(self, *statements: str) -> Measurement:
        return measure(self.dataset, contender(*statements), timeout_seconds=60)

    def measurement(self, name: str, rows_per_second: float, wal: float) -> Measurement:
        return Measurement(contender=name, rows=ROWS, seconds=1, rows_per_second=rows_per_second, wal_bytes_per_row=wal,
                           peak_kib={}, tree_peak_kib=0, tuples_updated=ROWS, hot_share=0.5, heap_growth=1.25,
                           index_growth=1.1, sampler_seconds=0)


class ProcessesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        processes.become_subreaper()

    def run_python(self, program: str, timeout_seconds: float = 60) -> processes.Outcome:
        with tempfile.TemporaryDirectory() as directory:
            return processes.run([sys.executable, "-c", program], Path(directory), timeout_seconds)

    def test_memory_of_a_grandchild_is_seen(self):
        grow = "import select; held = bytearray(200 << 20); select.select([], [], [], 0.3)"
        outcome = self.run_python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{grow}'])")
        child = max(process.peak_kib for process in outcome.processes if not process.is_root)
        root = next(process.peak_kib for process in outcome.processes if process.is_root)
        self.assertGreater(child, 200 << 10)
        self.assertLess(root, 100 << 10)

    def test_a_hanging_command_is_ended_at_the_time_limit(self):
        with self.assertRaises(TimeoutError):
            self.run_python("import signal; print(flush=True); signal.pause()", timeout_seconds=0.2)
        self.assertEqual(processes._descendants(os.getpid()), [])

    def test_what_a_command_leaves_behind_is_reported_and_ended(self):
        outcome = self.run_python("import subprocess; subprocess.Popen(['tail', '-f', '/dev/null'])")
        self.assertEqual(len(outcome.left_behind), 1)
        self.assertEqual(processes._descendants(os.getpid()), [])


class ReportTest(unittest.TestCase):
    def test_a_section_is_replaced_between_its_markers_and_nothing_else(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "docs" / "benchmarks.md"
            report.write_section(path, report.TABLE_SECTION, "first")
            report.write_section(path, report.MEMORY_SECTION, "memory")
            report.write_section(path, report.TABLE_SECTION, "second")
            text = path.read_text()
        self.assertNotIn("first", text)
        self.assertIn("<!-- bench:begin -->\nsecond\n<!-- bench:end -->", text)
        self.assertIn("<!-- bench-memory:begin -->\nmemory\n<!-- bench-memory:end -->", text)

    def test_a_document_without_markers_is_not_changed(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "benchmarks.md"
            path.write_text("by hand")
            with self.assertRaises(ValueError):
                report.write_section(path, report.TABLE_SECTION, "new")
            self.assertEqual(path.read_text(), "by hand")


if __name__ == "__main__":
    unittest.main()
