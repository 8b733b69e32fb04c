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
