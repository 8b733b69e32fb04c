"""What an example in client/examples prints while it watches a task, and what it ends with. EXAMPLE is its command."""

import os
import unittest

import servers

PARTIALLY_FAILED, ALL_FAILED, FAILED = 2, 3, 4


class WatchTaskTest(unittest.TestCase):
    def setUp(self):
        # An address that outlives a restart of the service.
        port = servers.HeldPort()
        self.addCleanup(port.close)
        self.standin, self.taskwatchd = servers.start_servers(self, listen=port.address)

    def start_example(self, *arguments):
        example = servers.Program([*os.environ["EXAMPLE"].split(), *arguments])
        self.addCleanup(example.kill)
        return example

    def run_example(self, *arguments):
        """Returns its exit code and the lines of its stdout and stderr."""
        code, out, err = self.start_example(*arguments).result()
        return code, out.splitlines(), err.splitlines()

    def watch(self, task_id):
        return self.start_example(self.taskwatchd.target, task_id)

    def test_prints_each_state_in_order_and_ends_with_0_when_the_task_succeeded(self):
        self.standin.set_task("t", "waiting")
        example = self.watch("t")
        example.next_line()
        self.standin.set_task("t", "running")
        example.next_line()
        self.standin.set_task("t", 1)
        code, out, _ = example.result()

        self.assertEqual(out, "TASK_STATE_WAITING 0/4\nTASK_STATE_RUNNING 0/4\nTASK_STATE_SUCCEEDED 4/4\n")
        self.assertEqual(code, 0)

    def test_ends_with_1_when_a_task_failed_even_in_part(self):
        outcomes = {
            PARTIALLY_FAILED: "TASK_STATE_PARTIALLY_FAILED",
            ALL_FAILED: "TASK_STATE_ALL_FAILED",
            FAILED: "TASK_STATE_FAILED",
        }
        for status, state in outcomes.items():
            with self.subTest(state):
                self.standin.set_task(state, status)
                code, out, _ = self.run_example(self.taskwatchd.target, state)

                self.assertEqual([line.split()[0] for line in out], [state])
                self.assertEqual(code, 1)

    def test_ends_with_3_and_says_why_when_there_is_no_such_task(self):
        code, out, err = self.run_example(self.taskwatchd.target, "nothing")

        self.assertEqual((code, out), (3, []))
        self.assertEqual(len(err), 1)
        self.assertIn("DingTalk knows no such task", err[0])

    def test_ends_with_2_without_a_task(self):
        self.assertEqual(self.run_example(self.taskwatchd.target)[:2], (2, []))

    def test_goes_on_where_it_was_when_the_service_has_restarted(self):
        self.goes_on_after(lambda: self.assertEqual(self.taskwatchd.restart(), 0))

    def test_goes_on_where_it_was_when_the_connection_was_lost(self):
        def kill():
            self.taskwatchd.kill()
            self.taskwatchd.start()

        self.goes_on_after(kill)

    def goes_on_after(self, restart):
        self.standin.set_task("t", "running")
        example = self.watch("t")
        example.next_line()
        restart()
        # The second answer comes after the first was told: were it told twice, it would be printed twice.
        before = self.standin.call_count()
        servers.await_that(lambda: self.standin.call_count() >= before + 2, "two more calls to DingTalk")
        self.standin.set_task("t", 1)
        code, out, _ = example.result()

        self.assertEqual(out, "TASK_STATE_RUNNING 0/4\nTASK_STATE_SUCCEEDED 4/4\n")
        self.assertEqual(code, 0)


if __name__ == "__main__":
    unittest.main()
