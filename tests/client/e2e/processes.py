"""The processes that the client's end-to-end tests run: a stand-in for DingTalk, the service, nginx and the client."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import unittest
import urllib.request

ROOT = os.getcwd()
CLIENT = os.path.join(ROOT, "client/taskwatch")
# So long that it ends when the test says so, however slow the machine is.
ENDLESS = {"waiting_ms": 0, "running_ms": 3_600_000, "items": 3600}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ProcessTest(unittest.TestCase):
    """A test with a stand-in for DingTalk; ends all that it starts."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.token_file = self.write("token", "token-of-the-test")
        self.standin = self.start(
            [os.path.join(ROOT, "tests/dingtalk_standin/dingtalk_standin"), "--listen=127.0.0.1:0",
             f"--access_token_file={self.token_file}", "--qps=0", "--monthly_calls=0"],
            stdout=subprocess.PIPE)
        self.upstream = self.standin.stdout.readline().split()[-1]
        self.server = f"127.0.0.1:{free_port()}"

    def write(self, name, content):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        return path

    def start(self, command, **options):
        process = subprocess.Popen(command, cwd=self.folder, text=True, **options)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()

    def add_task(self, task_id, **plan):
        """Creates a task in DingTalk, or lets it go on by another plan."""
        body = json.dumps({"task_id": task_id, **plan}).encode()
        urllib.request.urlopen(f"{self.upstream}/control/tasks", data=body).close()

    def start_service(self):
        """Returns when it listens."""
        service = self.start(
            [os.path.join(ROOT, "service/taskwatchd"), f"--listen={self.server}",
             f"--dingtalk_base_url={self.upstream}", f"--access_token_file={self.token_file}",
             # News in time, however the service would space its polls.
             "--max_poll_interval=1s", "--upstream_qps=0", "--upstream_monthly_calls=0", "--state_file=:memory:"],
            stderr=subprocess.PIPE)
        for line in service.stderr:
            if "listening on" in line:
                break
        # What it logs must not fill the pipe.
        threading.Thread(target=service.stderr.read, daemon=True).start()
        return service

    def start_client(self, *arguments, server=None):
        return self.start([CLIENT, *arguments, f"--server={server or self.server}"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run_client(self, *arguments, server=None):
        """Returns the exit code, stdout and stderr."""
        client = self.start_client(*arguments, server=server)
        out, err = client.communicate()
        return client.returncode, out, err


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()
