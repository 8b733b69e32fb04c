"""The processes that the client's end-to-end tests run: a stand-in for DingTalk, the service, and the client."""

import os
import tempfile
import unittest

import servers

ROOT = os.getcwd()
CLIENT = os.path.join(ROOT, "client/taskwatch")
# Ten news a second, for so long that it ends when the test says so, however slow the machine is.
ITEMS = 36_000
ENDLESS = {"waiting_ms": 0, "running_ms": 3_600_000, "items": ITEMS}


class ProcessTest(unittest.TestCase):
    """A test with a stand-in for DingTalk; ends all that it starts."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.token_file, _ = servers.make_token_file(self.folder)
        self.standin = servers.Standin(os.path.join(ROOT, "tests/dingtalk_standin/dingtalk_standin"), self.token_file,
                                       ["--monthly_calls=0"])
        self.addCleanup(self.standin.stop)
        self.add_task = self.standin.add_task
        # Where the service is, once it is started.
        self.server = self.hold_port().address

    def hold_port(self):
        port = servers.HeldPort()
        self.addCleanup(port.close)
        return port

    def start_service(self):
        """Returns when it listens."""
        service = servers.Taskwatchd(os.path.join(ROOT, "service/taskwatchd"), self.standin, self.token_file,
                                     listen=self.server)
        self.addCleanup(service.kill)
        return service

    def start_client(self, *arguments, server=None):
        client = servers.Program([CLIENT, *arguments, f"--server={server or self.server}"], cwd=self.folder)
        self.addCleanup(client.kill)
        return client

    def run_client(self, *arguments, server=None):
        """Returns the exit code, stdout and stderr."""
        return self.start_client(*arguments, server=server).result()
