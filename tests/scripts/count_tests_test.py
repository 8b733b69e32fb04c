"""What scripts/count_tests.py makes of Bazel's build events."""

import json
import os
import pathlib
import tempfile
import unittest

import count_tests

GOOGLETEST = """<testsuites><testsuite name="Poll">
  <testcase name="Passes" status="run" result="completed" classname="Poll"/>
  <testcase name="Fails" status="run" result="completed" classname="Poll"><failure message="1 != 2"/></testcase>
  <testcase name="Skips" status="run" result="skipped" classname="Poll"><skipped message="needs  nginx"/></testcase>
  <testcase name="DISABLED_Sleeps" status="notrun" result="suppressed" classname="Poll"/>
</testsuite></testsuites>"""

# As Bazel writes it for a test that writes none, here one that crashed.
CRASHED = """<testsuites><testsuite name="tests/tracker/poll_test" tests="1" failures="0" errors="1">
  <testcase name="tests/tracker/poll_test" status="run"><error message="exited with error code 134"></error></testcase>
</testsuite></testsuites>"""


class CountTests(unittest.TestCase):
    def setUp(self):
        # A URI escapes the space.
        self.folder = tempfile.TemporaryDirectory(prefix="with space")
        self.addCleanup(self.folder.cleanup)
        self.files = 0

    def result(self, label, status, xml=None, **key):
        outputs = []
        if xml is not None:
            self.files += 1
            path = pathlib.Path(self.folder.name, "test{}.xml".format(self.files))
            path.write_text(xml)
            outputs = [{"name": "test.log", "uri": "file:///log"}, {"name": "test.xml", "uri": path.as_uri()}]
        return {
            "id": {"testResult": dict(key, label=label)},
            "testResult": {"status": status, "testActionOutput": outputs},
        }

    def test_counts_the_cases_of_a_googletest(self):
        counts = count_tests.count([self.result("//tests:poll_test", "FAILED", GOOGLETEST)])
        self.assertEqual(counts.passed, ["//tests:poll_test Poll.Passes"])
        self.assertEqual(counts.failed, ["//tests:poll_test Poll.Fails"])
        self.assertEqual(
            counts.skipped,
            ["//tests:poll_test Poll.Skips (needs nginx)", "//tests:poll_test Poll.DISABLED_Sleeps (disabled)"],
        )
        self.assertEqual(count_tests.closing_line(counts), "1 passed, 1 failed, 2 skipped")

    def test_a_crash_is_one_failure(self):
        counts = count_tests.count([self.result("//tests/tracker:poll_test", "FAILED", CRASHED)])
        self.assertEqual(counts, ([], ["//tests/tracker:poll_test"], []))

    def test_a_timeout_without_a_failed_case_is_a_failure(self):
        passing = '<testsuites><testcase name="Passes"/></testsuites>'
        counts = count_tests.count([self.result("//tests:poll_test", "TIMEOUT", passing)])
        self.assertEqual(counts.failed, ["//tests:poll_test (TIMEOUT)"])

    def test_a_test_that_tells_no_cases_counts_once(self):
        events = [self.result("//:a", "PASSED"), self.result("//:b", "PASSED", "cut o"), self.result("//:c", "FAILED")]
        self.assertEqual(count_tests.count(events), (["//:a", "//:b"], ["//:c (FAILED)"], []))

    def test_the_last_attempt_at_a_flaky_test_counts(self):
        events = [self.result("//:a", "FAILED", attempt=1), self.result("//:a", "PASSED", attempt=2)]
        self.assertEqual(count_tests.count(events), (["//:a"], [], []))

    def test_every_shard_and_run_counts(self):
        events = [self.result("//:a", "PASSED", run=run, shard=shard) for run in (1, 2) for shard in (1, 2, 3)]
        self.assertEqual(len(count_tests.count(events).passed), 6)

    def test_what_cannot_be_built_is_a_failure(self):
        events = [
            {"id": {"targetCompleted": {"label": "//:library"}}, "completed": {"success": True}},
            {"id": {"targetCompleted": {"label": "//:broken"}}, "completed": {}},
            {"id": {"targetCompleted": {"label": "//:unfinished"}}, "aborted": {"reason": "INCOMPLETE"}},
        ]
        self.assertEqual(
            count_tests.count(events).failed,
            ["//:broken (could not be built)", "//:unfinished (could not be built)"],
        )

    def test_a_test_without_a_result_is_a_failure(self):
        events = [{"id": {"testSummary": {"label": "//:a"}}, "testSummary": {"overallStatus": "NO_STATUS"}}]
        self.assertEqual(count_tests.count(events).failed, ["//:a (NO_STATUS)"])

    def test_a_failure_of_bazel_itself_is_one_if_there_is_no_other(self):
        self.assertEqual(count_tests.count([], 2).failed, ["bazel (exit code 2)"])
        self.assertEqual(count_tests.count([self.result("//:a", "FAILED")], 3).failed, ["//:a (FAILED)"])

    def test_no_tests_are_neither_passed_nor_failed(self):
        self.assertEqual(count_tests.count([], count_tests.NO_TESTS), ([], [], []))

    def test_an_unfinished_event_file_is_read_as_far_as_it_goes(self):
        path = os.path.join(self.folder.name, "events.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(json.dumps(self.result("//:a", "PASSED")) + '\n{"id":{"testRes')
        self.assertEqual(count_tests.count(count_tests.read_events(path)).passed, ["//:a"])


if __name__ == "__main__":
    unittest.main()
