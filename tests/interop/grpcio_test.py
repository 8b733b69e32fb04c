"""The whole service as Python's grpcio sees it."""

import concurrent.futures
import json
import pathlib
import pkgutil
import unittest

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2
from taskwatch.v1 import task_service_pb2 as pb
from taskwatch.v1 import task_service_pb2_grpc

import servers

# Debian's grpc is in one folder, the generated grpc.health in another.
grpc.__path__ = pkgutil.extend_path(grpc.__path__, "grpc")
from grpc.health.v1 import health_pb2, health_pb2_grpc

SOON = duration_pb2.Duration(nanos=50_000_000)
# For calls that a test waits for: it ends one that hangs, and is no expectation of any.
LONG = servers.PATIENCE

TROUBLES = json.loads(pathlib.Path(__file__).with_name("troubles.json").read_text())["troubles"]


def decode(status):
    """The details of a google.rpc.Status, by name."""
    details = {}
    for packed in status.details:
        name = packed.TypeName().rpartition(".")[2]
        details[name] = getattr(error_details_pb2, name)()
        packed.Unpack(details[name])
    return details


def details_of(call):
    """The same of how a call has ended."""
    for key, value in call.trailing_metadata():
        if key == "grpc-status-details-bin":
            return decode(status_pb2.Status.FromString(value))
    return {}


class GrpcioTest(unittest.TestCase):
    def start(self, *flags):
        self.standin, self.taskwatchd = servers.start_servers(self, flags)
        channel = self.connect(self.taskwatchd)
        self.tasks = task_service_pb2_grpc.TaskServiceStub(channel)
        self.health = health_pb2_grpc.HealthStub(channel)

    def connect(self, taskwatchd):
        channel = grpc.insecure_channel(taskwatchd.target)
        self.addCleanup(channel.close)
        return channel

    def get(self, task_id):
        return self.tasks.GetTaskInfo(pb.GetTaskInfoRequest(task_id=task_id), timeout=LONG)

    def error_of(self, call):
        """The error with which the unary `call`, a function, ends."""
        with self.assertRaises(grpc.RpcError) as raised:
            call()
        return raised.exception

    def watch(self, task_id, **fields):
        return self.tasks.WatchTask(pb.WatchTaskRequest(task_id=task_id, poll_interval=SOON, **fields), timeout=LONG)

    def test_reads_the_example_of_dingtalks_api_page(self):
        self.start()
        task = self.get("abcd").task

        self.assertEqual(task.state, pb.TASK_STATE_PARTIALLY_FAILED)
        self.assertTrue(task.done)
        self.assertTrue(task.HasField("failed_count"))
        self.assertEqual((task.total_count, task.succeeded_count, task.failed_count), (1, 1, 0))
        self.assertEqual(task.upstream_status, 2)

    def test_refuses_bad_task_ids_without_asking_dingtalk(self):
        self.start()
        for task_id in ["..", "../../v1.0/x", "a/b", "a%2e", "", "x" * 129, "a\0b", "a\n"]:
            with self.subTest(task_id):
                error = self.error_of(lambda: self.get(task_id))

                self.assertEqual(error.code(), grpc.StatusCode.INVALID_ARGUMENT)
                details = details_of(error)
                self.assertEqual(details["ErrorInfo"].reason, "INVALID_TASK_ID")
                self.assertEqual(details["BadRequest"].field_violations[0].field, "task_id")
        self.assertEqual(self.standin.call_count(), 0)

    def test_tells_of_trouble_by_code_and_details(self):
        # Each has servers of its own; what takes long in some of them is waiting.
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            errors = list(pool.map(self.error_under, TROUBLES))
        for trouble, error in zip(TROUBLES, errors):
            with self.subTest(**trouble["fault"]):
                details = details_of(error)
                info = details["ErrorInfo"]
                self.assertEqual(error.code().name, trouble["code"])
                self.assertEqual((info.domain, info.reason), ("taskwatch", trouble["reason"]))
                metadata = {}
                for key in {"http_status", "upstream_code"} & trouble.keys():
                    metadata[key] = str(trouble[key])
                if trouble.get("names_request"):
                    metadata["upstream_request_id"] = details["RequestInfo"].request_id
                    self.assertRegex(details["RequestInfo"].request_id, "^[0-9A-F-]{36}$")
                self.assertEqual(dict(info.metadata), metadata)
                delay = details["RetryInfo"].retry_delay.seconds if "RetryInfo" in details else None
                wanted = trouble.get("retry_seconds")
                if isinstance(wanted, list):
                    self.assertIn(delay, range(wanted[0], wanted[1] + 1))
                else:
                    self.assertEqual(delay, wanted)

    def error_under(self, trouble):
        """What a GetTaskInfo call ends with while DingTalk is in `trouble`."""
        # Only what is to time out has a short time-out, so that a slow machine does not make it of another trouble.
        timeout = "500ms" if trouble.get("hangs") else "1h"
        flags = ["--upstream_timeout={}".format(timeout), "--upstream_error_budget=1s"]
        standin, taskwatchd = servers.start_servers(self, flags)
        standin.break_task_call(**trouble["fault"])
        tasks = task_service_pb2_grpc.TaskServiceStub(self.connect(taskwatchd))
        return self.error_of(lambda: tasks.GetTaskInfo(pb.GetTaskInfoRequest(task_id="abcd"), timeout=LONG))

    def test_tells_that_the_month_is_used_up(self):
        self.start()
        self.standin.break_task_call(kind="monthly_limit")
        error = self.error_of(lambda: self.get("abcd"))

        details = details_of(error)
        self.assertEqual(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertEqual(details["ErrorInfo"].reason, "MONTHLY_QUOTA_EXHAUSTED")
        self.assertEqual(len(details["QuotaFailure"].violations), 1)
        self.assertGreater(details["RetryInfo"].retry_delay.seconds, 0)

    def test_watches_a_task_from_waiting_to_succeeded_and_ok(self):
        self.start()
        self.standin.set_task("t", "waiting")
        watch = self.watch("t")
        states = []
        for message in watch:
            if message.WhichOneof("event") != "task":
                continue
            states.append(message.task.state)
            self.standin.set_task("t", {1: "running", 2: 1}.get(len(states), 1))

        self.assertEqual(states, [pb.TASK_STATE_WAITING, pb.TASK_STATE_RUNNING, pb.TASK_STATE_SUCCEEDED])
        self.assertEqual(watch.code(), grpc.StatusCode.OK)

    def test_resumes_a_watch_with_an_etag(self):
        self.start()
        self.standin.set_task("t", "running")
        first = self.watch("t")
        etag = next(first).task.etag
        first.cancel()
        watch = self.watch("t", last_etag=etag)
        heartbeat = next(watch).heartbeat
        self.standin.set_task("t", 1)
        tasks = [message.task for message in watch if message.WhichOneof("event") == "task"]

        self.assertEqual(heartbeat.etag, etag)
        self.assertEqual([task.state for task in tasks], [pb.TASK_STATE_SUCCEEDED])
        self.assertEqual(watch.code(), grpc.StatusCode.OK)

    def test_tells_of_transient_trouble_in_heartbeats(self):
        self.start("--min_heartbeat_interval=50ms")
        self.standin.set_task("t", "running")
        watch = self.watch("t", heartbeat_interval=SOON)
        next(watch)
        self.standin.break_task_call(kind="system_error")
        heartbeat = next(message.heartbeat for message in watch if message.heartbeat.HasField("last_poll_error"))
        self.standin.set_task("t", 1)
        self.standin.clear_faults()
        states = [message.task.state for message in watch if message.WhichOneof("event") == "task"]

        self.assertEqual(heartbeat.last_poll_error.code, grpc.StatusCode.INTERNAL.value[0])
        self.assertEqual(decode(heartbeat.last_poll_error)["ErrorInfo"].reason, "UPSTREAM_SYSTEM_ERROR")
        self.assertEqual(states, [pb.TASK_STATE_SUCCEEDED])
        self.assertEqual(watch.code(), grpc.StatusCode.OK)

    def test_a_watch_ends_with_permanent_trouble(self):
        self.start()
        watch = self.watch("nothing")
        error = self.error_of(lambda: next(watch))

        self.assertEqual(error.code(), grpc.StatusCode.NOT_FOUND)
        self.assertEqual(details_of(error)["ErrorInfo"].reason, "TASK_NOT_FOUND")

    def test_a_watch_ends_at_the_deadline(self):
        self.start()
        self.standin.set_task("t", "running")
        watch = self.tasks.WatchTask(pb.WatchTaskRequest(task_id="t"), timeout=0.3)
        error = self.error_of(lambda: [message for message in watch])

        self.assertEqual(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)

    def test_waits_for_a_task(self):
        self.start()
        self.standin.set_task("t", "running")
        etag = self.get("t").task.etag
        soon = duration_pb2.Duration(nanos=100_000_000)
        request = pb.WaitTaskRequest(task_id="t", timeout=soon, last_etag=etag)
        unchanged = self.tasks.WaitTask(request, timeout=LONG).task
        wait = self.tasks.WaitTask.future(pb.WaitTaskRequest(task_id="t"), timeout=LONG)
        self.standin.set_task("t", 1)

        self.assertEqual((unchanged.done, unchanged.etag), (False, etag))
        self.assertTrue(wait.result().task.done)

    def test_health_is_serving(self):
        self.start()
        for service in ["", "taskwatch.v1.TaskService"]:
            with self.subTest(service):
                response = self.health.Check(health_pb2.HealthCheckRequest(service=service), timeout=LONG)
                self.assertEqual(response.status, health_pb2.HealthCheckResponse.SERVING)

    def test_draining_ends_a_watch_with_retry_info(self):
        self.start()
        self.standin.set_task("t", "running")
        watch = self.watch("t")
        next(watch)
        self.taskwatchd.terminate()
        error = self.error_of(lambda: [message for message in watch])

        details = details_of(error)
        self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertEqual(details["ErrorInfo"].reason, "SERVER_DRAINING")
        self.assertEqual(details["RetryInfo"].retry_delay.seconds, 1)
        self.assertEqual(self.taskwatchd.wait(), 0)


if __name__ == "__main__":
    unittest.main()
