"""The harness's safety: what must end a benchmark does end it. `run.sh --self-test` runs this against a real server."""

import os
import sys
import tempfile
import unittest
from pathlib import Path

import psycopg

import processes
import report
from contenders import Contender, peers
from dataset import Dataset, WrongResult
from measure import ContenderFailed, measure

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
