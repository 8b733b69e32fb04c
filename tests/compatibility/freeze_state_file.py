#!/usr/bin/python3
"""Writes the state file that today's taskwatchd leaves as SQL: freeze_state_file.py FILE.sql, in the root of the tree.

It knows how the tasks `abcd`, `succeeded` and `failed` have ended, and of four calls in the month.
"""

import contextlib
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/interop")
import servers

CALLS = [("abcd", None), ("succeeded", 1), ("failed", 3), ("unheard-of", None)]


def main():
    with tempfile.TemporaryDirectory() as folder:
        token_file, _ = servers.make_token_file(folder)
        state_file = pathlib.Path(folder, "taskwatch.db")
        standin = servers.Standin("bazel-bin/tests/dingtalk_standin/dingtalk_standin", token_file)
        flags = ["--state_file={}".format(state_file), "--upstream_monthly_calls=5000"]
        taskwatchd = servers.Taskwatchd("bazel-bin/service/taskwatchd", standin, token_file, flags)
        for task_id, status in CALLS:
            if status is not None:
                standin.set_task(task_id, status)
            subprocess.run(["bazel-bin/client/taskwatch", "get", task_id, "--server", taskwatchd.target], check=False)
        taskwatchd.terminate()
        taskwatchd.wait()
        standin.stop()
        with contextlib.closing(sqlite3.connect(state_file)) as database:
            pragmas = [
                "PRAGMA {} = {};".format(name, database.execute("PRAGMA " + name).fetchone()[0])
                for name in ("application_id", "user_version")
            ]
            pathlib.Path(sys.argv[1]).write_text("\n".join([*pragmas, *database.iterdump(), ""]))


main()
