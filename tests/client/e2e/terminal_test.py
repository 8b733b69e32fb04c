"""What a person sees: `watch` on a real terminal, read from tmux's screen."""

import os
import re
import shlex
import subprocess
import unittest

import servers

from processes import CLIENT, ENDLESS, ProcessTest

TASKS = ["first-task", "second-task", "a-task-with-a-name-that-is-far-too-long-for-the-screen"]
TASK_LINE = re.compile(r"(first-task|second-task|a-task-with-a-name)\S* +(asking|waiting|running|succeeded|partially failed)\b.*")


class TerminalTest(ProcessTest):
    def setUp(self):
        super().setUp()
        self.socket = os.path.join(self.folder, "tmux")
        self.start_service()
        for task_id in TASKS:
            self.add_task(task_id, **ENDLESS)

    def tmux(self, *arguments):
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TERM": "xterm-256color"}
        # Where a sanitizer writes its reports (tests/sanitizers/run_test) holds for all that a test starts.
        environment.update((name, value) for name, value in os.environ.items() if name.endswith("SAN_OPTIONS"))
        result = subprocess.run(["tmux", "-S", self.socket, "-f", "/dev/null", *arguments], check=True, text=True,
                                timeout=servers.PATIENCE, capture_output=True, env=environment)
        return result.stdout

    def watch_on_screen(self, columns, rows, environment="", before="true"):
        self.run_on_screen(columns, rows, f"watch {' '.join(TASKS)}", environment, before)

    def run_on_screen(self, columns, rows, arguments, environment="", before="true"):
        command = f"{environment} {shlex.quote(CLIENT)} {arguments} --server={self.server}"
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), f"{before}; {command}; echo \"exit=$?\"; exec cat")
        self.addCleanup(self.tmux, "kill-server")

    def screen(self, *options):
        """The rows of the screen, without the empty ones at the end."""
        return self.tmux("capture-pane", "-p", *options).rstrip("\n").split("\n")

    def await_screen(self, accepts):
        """Reads the screen until it is as wanted."""
        rows = []

        def looks_right():
            rows[:] = self.screen()
            return accepts(rows)

        try:
            servers.await_that(looks_right, "another screen")
        except servers.Impatience as impatience:
            raise AssertionError("the screen shows:\n{}".format("\n".join(rows))) from impatience
        return rows

    def is_in_order(self, rows):
        """Each task has one line, in order, and there is nothing else."""
        lines = [TASK_LINE.fullmatch(row) for row in rows]
        return all(lines) and [line[1] for line in lines] == ["first-task", "second-task", "a-task-with-a-name"]

    def test_lines_neither_wrap_nor_pile_up_on_60_columns(self):
        self.watch_on_screen(60, 12)
        self.await_screen(lambda rows: any("running" in row for row in rows))
        seen = set()

        def another(rows):
            self.assertTrue(self.is_in_order(rows), rows)
            self.assertLessEqual(max(map(len, rows)), 59)
            seen.add(tuple(rows))
            # Enough redraws for all that can go wrong with one.
            return len(seen) == 5

        self.await_screen(another)

    def test_survives_resizing(self):
        # Below other lines, which are to stay: a screen that becomes narrower breaks the block into more rows.
        self.watch_on_screen(60, 20, before="seq -f before-%g 9")
        self.await_screen(lambda rows: "running" in rows[-1])
        for columns in (45, 30, 100, 60):
            self.tmux("resize-window", "-x", str(columns))
            self.await_screen(lambda rows, columns=columns: max(map(len, rows)) < columns and
                              rows[-4] == "before-9" and self.is_in_order(rows[-3:]))

    def test_leaves_the_final_lines_standing(self):
        self.watch_on_screen(60, 12)
        self.await_screen(self.is_in_order)
        for task_id in TASKS:
            self.add_task(task_id, waiting_ms=0, running_ms=0, items=20)
        rows = self.await_screen(lambda rows: "exit=" in rows[-1])
        self.assertEqual(rows[-1], "exit=0")
        self.assertTrue(self.is_in_order(rows[:-1]), rows)
        self.assertTrue(all("succeeded" in row and "100%" in row for row in rows[:-1]), rows)

    def test_counts_the_lines_that_the_screen_has_no_room_for(self):
        self.watch_on_screen(60, 3)
        rows = self.await_screen(lambda rows: "running" in rows[0])
        self.assertTrue(rows[0].startswith("first-task"), rows)
        self.assertEqual(rows[1:], ["... and 2 more lines"])

    def test_shows_trouble_with_the_service_and_gives_up_in_order(self):
        self.server = "127.0.0.1:1"
        self.watch_on_screen(60, 20)
        rows = self.await_screen(lambda rows: any("exit=" in row for row in rows))
        self.assertIn("exit=3", rows)
        self.assertTrue(self.is_in_order([row.replace("unknown", "asking") for row in rows[:3]]), rows)

    def test_wait_says_what_it_waits_for_and_what_is_known(self):
        self.run_on_screen(100, 20, "wait first-task")
        rows = self.await_screen(lambda rows: len(rows) == 2)
        self.assertIn("waiting for first-task", rows[0])
        self.assertRegex(rows[1], "^taskwatch: first-task: running, [0-9]+ of 36000 done$")
        self.add_task("first-task", waiting_ms=0, running_ms=0, items=20)
        rows = self.await_screen(lambda rows: "exit=" in rows[-1])
        self.assertEqual(rows[2:], ["first-task: succeeded, 20 of 20 done", "exit=0"])

    def test_has_colours_unless_they_are_not_wanted(self):
        self.watch_on_screen(60, 12, environment="env -u NO_COLOR")
        self.await_screen(lambda rows: "running" in rows[0])
        self.assertIn("\x1b[36mrunning", "\n".join(self.screen("-e")))

    def test_respects_no_color(self):
        self.watch_on_screen(60, 12, environment="env NO_COLOR=1")
        self.await_screen(lambda rows: "running" in rows[0])
        self.assertNotIn("\x1b", "\n".join(self.screen("-e")))


if __name__ == "__main__":
    unittest.main()
