"""Starts taskwatchd for a test, with a stand-in for DingTalk behind it, and ends exactly these processes."""

import atexit
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request
import uuid

# So that what is registered with atexit runs when the test is ended early, too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

DAY_MS = 24 * 3600 * 1000


class ServerProcess:
    """A server program. When the constructor returns, a line on `stream` has matched `ready`; the match is `ready`."""

    def __init__(self, command, stream, ready):
        self.output = ""
        self.ready = None
        self._command = command
        self._settled = threading.Event()
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        atexit.register(self._process.kill)
        self._readers = [
            threading.Thread(target=self._read, args=(self._process.stdout, stream == "stdout" and ready), daemon=True),
            threading.Thread(target=self._read, args=(self._process.stderr, stream == "stderr" and ready), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self._settled.wait()
        if self.ready is None:
            raise RuntimeError("{} ended with {} before it was ready".format(command[0], self._process.wait()))

    def _read(self, lines, ready):
        for line in lines:
            self.output += line
            sys.stderr.write("[{}] {}".format(self._process.pid, line))
            match = ready and self.ready is None and re.search(ready, line)
            if match:
                self.ready = match
                self._settled.set()
        if ready:
            self._settled.set()

    def terminate(self):
        """Asks it to end."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self):
        """Waits until it has ended and all that it printed is read; returns its exit code."""
        exit_code = self._process.wait()
        for reader in self._readers:
            reader.join()
        self._process.stdout.close()
        self._process.stderr.close()
        atexit.unregister(self._process.kill)
        return exit_code


class Standin:
    """The stand-in for DingTalk's gateway."""

    def __init__(self, token_file):
        self._server = ServerProcess(
            [os.environ["STANDIN"], "--listen=127.0.0.1:0", "--qps=0", "--access_token_file={}".format(token_file)],
            stream="stdout",
            ready=r"listening on (\S+)",
        )
        self.url = self._server.ready[1]
        # It is on this machine, whatever proxies the environment names.
        self._http = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def stop(self):
        self._server.terminate()
        return self._server.wait()

    def control(self, method, path, body=None):
        """Sends `body` (a value) to the control endpoint and returns its answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + "/control/" + path, data=data, method=method)
        with self._http.open(request) as response:
            return json.load(response)

    def set_task(self, task_id, state):
        """Lets a task begin anew, to stay "waiting", "running" (nothing done yet), or over with a status of DingTalk's
        (a number): time does not change it."""
        plan = {
            "waiting": {"waiting_ms": DAY_MS, "running_ms": 0},
            "running": {"waiting_ms": 0, "running_ms": DAY_MS},
        }.get(state, {"waiting_ms": 0, "running_ms": 0, "outcome": state})
        self.control("POST", "tasks", dict(plan, task_id=task_id, items=4))

    def break_task_call(self, **fault):
        """From now on, until the faults are cleared, the task call meets `fault`."""
        self.control("POST", "faults", dict(fault, api="task_info", count=-1))

    def clear_faults(self):
        self.control("DELETE", "faults")

    def call_count(self):
        """How many calls of all kinds it has seen."""
        return sum(self.control("GET", "calls")["counts"].values())


class Taskwatchd:
    """A taskwatchd that asks `standin`, often, for the sake of the test's duration, and leaves nothing behind."""

    def __init__(self, standin, token_file, flags=()):
        self._flags = [
            "--dingtalk_base_url={}".format(standin.url),
            "--access_token_file={}".format(token_file),
            "--state_file=:memory:",
            "--upstream_qps=0",
            "--upstream_monthly_calls=0",
            "--min_poll_interval=50ms",
            "--max_poll_interval=200ms",
            *flags,
        ]
        self._earlier_output = ""
        self._start("127.0.0.1:0")

    def _start(self, address):
        self._server = ServerProcess(
            [os.environ["TASKWATCHD"], "--listen={}".format(address), *self._flags],
            stream="stderr",
            ready=r"listening on (\S+),",
        )
        self.target = self._server.ready[1]

    def terminate(self):
        self._server.terminate()

    def wait(self):
        return self._server.wait()

    def restart(self):
        """Ends it and starts it again at the same address. Returns the exit code with which it ended."""
        self.terminate()
        exit_code = self.wait()
        self._earlier_output = self.output
        self._start(self.target)
        return exit_code

    @property
    def output(self):
        return self._earlier_output + self._server.output


def start_servers(test, flags=()):
    """A Standin and a Taskwatchd, which end with the unittest.TestCase `test`; it fails if they do not end in good
    order, or if taskwatchd has printed the access token."""
    folder = tempfile.TemporaryDirectory(prefix="taskwatch-")
    test.addCleanup(folder.cleanup)
    token = "canary-{}".format(uuid.uuid4())
    token_file = pathlib.Path(folder.name, "access_token")
    token_file.write_text(token)
    standin = Standin(token_file)
    test.addCleanup(lambda: test.assertEqual(standin.stop(), 0))
    taskwatchd = Taskwatchd(standin, token_file, flags)

    def stop():
        taskwatchd.terminate()
        test.assertEqual(taskwatchd.wait(), 0)
        test.assertNotIn(token, taskwatchd.output)

    test.addCleanup(stop)
    return standin, taskwatchd
