"""What goes to the proxies that the environment names, and what is said of dead ones."""

import os
import pathlib
import socket
import threading
import unittest

import servers

from processes import CLIENT, ProcessTest

# Nothing answers there: it is set aside for documentation (RFC 2606).
ELSEWHERE = "taskwatch.invalid:50051"


class Recorder:
    """Listens as a proxy, keeps what it is sent, and hangs up."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:{}".format(self._socket.getsockname()[1])
        self.received = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.received.append(connection.recv(65536))

    def close(self):
        """Returns when nothing more can come."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(servers.PATIENCE)
        self._socket.close()


class ProxyTest(ProcessTest):
    def run_with_proxy(self, proxy, *arguments, server):
        environment = {name: value for name, value in os.environ.items() if not name.endswith("_proxy")}
        for name in ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "ALL_PROXY"):
            environment[name] = f"http://somebody:canary-password@{proxy}"
        client = servers.Program([CLIENT, *arguments, f"--server={server}"], cwd=self.folder, env=environment)
        self.addCleanup(client.kill)
        return client.result()

    def make_recorder(self):
        recorder = Recorder()
        self.addCleanup(recorder.close)
        return recorder

    def caller_token(self):
        path = pathlib.Path(self.folder, "caller_token")
        path.write_text("canary-token")
        return path

    def test_nothing_for_this_machine_goes_to_a_proxy(self):
        recorder = Recorder()
        self.start_service()
        port = self.server.rpartition(":")[2]
        token = f"--token_file={self.caller_token()}"
        for server in (self.server, f"localhost:{port}", f"dns:///127.0.0.1:{port}"):
            for command in (["get", "abcd", token], ["watch", "abcd", token], ["wait", "abcd", token], ["get", "abcd"],
                            ["health"]):
                with self.subTest(server=server, command=command):
                    code, out, _ = self.run_with_proxy(recorder.address, *command, server=server)
                    self.assertEqual(code, 0 if command[0] in ("get", "health") else 1)
                    self.assertIn("serving" if command[0] == "health" else "abcd: partially failed", out)
        recorder.close()
        self.assertEqual(recorder.received, [])

    def test_a_token_goes_nowhere_without_tls(self):
        recorder = Recorder()
        for server in (ELSEWHERE, "127.evil.invalid:50051", "localhost.evil.invalid:50051"):
            code, _, err = self.run_with_proxy(recorder.address, "get", "t1", f"--token_file={self.caller_token()}",
                                               server=server)
            self.assertEqual(code, 2)
            self.assertIn("use --tls", err)
        recorder.close()
        self.assertEqual(recorder.received, [])

    def test_a_server_elsewhere_is_reached_through_the_proxy(self):
        recorder = self.make_recorder()
        self.run_with_proxy(recorder.address, "get", "t1", server=ELSEWHERE)
        self.assertTrue(recorder.received[0].startswith(f"CONNECT {ELSEWHERE} HTTP/1.1\r\n".encode()), recorder.received)

    def test_a_dead_proxy_is_named_without_its_password(self):
        dead = self.hold_port().address
        for command in (["get", "t1"], ["watch", "t1"], ["wait", "t1"], ["health"]):
            with self.subTest(command):
                code, _, err = self.run_with_proxy(dead, *command, server=ELSEWHERE)
                self.assertEqual(code, 3)
                self.assertIn(f"no way to {ELSEWHERE} through the proxy {dead}, which grpc_proxy in the environment names",
                              err)
                self.assertIn("Connection refused", err)
                self.assertNotIn("canary", err)


if __name__ == "__main__":
    unittest.main()
