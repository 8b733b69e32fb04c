"""What a watcher does about each trouble with the service, which here follows a script. All watchers do the same: the
examples in client/examples, and the command line client. EXAMPLE is a watcher's command, with {server} and {task}."""

import concurrent.futures
import os
import re
import threading
import time
import unittest

import grpc
from google.protobuf import timestamp_pb2
from google.rpc import error_details_pb2, status_pb2
from taskwatch.v1 import task_service_pb2 as pb
from taskwatch.v1 import task_service_pb2_grpc

import servers

# A line of the examples, "TASK_STATE_RUNNING 3/10", and of the command line client, "t: running, 3 of 10 done".
LINE = re.compile(r"(?:TASK_STATE_|t: )(\w+)(?: |, )(\d+)(?:/| of )10( done)?")
HANG = "hang"
OK = "ok"


def task(done, second, state=pb.TASK_STATE_RUNNING):
    """A message: so many of ten items were done at this second."""
    observed = timestamp_pb2.Timestamp(seconds=second)
    info = pb.TaskInfo(task_id="t", state=state, done=state == pb.TASK_STATE_SUCCEEDED, etag="e{}".format(done),
                       total_count=10, succeeded_count=done, failed_count=0, observe_time=observed, change_time=observed)
    return pb.WatchTaskResponse(task=info)


def succeeded(second):
    return task(10, second, pb.TASK_STATE_SUCCEEDED)


def heartbeat(done, second):
    return pb.WatchTaskResponse(
        heartbeat=pb.Heartbeat(etag="e{}".format(done), observe_time=timestamp_pb2.Timestamp(seconds=second)))


def error(code, reason="", retry_seconds=None):
    """An end of a stream: the service's own if it has a reason, else as a connection or a proxy makes it."""
    return code, reason, retry_seconds


class ScriptedService(task_service_pb2_grpc.TaskServiceServicer):
    """Its n-th stream sends the messages of the n-th entry of `script`, and ends as the last item there says."""

    def __init__(self, script):
        self._script = script
        self._lock = threading.Lock()
        # When each stream was opened, and with what.
        self.requests = []

    def WatchTask(self, request, context):
        with self._lock:
            self.requests.append((time.monotonic(), request))
            number = len(self.requests)
        if number > len(self._script):
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the script has no stream {}".format(number))
        *messages, end = self._script[number - 1]
        yield from messages
        if end == HANG:
            over = threading.Event()
            context.add_callback(over.set)
            over.wait(servers.PATIENCE)
        elif end != OK:
            self._abort(context, *end)

    @staticmethod
    def _abort(context, code, reason, retry_seconds):
        if reason:
            status = status_pb2.Status(code=code.value[0], message="as scripted")
            status.details.add().Pack(error_details_pb2.ErrorInfo(domain="taskwatch", reason=reason))
            if retry_seconds is not None:
                retry = error_details_pb2.RetryInfo()
                retry.retry_delay.seconds = retry_seconds
                status.details.add().Pack(retry)
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(code, "as scripted")


class TroublesTest(unittest.TestCase):
    def watch(self, *script):
        """The exit code of a watch, the states that it told, as (state, done), and the requests of its streams."""
        service = ScriptedService(script)
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(len(script) + 1))
        task_service_pb2_grpc.add_TaskServiceServicer_to_server(service, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.addCleanup(lambda: server.stop(None).wait(servers.PATIENCE))
        target = "127.0.0.1:{}".format(port)
        watcher = servers.Program([word.format(server=target, task="t") for word in os.environ["EXAMPLE"].split()])
        self.addCleanup(watcher.kill)
        code, out, _ = watcher.result()
        told = []
        for line in out.splitlines():
            match = LINE.fullmatch(line)
            self.assertTrue(match, line)
            told.append((match[1].lower(), int(match[2])))
        return code, told, service.requests

    def test_resumes_with_its_etag_after_all_that_passes(self):
        code, told, requests = self.watch(
            [task(1, 1), error(grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING", 0)],
            [heartbeat(1, 2), error(grpc.StatusCode.UNAVAILABLE, "STREAM_ROTATED", 0)],
            # The stream was reset.
            [task(2, 3), error(grpc.StatusCode.INTERNAL)],
            [error(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHERS", 1)],
            # A proxy ended it.
            [task(3, 4), OK],
            [heartbeat(3, 4), error(grpc.StatusCode.UNKNOWN)],
            # The connection was lost; then a server that cannot know that the state was told.
            [heartbeat(3, 4), error(grpc.StatusCode.UNAVAILABLE)],
            [task(3, 5), error(grpc.StatusCode.CANCELLED)],
            [heartbeat(3, 5), error(grpc.StatusCode.RESOURCE_EXHAUSTED)],
            [succeeded(6), OK],
        )
        self.assertEqual(code, 0)
        self.assertEqual(told, [("running", 1), ("running", 2), ("running", 3), ("succeeded", 10)])
        self.assertEqual([request.last_etag for _, request in requests],
                         ["", "e1", "e1", "e2", "e2", "e3", "e3", "e3", "e3", "e3"])
        # However fast the watcher is, it waits as long as it was asked to.
        self.assertGreaterEqual(requests[4][0] - requests[3][0], 1)

    def test_tells_no_older_state_after_a_newer_one(self):
        code, told, _ = self.watch(
            [task(7, 10), error(grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING", 0)],
            # Another server, which has asked earlier.
            [task(5, 8), task(8, 12), error(grpc.StatusCode.UNAVAILABLE)],
            # Confirmed at 20: what was seen at 15 is older.
            [heartbeat(8, 20), error(grpc.StatusCode.UNAVAILABLE)],
            [task(6, 15), task(9, 22), error(grpc.StatusCode.UNAVAILABLE)],
            # The end is told whatever the clocks say.
            [succeeded(3), OK],
        )
        self.assertEqual(code, 0)
        self.assertEqual(told, [("running", 7), ("running", 8), ("running", 9), ("succeeded", 10)])

    @unittest.skipIf("SLOW_TO_NOTICE_SILENCE" in os.environ, "it waits for three of the longest heartbeats, as it should")
    def test_resumes_when_a_stream_falls_silent(self):
        code, told, requests = self.watch([task(1, 1), HANG], [HANG], [succeeded(2), OK])
        self.assertEqual((code, told), (0, [("running", 1), ("succeeded", 10)]))
        self.assertEqual([request.last_etag for _, request in requests], ["", "e1", "e1"])

    def test_believes_a_failure_without_reason_that_does_not_end(self):
        code, told, requests = self.watch(*[[error(grpc.StatusCode.INTERNAL)]] * 7)
        self.assertEqual((code, told, len(requests)), (3, [], 6))

    def test_ends_with_what_does_not_pass(self):
        for end in (error(grpc.StatusCode.INTERNAL, "UPSTREAM_SYSTEM_ERROR"),
                    error(grpc.StatusCode.FAILED_PRECONDITION, "UPSTREAM_PERMISSION_DENIED"),
                    error(grpc.StatusCode.RESOURCE_EXHAUSTED, "MONTHLY_QUOTA_EXHAUSTED", 86400),
                    error(grpc.StatusCode.RESOURCE_EXHAUSTED, "UPSTREAM_RATE_LIMITED"),
                    error(grpc.StatusCode.UNAUTHENTICATED)):
            with self.subTest(end):
                code, told, requests = self.watch([task(1, 1), end])
                self.assertEqual((code, told, len(requests)), (3, [("running", 1)], 1))


if __name__ == "__main__":
    unittest.main()
