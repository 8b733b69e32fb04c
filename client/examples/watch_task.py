"""Watches one task to its end: watch_task.py HOST:PORT TASK_ID

Exits with 0 if the task succeeded, 1 if it failed, all or in part, 2 if called wrongly and 3 on a permanent error.

With Debian's python3-grpcio, python3-protobuf, protobuf-compiler-grpc and golang-github-gogo-googleapis-dev (which has
google/rpc/*.proto), in the root of the repository:

    mkdir -p stubs
    protoc -I proto -I /usr/share/gocode/src/github.com/gogo/googleapis \
      --plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin --python_out=stubs --grpc_python_out=stubs \
      taskwatch/v1/task_service.proto google/rpc/status.proto google/rpc/error_details.proto
    PYTHONPATH=stubs /usr/bin/python3 client/examples/watch_task.py 127.0.0.1:50051 TASK_ID
"""

import random
import sys
import threading
import time

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2
from taskwatch.v1 import task_service_pb2 as pb
from taskwatch.v1 import task_service_pb2_grpc

# In seconds: the service sends something at least so often, and is taken for dead when it does not.
HEARTBEAT = 5
SILENCE = 3 * HEARTBEAT
# A service that asks to wait longer is not waited for.
LONGEST_DELAY = 600
# After so many failures in a row that only a broken connection or proxy explains, the next is believed.
MAX_UNEXPLAINED = 5

# CANCELLED is what read() ends a silent stream with.
ALWAYS_PASS = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
PASS_WITHOUT_REASON = {
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNKNOWN,
}


def details_of(error):
    """The service's reason, empty if the error is not its own, and the seconds that it asks to wait, or None."""
    reason, delay = "", None
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
                if detail.Unpack(info):
                    reason = info.reason
                if detail.Unpack(retry):
                    delay = retry.retry_delay.ToTimedelta().total_seconds()
    return reason, delay


def read(stream):
    """Yields the messages of a stream, and cancels it when none comes for SILENCE."""
    while True:
        timer = threading.Timer(SILENCE, stream.cancel)
        timer.start()
        try:
            message = next(stream, None)
        finally:
            timer.cancel()
        if message is None:
            return
        yield message


def is_news(task, last):
    """Whether a state is to be told after the last one. Another server may still have an older one."""
    return task.done or (task.etag != last.etag and task.observe_time.ToNanoseconds() >= last.observe_time.ToNanoseconds())


def watch(tasks, task_id):
    """Yields each state of the task, the final one last. Raises the grpc.RpcError of a permanent error."""
    last = pb.TaskInfo()
    failures = unexplained = 0
    while True:
        problem, asked = "the stream ended before the task did", None
        try:
            request = pb.WatchTaskRequest(
                task_id=task_id, last_etag=last.etag, heartbeat_interval=duration_pb2.Duration(seconds=HEARTBEAT)
            )
            for message in read(tasks.WatchTask(request)):
                failures = unexplained = 0
                # A kind that a later version of the service sends is none of the two.
                event = getattr(message, message.WhichOneof("event") or "heartbeat")
                if message.HasField("task") and is_news(event, last):
                    last = event
                    yield last
                    if last.done:
                        return
                elif event.etag == last.etag:
                    last.observe_time.CopyFrom(event.observe_time)
        except grpc.RpcError as error:
            problem = error.details()
            reason, asked = details_of(error)
            if error.code() not in ALWAYS_PASS:
                unexplained += 1
                if reason:
                    passes = error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and (asked or 1e9) <= LONGEST_DELAY
                else:
                    passes = error.code() in PASS_WITHOUT_REASON and unexplained <= MAX_UNEXPLAINED
                if not passes:
                    raise
        # At random, so that a restarted service does not see all its watchers at once.
        delay = (asked or 0) + random.uniform(0, min(20, 0.5 * 2 ** min(failures, 10)))
        failures += 1
        print("{}; again in {:.1f} s".format(problem, delay), file=sys.stderr, flush=True)
        time.sleep(delay)


# So that a connection that died in silence ends the stream, too, before SILENCE does.
OPTIONS = [("grpc.keepalive_time_ms", 20_000), ("grpc.http2.max_pings_without_data", 0)]


def main(argv):
    if len(argv) != 3:
        print("usage: watch_task.py HOST:PORT TASK_ID", file=sys.stderr)
        return 2
    with grpc.insecure_channel(argv[1], OPTIONS) as channel:
        try:
            for task in watch(task_service_pb2_grpc.TaskServiceStub(channel), argv[2]):
                done = task.succeeded_count + task.failed_count
                print("{} {}/{}".format(pb.TaskState.Name(task.state), done, task.total_count), flush=True)
        except grpc.RpcError as error:
            print("{}: {}".format(error.code().name, error.details()), file=sys.stderr)
            return 3
    return 0 if task.state == pb.TASK_STATE_SUCCEEDED else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
