"""A client that was made with the stubs of an older version, and today's server."""

import unittest

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2
from taskwatch.v1 import task_service_pb2 as pb
from taskwatch.v1 import task_service_pb2_grpc

import servers

SOON = duration_pb2.Duration(nanos=50_000_000)


def reason_of(error):
    for key, value in error.trailing_metadata():
        if key == "grpc-status-details-bin":
            for packed in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if packed.Unpack(info):
                    return info.reason
    return None


class ClientTest(unittest.TestCase):
    def setUp(self):
        self.standin, self.taskwatchd = servers.start_servers(self)
        channel = grpc.insecure_channel(self.taskwatchd.target)
        self.addCleanup(channel.close)
        self.tasks = task_service_pb2_grpc.TaskServiceStub(channel)

    def get(self, task_id):
        return self.tasks.GetTaskInfo(pb.GetTaskInfoRequest(task_id=task_id, max_staleness=SOON)).task

    def test_gets_a_task(self):
        task = self.get("abcd")
        self.assertEqual((task.task_id, task.state, task.done), ("abcd", pb.TASK_STATE_PARTIALLY_FAILED, True))
        self.assertEqual((task.total_count, task.succeeded_count, task.failed_count), (1, 1, 0))
        self.assertEqual(task.upstream_status, 2)
        self.assertTrue(task.etag)
        self.assertGreater(task.observe_time.seconds, 0)
        self.assertGreater(task.change_time.seconds, 0)

    def test_knows_each_state(self):
        states = {
            "waiting": pb.TASK_STATE_WAITING,
            "running": pb.TASK_STATE_RUNNING,
            1: pb.TASK_STATE_SUCCEEDED,
            2: pb.TASK_STATE_PARTIALLY_FAILED,
            3: pb.TASK_STATE_ALL_FAILED,
            4: pb.TASK_STATE_FAILED,
        }
        for number, (state, expected) in enumerate(states.items()):
            with self.subTest(state):
                task_id = "task-{}".format(number)
                self.standin.set_task(task_id, state)
                task = self.get(task_id)
                self.assertEqual(task.state, expected)
                self.assertEqual(task.done, state not in ("waiting", "running"))

    def test_knows_errors_by_code_and_reason(self):
        for task_id, code, reason in [
            ("a/b", grpc.StatusCode.INVALID_ARGUMENT, "INVALID_TASK_ID"),
            ("nothing", grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND"),
        ]:
            with self.subTest(task_id), self.assertRaises(grpc.RpcError) as raised:
                self.get(task_id)
            self.assertEqual((raised.exception.code(), reason_of(raised.exception)), (code, reason))

    def test_watches_a_task_and_resumes_with_its_etag(self):
        self.standin.set_task("t", "running")
        first = self.tasks.WatchTask(pb.WatchTaskRequest(task_id="t", poll_interval=SOON))
        task = next(first).task
        first.cancel()
        watch = self.tasks.WatchTask(
            pb.WatchTaskRequest(
                task_id="t",
                last_etag=task.etag,
                poll_interval=SOON,
                heartbeat_interval=duration_pb2.Duration(seconds=20),
            )
        )
        heartbeat = next(watch).heartbeat
        self.standin.set_task("t", 1)
        states = [message.task.state for message in watch if message.WhichOneof("event") == "task"]

        self.assertEqual(task.state, pb.TASK_STATE_RUNNING)
        self.assertEqual(heartbeat.etag, task.etag)
        self.assertGreater(heartbeat.observe_time.seconds, 0)
        self.assertEqual(states, [pb.TASK_STATE_SUCCEEDED])
        self.assertEqual(watch.code(), grpc.StatusCode.OK)

    def test_waits_for_a_task(self):
        self.standin.set_task("t", "running")
        etag = self.get("t").etag
        unchanged = self.tasks.WaitTask(pb.WaitTaskRequest(task_id="t", timeout=SOON, last_etag=etag)).task
        wait = self.tasks.WaitTask.future(pb.WaitTaskRequest(task_id="t"))
        self.standin.set_task("t", 1)

        self.assertEqual((unchanged.done, unchanged.etag), (False, etag))
        self.assertEqual(wait.result(servers.PATIENCE).task.state, pb.TASK_STATE_SUCCEEDED)


if __name__ == "__main__":
    unittest.main()
