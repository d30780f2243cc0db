"""The parts of the comparison that need no peer: `python3 bench/test_parts.py`. Without numpy it exits with 77: skipped."""
import importlib.util
import pathlib
import sys
import tempfile
import unittest

if not importlib.util.find_spec("numpy"):
    sys.exit(77)
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import compare
import losses
import sweep
import tools
import workloads
from peers import safetensors_file


class Parts(unittest.TestCase):
    def test_a_section_takes_the_place_of_the_one_with_its_title(self):
        text = compare.with_section(compare.with_section("# Results\n", "A", "1"), "B", "2")
        self.assertEqual(compare.with_section(text, "A", "3"), "# Results\n## A\n\n3\n\n## B\n\n2\n")

    def test_rows_of_a_table_stay(self):
        text = compare.with_section("# Results\n", "A", "x\n\n" + tools.table(("n", "t"), [("a", 1), ("b", 2)]))
        text = compare.with_section(text, "A", "y\n\n" + tools.table(("n", "t"), [("b", 3)]))
        self.assertEqual(text, "# Results\n## A\n\ny\n\n| n | t |\n|---|---|\n| a | 1 |\n| b | 3 |\n")

    def test_the_order_of_an_epoch_is_the_runtime_s(self):
        """As rt_shuffle gives it, for seed 0."""
        self.assertEqual(workloads.shuffled(8, 0, 0).tolist(), [6, 4, 0, 7, 5, 2, 3, 1])
        self.assertEqual(sorted(workloads.shuffled(100, 3, 2).tolist()), list(range(100)))

    def test_every_workload_has_a_program_that_takes_first_weights(self):
        for name in workloads.WORKLOADS:
            with tempfile.TemporaryDirectory() as folder:
                self.assertIn("    load ", losses.program_with_weights(name, pathlib.Path(folder)).read_text())

    def test_losses_apart(self):
        self.assertEqual(losses.apart([1, 2, 3], [1, 4, 2.5]), [0, 2, 2])

    def test_the_points_of_a_sweep_are_of_bounded_work(self):
        for kind in sweep.GRIDS:
            points = sweep.points(kind, 1)
            self.assertTrue(points and all(sweep.work(kind, p) * 3 <= sweep.TOP for p in points))
            sweep.MODELS[kind].format(**points[0], half=0)

    def test_a_table(self):
        self.assertEqual(tools.table(("a", "b"), [(1, 2)]), "| a | b |\n|---|---|\n| 1 | 2 |\n")

    def test_safetensors(self):
        import numpy as np
        with tempfile.NamedTemporaryFile() as f:
            safetensors_file.write(f.name, {"w": np.ones((2, 3))})
            raw = pathlib.Path(f.name).read_bytes()
        self.assertEqual(len(raw), 8 + int.from_bytes(raw[:8], "little") + 24)


if __name__ == "__main__":
    unittest.main()
