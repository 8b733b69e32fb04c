"""The poll policy benchmark: its arithmetic on traces small enough to be computed by hand, its output, its errors."""

import json
import pathlib
import subprocess
import tempfile
import unittest

BENCHMARK = "tests/benchmarks/poll_policy"
HEADER = "family,task_id,second,state,done_items,total_items\n"
# Two tasks of 7 and 12 seconds.
HAND = HEADER + "hand,a,0,0,,\nhand,a,7,1,,\nhand,b,50,0,,\nhand,b,62,4,,\n"


class PollPolicy(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def run_benchmark(self, *arguments):
        return subprocess.run([BENCHMARK, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def traces(self, text):
        path = pathlib.Path(self.folder.name, "traces.csv")
        path.write_text(text)
        return "--traces={}".format(path)

    def rows(self, *arguments):
        done = self.run_benchmark("--format=json", *arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    def assert_row(self, row, calls, delays, shares):
        self.assertAlmostEqual(row["calls_per_task"], calls)
        for key, values in (("delay_s", delays), ("delay_share", shares)):
            self.assertAlmostEqual(row[key]["mean"], sum(values) / 2, msg=key)
            self.assertAlmostEqual(row[key]["p50"], min(values), msg=key)
            self.assertAlmostEqual(row[key]["p95"], max(values), msg=key)

    def test_counts_the_calls_and_delays_of_a_trace(self):
        rows = {row["policy"]: row for row in self.rows(self.traces(HAND))}
        # Polls at 0, 2, 4, 6, 8, 10 and 15 s.
        self.assert_row(rows["official-cli"], (5 + 7) / 2, (1, 3), (1 / 7, 3 / 12))
        # At 0, 2, 5, 9.5 and 16.25 s.
        self.assert_row(rows["exponential"], (4 + 5) / 2, (2.5, 4.25), (2.5 / 7, 4.25 / 12))
        self.assert_row(rows["fixed-1s"], (8 + 13) / 2, (0, 0), (0, 0))
        self.assert_row(rows["fixed-2s"], (5 + 7) / 2, (1, 0), (1 / 7, 0))
        self.assert_row(rows["fixed-5s"], (3 + 4) / 2, (3, 3), (3 / 7, 3 / 12))
        self.assert_row(rows["fixed-10s"], (2 + 3) / 2, (3, 8), (3 / 7, 8 / 12))

    def test_prints_a_row_for_each_family_and_policy(self):
        rows = self.rows("--tasks=2")
        keys = {"family", "policy", "calls_per_task", "delay_s", "delay_share"}
        for row in rows:
            self.assertEqual(set(row), keys)
            self.assertEqual(set(row["delay_s"]), {"mean", "p50", "p95"})
            self.assertEqual(set(row["delay_share"]), {"mean", "p50", "p95"})
        families = {row["family"] for row in rows}
        self.assertLessEqual({"linear", "noisy", "front-loaded", "back-loaded", "unknown"}, families)
        policies = {"taskwatch", "official-cli", "exponential", "fixed-1s", "fixed-2s", "fixed-5s", "fixed-10s"}
        self.assertCountEqual(
            [(row["family"], row["policy"]) for row in rows],
            [(family, policy) for family in families for policy in policies],
        )

    def test_spends_no_more_than_the_months_calls(self):
        rows = {row["policy"]: row for row in self.rows(self.traces(HAND), "--table=month", "--month_calls=60",
                                                         "--month_tasks=8")}
        self.assertEqual(rows["fixed-1s"]["calls"], 60)
        self.assertLess(rows["fixed-1s"]["seen_share"], 1)
        self.assertEqual(rows["fixed-10s"]["seen_share"], 1)
        self.assertLessEqual(rows["taskwatch"]["calls"], 60)

    def test_writes_traces_that_it_reads(self):
        path = pathlib.Path(self.folder.name, "written.csv")
        self.assertEqual(self.run_benchmark("--tasks=3", "--write_traces={}".format(path)).returncode, 0)
        self.assertEqual(self.rows("--traces={}".format(path)), self.rows("--tasks=3"))

    def test_holds_what_is_promised_on_other_seeds_and_lengths(self):
        for arguments in (("--seed=1001",), ("--seed=1002", "--max_length=30m"), ("--seed=1003", "--tasks=800")):
            done = self.run_benchmark("--check", *arguments)
            broken = [line for line in done.stdout.splitlines() if line.startswith("BROKEN")]
            self.assertEqual((done.returncode, broken), (0, []), arguments)

    def test_says_when_a_promise_does_not_hold(self):
        # With its end at the second poll of one peer, no schedule can be better than that one.
        lucky = HEADER + "unknown,a,0,0,,\nunknown,a,10,1,,\n"
        done = self.run_benchmark(self.traces(lucky), "--check")
        self.assertEqual(done.returncode, 1)
        self.assertIn("BROKEN", done.stdout)
        self.assertIn("fixed-10s", done.stdout)

    def test_refuses_bad_input_with_one_line(self):
        cases = (
            ((self.traces(HAND + "hand,c,1,0,,"),), "line 6: task c never ends"),
            (("--traces=/nowhere/traces.csv",), "/nowhere/traces.csv cannot be read"),
            (("--format=xml",), "--format must be text or json"),
            (("--table=year",), "--table must be policies or month"),
            (("--tasks=0",), "--tasks must be at least 1"),
            (("--min_length=9s", "--max_length=8s"), "--max_length"),
            (("--month_calls=0",), "--month_calls"),
            (("traces.csv",), "unexpected argument"),
        )
        for arguments, message in cases:
            done = self.run_benchmark(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(message, done.stderr)


if __name__ == "__main__":
    unittest.main()
