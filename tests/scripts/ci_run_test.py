"""What .ci/run makes of its stages: its last line, and its exit code, whatever becomes of them."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

CI_RUN = pathlib.Path(".ci/run").resolve()
BARE_MACHINE = pathlib.Path("scripts/bare_machine").resolve()

CLOSING_LINE = re.compile(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?")

# The scripts as they are when all is well; a bare machine that is this one.
GOOD = {
    "bare_machine": '[ "$1" = --check ] || { "$@"; code=$?; echo "bare_machine: removing" >&2; exit $code; }',
    "demo": "echo demo",
    "lint": "echo 'lint: buf-lint ok'; echo 'lint: shellcheck ok'",
    "setup": "true",
    "test": "echo '10 passed, 0 failed'",
    "../tests/sanitizers/tests_with_threads": "echo //a:test //b:test",
}

DEMO, LINT, CASES = 1, 2, 10
# scripts/test runs for all tests, new seeds, the slow ones, AddressSanitizer and ThreadSanitizer.
RUNS = 5
ALL = DEMO + LINT + RUNS * CASES


class CiRunTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="with space")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / ".ci").mkdir()
        (self.root / "scripts").mkdir()
        shutil.copy(CI_RUN, self.root / ".ci" / "run")
        for name, commands in GOOD.items():
            self.script(name, commands)

    def script(self, name, commands):
        path = self.root / "scripts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/bash\n" + commands + "\n", encoding="utf-8")
        path.chmod(0o755)

    def minutes(self, *stages):
        """What .ci/run lets each of these stages take at most."""
        text = CI_RUN.read_text(encoding="utf-8")
        return [re.search(r"stage {} (\d+) ".format(stage), text)[1] for stage in stages]

    def start(self, *arguments):
        environment = {name: value for name, value in os.environ.items() if name != "CI"}
        return subprocess.Popen(
            [str(self.root / ".ci" / "run"), *arguments],
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )

    def run_ci(self, *arguments):
        """(passed, failed, skipped) of the closing line, the lines before it, and the exit code."""
        return self.finish(self.start(*arguments))

    def run_and_stop(self, number, *arguments):
        """The same for a run that gets a signal once a script says `started`."""
        process = self.start(*arguments)
        output = self.read_until_started(process)
        process.send_signal(number)
        return self.finish(process, output)

    def read_until_started(self, process):
        output = ""
        while "started\n" not in output:
            line = process.stdout.readline()
            self.assertTrue(line, output)
            output += line
        return output

    def finish(self, process, output=""):
        rest, _ = process.communicate()
        lines = (output + rest).splitlines()
        closing = CLOSING_LINE.fullmatch(lines[-1])
        self.assertTrue(closing, "\n".join(lines))
        return tuple(int(count or 0) for count in closing.groups()), lines[:-1], process.returncode

    def test_adds_up_the_demo_lint_and_the_test_cases(self):
        counts, lines, code = self.run_ci()
        self.assertEqual((counts, code), ((ALL, 0, 0), 0), lines)

    def test_counts_the_same_on_this_machine_itself(self):
        self.script("bare_machine", "exit 1")
        counts, lines, code = self.run_ci("--here")
        self.assertEqual((counts, code), ((ALL, 0, 0), 0), lines)

    def commit(self, text):
        """Makes a commit, and returns its hash."""

        def git(*arguments):
            identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
            return subprocess.check_output(["git", "-C", str(self.root), *identity, *arguments], encoding="utf-8")

        git("init", "--quiet")
        git("commit", "--quiet", "--allow-empty", "--message", text)
        return git("rev-parse", "HEAD").strip()

    def first_seed(self):
        _, lines, _ = self.run_ci("--here")
        return re.search(r"^test:.*--first_seed=(\d+) ", "\n".join(lines), re.MULTILINE)[1]

    @unittest.skipUnless(shutil.which("git"), "git is not installed")
    def test_tries_other_seeds_for_each_commit_and_prints_them(self):
        self.script("test", 'echo "test:$*"; echo "1 passed, 0 failed"')
        first = self.commit("one")
        self.assertEqual(self.first_seed(), str(int(first[:7], 16) * 5000))
        self.assertEqual(self.first_seed(), str(int(first[:7], 16) * 5000), "the same commit, the same seeds")
        second = self.commit("two")
        self.assertEqual(self.first_seed(), str(int(second[:7], 16) * 5000))

    def test_runs_slow_tests_and_then_the_sanitizers_after_all_others(self):
        self.script("test", 'echo "test:$*"; echo "1 passed, 0 failed"')
        _, lines, _ = self.run_ci()
        self.assertEqual(
            [re.sub(r"(first_seed)=\d+", r"\1=N", line) for line in lines if line.startswith("test:")],
            [
                "test:",
                "test:--nocache_test_results --test_arg=--first_seed=N --test_arg=--seeds=5000 "
                "//tests/simulation:simulation_test",
                "test:--slow",
                "test:--config=asan --build_tests_only",
                "test:--config=tsan //a:test //b:test",
            ],
        )

    def test_says_why_it_does_without_a_bare_machine(self):
        self.script("bare_machine", "echo 'bare_machine: no machine can be made here: it takes root' >&2; exit 77")
        counts, lines, code = self.run_ci()
        self.assertEqual((counts, code), ((ALL, 0, 1), 0), lines)
        self.assertEqual(lines[-1], "skipped: bare machine (it takes root)")

    def test_does_without_a_bare_machine_that_debian_cannot_be_had_for(self):
        self.script(
            "bare_machine",
            "[ $1 = --check ] || { echo 'bare_machine: no machine can be made here: debootstrap failed'; exit 77; }",
        )
        counts, lines, code = self.run_ci()
        self.assertEqual((counts, code), ((ALL, 0, 1), 0), lines)
        self.assertEqual(lines[-1], "skipped: bare machine (debootstrap failed)")

    def test_a_bare_machine_that_breaks_is_a_failure(self):
        self.script("bare_machine", "[ $1 = --check ] || exit 125")
        counts, lines, code = self.run_ci()
        self.assertEqual((counts, code), ((0, 1, 0), 1), lines)

    def test_a_bare_machine_that_dies_half_way_is_a_failure(self):
        self.script("bare_machine", "[ $1 = --check ] || { echo '10 passed, 0 failed'; kill -KILL $$; }")
        counts, lines, code = self.run_ci()
        self.assertEqual((counts, code), ((10, 1, 0), 1), lines)

    def test_goes_on_after_a_stage_that_fails(self):
        self.script("demo", "exit 3")
        self.script("lint", "echo 'lint: shellcheck failed'; echo 'lint: buf-lint ok'; exit 1")
        self.script("test", "echo '8 passed, 2 failed'; exit 1")
        counts, lines, code = self.run_ci()
        self.assertEqual((counts, code), ((1 + RUNS * 8, 1 + 1 + RUNS * 2, 0), 1), lines)

    def test_a_stage_that_ends_without_its_count_has_failed(self):
        self.script("test", "true")
        counts, lines, code = self.run_ci()
        self.assertEqual((counts, code), ((DEMO + LINT, RUNS, 0), 1), lines)

    def test_a_failure_that_nothing_counts_is_one(self):
        self.script("setup", "exit 1")
        self.script("test", "echo '10 passed, 0 failed'; exit 1")
        counts, lines, code = self.run_ci()
        self.assertEqual((counts, code), ((DEMO + RUNS * CASES, 1 + RUNS, 0), 1), lines)

    def test_tells_all_reasons_for_what_is_skipped_on_one_line(self):
        self.script("lint", "echo 'lint: buf-breaking skipped: a shallow clone'")
        self.script("test", "echo 'skipped: a (b); c (d)'; echo '9 passed, 0 failed, 2 skipped'")
        counts, lines, code = self.run_ci("--here")
        self.assertEqual((counts, code), ((DEMO + RUNS * 9, 0, 1 + RUNS * 2), 0), lines)
        self.assertEqual(lines[-1], "skipped: buf-breaking skipped: a shallow clone" + RUNS * "; a (b); c (d)")
        self.assertEqual(self.run_ci()[0], counts, "the bare machine's line is taken over")

    def test_what_no_time_is_left_for_has_failed(self):
        counts, lines, code = self.run_ci("--here", "0")
        self.assertEqual((counts, code), ((0, 5, 2), 1), lines)

    def test_only_the_sanitizers_are_skipped_when_time_is_short(self):
        counts, lines, code = self.run_ci("--here", str(int(time.time()) + 25 * 60))
        self.assertEqual((counts, code), ((DEMO + LINT + 3 * CASES, 0, 2), 0), lines)
        self.assertEqual(
            lines[-1],
            "skipped: asan (less than the {} minutes that it may take were left); "
            "tsan (less than the {} minutes that it may take were left)".format(*self.minutes("asan", "tsan")),
        )

    def test_does_not_wait_for_what_a_stage_leaves_behind(self):
        pid_file = self.root / "pid"
        self.script("demo", 'setsid sleep 600 & echo $! >"{}"'.format(pid_file))
        counts, lines, code = self.run_ci("--here")
        os.kill(int(pid_file.read_text()), signal.SIGKILL)  # It still runs: otherwise this raises.
        self.assertEqual((counts, code), ((ALL, 0, 0), 0), lines)

    def test_a_signal_stops_the_stage_and_leaves_the_closing_line(self):
        self.script("test", 'trap "echo stage stopped; exit 1" TERM; echo started; while :; do sleep 0.1; done')
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
            with self.subTest(number.name):
                counts, lines, code = self.run_and_stop(number, "--here")
                self.assertEqual((counts, code), ((3, 1, 0), 1), lines)
                self.assertIn("stage stopped", lines)

    def test_what_it_started_ends_with_it_when_it_is_killed(self):
        stopped = self.root / "stopped"
        os.mkfifo(stopped)
        self.script("test", 'trap "echo yes >stopped; exit 1" TERM; echo started; while :; do sleep 0.1; done')
        process = self.start("--here")
        self.read_until_started(process)
        process.kill()
        self.assertEqual(stopped.read_text(), "yes\n")
        process.communicate()

    def test_a_signal_stops_the_bare_machine_and_leaves_the_closing_line(self):
        self.script("bare_machine", '[ "$1" = --check ] || { trap "echo removed; exit 143" TERM; echo started; sleep 600 & wait; }')
        counts, lines, code = self.run_and_stop(signal.SIGTERM)
        self.assertEqual((counts, code), ((0, 1, 0), 1), lines)
        self.assertIn("removed", lines)

    def test_knows_its_arguments(self):
        process = self.start("--nowhere")
        output, _ = process.communicate()
        self.assertEqual((output, process.returncode), ("usage: .ci/run [--here]\n", 2))


class BareMachineTest(unittest.TestCase):
    def run_bare_machine(self, *arguments, **environment):
        return subprocess.run(
            [str(BARE_MACHINE), *arguments],
            env=dict(os.environ, **environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )

    def test_takes_a_command(self):
        for arguments in (), ("--chekc",):
            result = self.run_bare_machine(*arguments)
            self.assertEqual((result.stdout, result.returncode), ("usage: scripts/bare_machine COMMAND... | --check\n", 2))

    def test_says_why_none_can_be_made(self):
        with tempfile.TemporaryDirectory() as folder:
            unshare = pathlib.Path(folder) / "unshare"
            unshare.write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n", encoding="utf-8")
            unshare.chmod(0o755)
            for arguments in ("--check",), ("true",):
                result = self.run_bare_machine(*arguments, PATH=folder + ":" + os.environ["PATH"])
                self.assertEqual(result.returncode, 77, result.stdout)
                self.assertRegex(
                    result.stdout,
                    "^bare_machine: no machine can be made here: "
                    "(it takes .*|the kernel does not let it: unshare failed: Operation not permitted)\n$",
                )


if __name__ == "__main__":
    unittest.main()
