"""A watch goes on through restarts of whatever is between it and the task."""

import json
import unittest

import servers

from processes import ENDLESS, ITEMS, ProcessTest


class RestartTest(ProcessTest):
    def expect_each_state_once_in_order(self, states):
        processed = [int(state["succeededCount"]) + int(state["failedCount"]) for state in states]
        self.assertEqual(processed, sorted(processed))
        etags = [state["etag"] for state in states]
        self.assertEqual(len(etags), len(set(etags)))
        self.assertEqual([state["done"] for state in states], [False] * (len(states) - 1) + [True])
        self.assertEqual(states[-1]["state"], "TASK_STATE_SUCCEEDED")

    def test_survives_five_kills_of_the_service(self):
        self.add_task("t1", **ENDLESS)
        service = self.start_service()
        client = self.start_client("watch", "t1", "--output=json")
        states = []
        for _ in range(5):
            states.append(json.loads(client.next_line()))
            service.kill()
            service.start()
        states.append(json.loads(client.next_line()))
        self.add_task("t1", waiting_ms=0, running_ms=0, items=ITEMS)
        states += [json.loads(line) for line in client.rest()]
        self.expect_each_state_once_in_order(states)
        self.assertEqual(client.wait(), 0)

    def test_survives_a_restart_of_nginx_and_of_the_service_behind_it(self):
        self.add_task("t1", **ENDLESS)
        service = self.start_service()
        proxy = self.hold_port().address
        nginx = self.start_nginx(proxy)
        client = self.start_client("watch", "t1", "--output=json", server=proxy)
        states = [json.loads(client.next_line())]
        nginx.kill()
        self.start_nginx(proxy)
        states.append(json.loads(client.next_line()))
        service.kill()
        service.start()
        states.append(json.loads(client.next_line()))
        self.add_task("t1", waiting_ms=0, running_ms=0, items=ITEMS)
        states += [json.loads(line) for line in client.rest()]
        self.expect_each_state_once_in_order(states)
        self.assertEqual(client.wait(), 0)

    def test_survives_a_restart_before_the_first_answer(self):
        # DingTalk hangs, so that nothing is answered.
        self.add_task("t1", **ENDLESS)
        self.standin.break_task_call(kind="hang")
        for command in ("get", "watch", "wait"):
            with self.subTest(command):
                service = self.start_service()
                before = self.standin.call_count()
                client = self.start_client(command, "t1")
                servers.await_that(lambda: self.standin.call_count() > before, "the call to DingTalk")
                service.kill()
                if command != "get":
                    client.await_line("stderr", "t1: trying again: ")
                self.standin.clear_faults()
                self.add_task("t1", waiting_ms=0, running_ms=0, items=ITEMS)
                service.start()
                self.assertIn("t1: succeeded", client.next_line())
                code, _, err = client.result()
                self.assertEqual(code, 0)
                self.assertNotIn("nothing listens", err)
                service.kill()
                self.add_task("t1", **ENDLESS)
                self.standin.break_task_call(kind="hang")

    def start_nginx(self, listen):
        nginx = servers.Nginx(self.folder, f"""
            server {{
              listen {listen} http2;
              location / {{
                grpc_pass grpc://{self.server};
                grpc_read_timeout 1h;
              }}
            }}
            """)
        self.addCleanup(nginx.kill)
        return nginx


if __name__ == "__main__":
    unittest.main()
