"""What the command line client prints, and what it ends with."""

import concurrent.futures
import json
import os
import re
import signal
import subprocess
import unittest

import grpc

import servers

from processes import CLIENT, ENDLESS, ROOT, ProcessTest


class CliTest(ProcessTest):
    def test_watch_ends_with_0_when_all_tasks_succeeded(self):
        self.start_service()
        self.add_task("a", waiting_ms=0, running_ms=0, items=2)
        self.add_task("b", waiting_ms=0, running_ms=0, items=2)
        code, out, err = self.run_client("watch", "a", "b")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(sorted(out.splitlines()), ["a: succeeded, 2 of 2 done", "b: succeeded, 2 of 2 done"])

    def test_a_task_that_failed_in_part_is_no_success(self):
        self.start_service()
        for command in ("watch", "wait"):
            code, out, err = self.run_client(command, "abcd")
            self.assertEqual((code, out, err), (1, "abcd: partially failed, 1 of 1 done\n", ""))

    def test_get_works_whatever_became_of_the_task(self):
        self.start_service()
        self.assertEqual(self.run_client("get", "abcd")[0], 0)

    def test_json_is_one_object_a_line_while_the_tasks_run(self):
        self.start_service()
        for task_id in "abc":
            self.add_task(task_id, **ENDLESS)
        client = self.start_client("watch", "a", "b", "c", "--output=json")
        # Were anything buffered, these lines would not come before the end, and that never comes.
        told = [json.loads(client.next_line()) for _ in range(9)]
        self.assertEqual({state["taskId"] for state in told}, set("abc"))
        self.assertEqual({state["done"] for state in told}, {False})

    def test_json_keeps_errors_out_of_stdout(self):
        self.start_service()
        code, out, err = self.run_client("watch", "abcd", "missing", "--output=json")
        self.assertEqual(code, 5)
        self.assertEqual([json.loads(line)["taskId"] for line in out.splitlines()], ["abcd"])
        self.assertIn("missing", err)

    def test_an_error_is_one_line_with_the_reason_and_the_request_id(self):
        self.start_service()
        code, out, err = self.run_client("get", "missing")
        self.assertEqual((code, out), (5, ""))
        self.assertRegex(err, r"^taskwatch: missing: .*check the task id \[TASK_NOT_FOUND, DingTalk's request id [-\w]+\]\n$")

    def test_a_task_that_does_not_exist_ends_with_5(self):
        self.start_service()
        for command in ("get", "watch", "wait"):
            self.assertEqual(self.run_client(command, "abcd", "missing")[0], 5)

    def test_what_dingtalk_says_in_chinese_is_printed(self):
        self.start_service()
        self.standin.break_task_call(http_status=400, code="paramError", message="任务不存在\u202e")
        code, _, err = self.run_client("get", "t1")
        self.assertEqual(code, 3)
        self.assertIn("任务不存在\\xe2\\x80\\xae", err)

    def test_output_that_cannot_be_written_ends_with_6_and_says_so(self):
        self.start_service()
        self.add_task("t1", **ENDLESS)
        for arguments in (["get", "abcd"], ["watch", "t1"], ["wait", "abcd"], ["watch", "t1", "--output=json"], ["health"],
                          ["--help"]):
            for output, why in {"/dev/full": "No space left on device", "&-": "Bad file descriptor"}.items():
                with self.subTest(arguments=arguments, output=output):
                    command = [CLIENT, *arguments, f"--server={self.server}"]
                    shell = ["sh", "-c", f'"$@" >{output}', "sh", *command]
                    code, _, err = servers.Program(shell).result()
                    self.assertEqual((code, err), (6, f"taskwatch: cannot write the output: {why}\n"))

    def test_a_reader_that_goes_away_ends_it_as_it_does_others(self):
        self.start_service()
        self.add_task("t1", **ENDLESS)
        shell = ["bash", "-c", '"$@" | head -n 1; echo "${PIPESTATUS[0]}"', "bash", CLIENT, "watch", "t1",
                 f"--server={self.server}"]
        code, out, err = servers.Program(shell).result()
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(out.splitlines()[1:], ["141"])

    def test_time_that_is_up_ends_with_4_and_the_command_that_resumes(self):
        self.start_service()
        self.add_task("t1", **ENDLESS)
        for arguments in (["watch", "abcd", "t1", "--deadline=1s"], ["wait", "abcd", "t1", "--timeout=1s"]):
            code, _, err = self.run_client(*arguments)
            self.assertEqual(code, 4)
            self.assertEqual(err.splitlines(), [
                "taskwatch: t1: not done after 1s",
                f"taskwatch: to go on: taskwatch {arguments[0]} t1 {arguments[3]} --server={self.server}",
            ])

    def test_a_server_that_is_gone_for_good_ends_with_3_at_the_deadline(self):
        service = self.start_service()
        self.add_task("t1", **ENDLESS)
        client = self.start_client("watch", "t1", "--deadline=4s")
        client.next_line()
        service.kill()
        code, _, err = client.result()
        self.assertEqual(code, 3)
        self.assertRegex(err, f"gave up after 4s: .*{self.server}.*is Taskwatch running")
        self.assertIn("to go on: taskwatch watch t1", err)

    def test_a_port_where_nothing_listens_is_named(self):
        for command in (["get", "t1"], ["watch", "t1"], ["wait", "t1"], ["health"]):
            code, _, err = self.run_client(*command)
            self.assertEqual(code, 3)
            self.assertIn(f"nothing listens on {self.server}; is Taskwatch running, and is the port right?", err)

    def test_an_address_without_a_port_is_refused(self):
        for command in (["get", "t1"], ["watch", "t1"], ["wait", "t1"], ["health"]):
            code, _, err = self.run_client(*command, server="localhost")
            self.assertEqual((code, err), (2, "taskwatch: --server: the server 'localhost' has no port; write HOST:PORT, "
                                              "like localhost:50051\n"))

    def test_an_http1_server_is_named(self):
        code, _, err = self.run_client("get", "t1", server=self.standin.url.removeprefix("http://"))
        self.assertEqual(code, 3)
        self.assertIn("HTTP/1", err)

    def test_a_server_without_tls_is_named(self):
        self.start_service()
        code, _, err = self.run_client("get", "t1", "--tls")
        self.assertEqual(code, 3)
        self.assertIn("does not speak TLS; leave out --tls", err)

    def test_a_server_with_tls_is_named(self):
        server, ca_file = self.start_tls_server()
        code, _, err = self.run_client("get", "t1", server=server)
        self.assertEqual(code, 3)
        self.assertIn("does it expect TLS (--tls)?", err)
        # With the right authority it gets through to a server that has no tasks.
        code, _, err = self.run_client("get", "t1", f"--tls_ca_file={ca_file}", server=server)
        self.assertEqual(code, 3)
        self.assertIn("not Taskwatch", err)

    def test_a_certificate_that_is_not_trusted_is_named(self):
        server, _ = self.start_tls_server()
        code, _, err = self.run_client("get", "t1", "--tls", server=server)
        self.assertEqual(code, 3)
        self.assertIn("--tls_ca_file", err)

    def test_a_token_is_sent_by_tls(self):
        seen = []

        class Recorder(grpc.GenericRpcHandler):
            def service(self, details):
                seen.append(dict(details.invocation_metadata).get("authorization"))

        server, ca_file = self.start_tls_server([Recorder()])
        token_file = os.path.join(self.folder, "caller_token")
        with open(token_file, "w") as file:
            file.write("canary-token")
        self.run_client("get", "t1", f"--tls_ca_file={ca_file}", f"--token_file={token_file}", server=server)
        self.assertEqual(seen, ["Bearer canary-token"])

    def start_tls_server(self, handlers=()):
        """A gRPC server with these handlers only. Returns its address and the file of its authority."""
        cert, key = (os.path.join(self.folder, name) for name in ("cert.pem", "key.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
                       check=True, capture_output=True, timeout=servers.PATIENCE)
        with open(cert, "rb") as cert_file, open(key, "rb") as key_file:
            credentials = grpc.ssl_server_credentials([(key_file.read(), cert_file.read())])
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=1), handlers)
        port = server.add_secure_port("localhost:0", credentials)
        server.start()
        self.addCleanup(lambda: server.stop(None).wait())
        return f"localhost:{port}", cert

    def test_a_wrong_command_line_ends_with_2_and_one_line(self):
        for arguments in (["frob"], ["get"], ["get", "a/b"], ["get", "t1", "--sever=x"], ["get", "t1", "--deadline=soon"],
                          ["get", "t1", "--token_file=/nonexistent"], ["get", "t1", "--tls_ca_file=/nonexistent"]):
            code, out, err = self.run_client(*arguments)
            self.assertEqual((code, out, len(err.splitlines())), (2, "", 1), err)
            self.assertTrue(err.startswith("taskwatch: "), err)

    def test_a_duration_without_a_unit_is_explained(self):
        self.assertEqual(self.run_client("get", "t1", "--deadline=5"),
                         (2, "", "taskwatch: --deadline: '5' is not a duration; give one like 90s or 10m\n"))

    def test_health(self):
        self.start_service()
        self.assertEqual(self.run_client("health"), (0, f"{self.server} is serving\n", ""))
        self.assertEqual(json.loads(self.run_client("health", "--output=json")[1]), {"status": "SERVING"})

    def test_ctrl_c_ends_it_with_130(self):
        self.start_service()
        self.add_task("t1", **ENDLESS)
        client = self.start_client("watch", "t1")
        client.next_line()
        client.process.send_signal(signal.SIGINT)
        self.assertEqual(client.wait(), 130)

    def test_ctrl_c_ends_a_wait_with_what_is_known(self):
        self.start_service()
        self.add_task("t1", waiting_ms=0, running_ms=servers.DAY_MS, items=4)
        client = self.start_client("wait", "abcd", "t1")
        # What is known of the other is asked for at the same time, and not told before: stderr is no terminal.
        self.assertIn("abcd: partially failed", client.next_line())
        servers.await_that(lambda: self.standin.call_count() >= 4, "more polls of the task")
        client.process.send_signal(signal.SIGINT)
        code, out, err = client.result()
        self.assertEqual((code, out), (130, "abcd: partially failed, 1 of 1 done\n"))
        self.assertEqual(err.splitlines(), ["taskwatch: t1: running, 0 of 4 done",
                                            f"taskwatch: to go on: taskwatch wait t1 --server={self.server}"])

    def test_ctrl_c_ends_a_wait_of_which_nothing_is_known(self):
        self.start_service()
        self.standin.break_task_call(kind="hang")
        client = self.start_client("wait", "t1")
        servers.await_that(lambda: self.standin.call_count() >= 1, "a poll of the task")
        client.process.send_signal(signal.SIGINT)
        code, out, err = client.result()
        self.assertEqual((code, out), (130, ""))
        self.assertEqual(err.splitlines()[0], "taskwatch: t1: nothing is known yet")

    def test_the_example_watches_a_task_to_its_end(self):
        self.start_service()
        self.add_task("t1", waiting_ms=0, running_ms=0, items=2)
        example = [os.path.join(ROOT, "client/examples/watch_task"), self.server, "t1"]
        self.assertEqual(servers.Program(example).result(), (0, "TASK_STATE_SUCCEEDED 2/2\n", ""))


class CompletionTest(unittest.TestCase):
    def complete(self, *words):
        """What is offered for the last of the words."""
        script = ('source client/completion/taskwatch.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _taskwatch; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        code, out, err = servers.Program(["bash", "-c", script, "bash", *words], echo=False).result()
        self.assertEqual((code, err), (0, ""))
        return out.split()

    def test_offers_the_commands(self):
        self.assertEqual(self.complete("taskwatch", ""), ["get", "watch", "wait", "health"])
        self.assertEqual(self.complete("taskwatch", "wa"), ["watch", "wait"])
        self.assertEqual(self.complete("taskwatch", "--tls", "h"), ["health"])

    def test_offers_no_command_after_a_command(self):
        self.assertEqual(self.complete("taskwatch", "watch", ""), [])

    def test_offers_every_flag_of_the_help(self):
        _, text, _ = servers.Program([CLIENT, "--help"], echo=False).result()
        flags = re.findall(r"^  (--\w+)", text, re.MULTILINE)
        self.assertGreater(len(flags), 5)
        self.assertEqual(sorted(flag.rstrip("=") for flag in self.complete("taskwatch", "watch", "--")), sorted(flags))

    def test_offers_values(self):
        self.assertEqual(self.complete("taskwatch", "--output", "=", "j"), ["json"])
        self.assertIn("client/completion", self.complete("taskwatch", "--token_file", "=", "client/comp"))


if __name__ == "__main__":
    unittest.main()
