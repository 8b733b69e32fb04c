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
import time

import grpc
from google.rpc import error_details_pb2, status_pb2
from taskwatch.v1 import task_service_pb2 as pb
from taskwatch.v1 import task_service_pb2_grpc


def retry_delay(error):
    """The seconds that the service asks to wait before the next attempt, or 0."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                retry_info = error_details_pb2.RetryInfo()
                if detail.Unpack(retry_info):
                    return retry_info.retry_delay.ToTimedelta().total_seconds()
    return 0


def watch(tasks, task_id):
    """Yields each state of the task, the final one last. Raises the grpc.RpcError of a permanent error."""
    etag = ""
    failures = 0
    while True:
        try:
            for message in tasks.WatchTask(pb.WatchTaskRequest(task_id=task_id, last_etag=etag)):
                failures = 0
                # Anything else is a heartbeat, or of a kind that a later version of the service sends.
                if message.WhichOneof("event") == "task":
                    etag = message.task.etag
                    yield message.task
                    if message.task.done:
                        return
        except grpc.RpcError as error:
            # The service is restarting, has ended a stream that got old, or is out of reach.
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise
            # At random, so that a restarted service does not see all its watchers at once.
            delay = max(retry_delay(error), random.uniform(0, min(20, 0.5 * 2**failures)))
            failures = min(failures + 1, 10)
            print("{}; again in {:.1f} s".format(error.details(), delay), file=sys.stderr, flush=True)
            time.sleep(delay)


# So that a connection that died in silence ends the stream with UNAVAILABLE, too.
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
