"""A state file that an older taskwatchd left, and today's taskwatchd."""

import contextlib
import datetime
import os
import pathlib
import sqlite3
import tempfile
import unittest

import grpc
from taskwatch.v1 import task_service_pb2 as pb
from taskwatch.v1 import task_service_pb2_grpc

import servers

# DingTalk's month, which the file's ledger has.
CHINA = datetime.timezone(datetime.timedelta(hours=8))


class StateFileTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name, "taskwatch.db")
        with self.database() as database:
            database.executescript(pathlib.Path(os.environ["STATE_FILE_SQL"]).read_text())

    @contextlib.contextmanager
    def database(self):
        with contextlib.closing(sqlite3.connect(self.path)) as database, database:
            yield database

    def start(self, *flags):
        standin, taskwatchd = servers.start_servers(self, ["--state_file={}".format(self.path), *flags])
        channel = grpc.insecure_channel(taskwatchd.target)
        self.addCleanup(channel.close)
        return standin, task_service_pb2_grpc.TaskServiceStub(channel)

    def count_calls(self, calls):
        """Lets the file say that so many calls were made in this month; and in the next, should it begin meanwhile."""
        today = datetime.datetime.now(CHINA)
        next_month = today.replace(day=1) + datetime.timedelta(days=32)
        with self.database() as database:
            database.execute("DELETE FROM call_ledger")
            rows = [(day.strftime("%Y-%m"), calls) for day in (today, next_month)]
            database.executemany("INSERT INTO call_ledger (month, calls) VALUES (?, ?)", rows)

    def test_answers_ended_tasks_from_it(self):
        with self.database() as database:
            rows = database.execute("SELECT task_id, observe_time, change_time FROM finished_task").fetchall()
        times = {task_id: times for task_id, *times in rows}
        standin, tasks = self.start()
        for task_id, state, counts in [
            ("abcd", pb.TASK_STATE_PARTIALLY_FAILED, (1, 1, 0)),
            ("succeeded", pb.TASK_STATE_SUCCEEDED, (4, 4, 0)),
            ("failed", pb.TASK_STATE_ALL_FAILED, (4, 0, 4)),
        ]:
            with self.subTest(task_id):
                task = tasks.GetTaskInfo(pb.GetTaskInfoRequest(task_id=task_id)).task
                self.assertEqual((task.state, task.done), (state, True))
                self.assertEqual((task.total_count, task.succeeded_count, task.failed_count), counts)
                seen = [task.observe_time.ToNanoseconds(), task.change_time.ToNanoseconds()]
                self.assertEqual(seen, times[task_id])
        self.assertEqual(standin.call_count(), 0)

    def test_goes_on_with_its_count_of_the_month(self):
        self.count_calls(3)
        standin, tasks = self.start("--upstream_monthly_calls=5")
        codes = []
        for number in range(3):
            with self.assertRaises(grpc.RpcError) as raised:
                tasks.GetTaskInfo(pb.GetTaskInfoRequest(task_id="unheard-of-{}".format(number)))
            codes.append(raised.exception.code())

        self.assertEqual(codes, [grpc.StatusCode.NOT_FOUND] * 2 + [grpc.StatusCode.RESOURCE_EXHAUSTED])
        self.assertEqual(standin.call_count(), 2)

    def test_is_refused_and_left_alone_when_a_newer_version_has_written_it(self):
        with self.database() as database:
            database.execute("PRAGMA user_version = 1000")
        before = self.path.read_bytes()
        program = servers.Program(
            [os.environ["TASKWATCHD"], "--listen=127.0.0.1:0", "--state_file={}".format(self.path)],
            env={"DINGTALK_ACCESS_TOKEN": "token-of-the-test"},
        )
        exit_code, _, err = program.result()

        self.assertEqual(exit_code, 2)
        self.assertRegex(err, "^ERROR: --state_file '.*' was written by a newer version of Taskwatch [^\n]*\n$")
        self.assertEqual(self.path.read_bytes(), before)


if __name__ == "__main__":
    unittest.main()
