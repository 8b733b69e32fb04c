"""A watch goes on through restarts of whatever is between it and the task."""

import json
import os
import socket
import subprocess
import unittest

from processes import ENDLESS, ProcessTest, free_port, kill


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
            states.append(json.loads(client.stdout.readline()))
            kill(service)
            service = self.start_service()
        states.append(json.loads(client.stdout.readline()))
        self.add_task("t1", waiting_ms=0, running_ms=0, items=3600)
        states += [json.loads(line) for line in client.stdout]
        self.expect_each_state_once_in_order(states)
        self.assertEqual(client.wait(), 0)

    def test_survives_a_restart_of_nginx_and_of_the_service_behind_it(self):
        self.add_task("t1", **ENDLESS)
        service = self.start_service()
        proxy = f"127.0.0.1:{free_port()}"
        nginx = self.start_nginx(proxy)
        client = self.start_client("watch", "t1", "--output=json", server=proxy)
        states = [json.loads(client.stdout.readline())]
        kill(nginx)
        self.start_nginx(proxy)
        states.append(json.loads(client.stdout.readline()))
        kill(service)
        self.start_service()
        states.append(json.loads(client.stdout.readline()))
        self.add_task("t1", waiting_ms=0, running_ms=0, items=3600)
        states += [json.loads(line) for line in client.stdout]
        self.expect_each_state_once_in_order(states)
        self.assertEqual(client.wait(), 0)

    def start_nginx(self, listen):
        folder = self.folder
        config = self.write("nginx.conf", f"""
            user root;
            daemon off;
            master_process off;
            pid {folder}/nginx.pid;
            error_log {folder}/nginx.log;
            events {{}}
            http {{
              access_log off;
              client_body_temp_path {folder}/body;
              proxy_temp_path {folder}/proxy;
              fastcgi_temp_path {folder}/fastcgi;
              uwsgi_temp_path {folder}/uwsgi;
              scgi_temp_path {folder}/scgi;
              server {{
                listen {listen} http2;
                location / {{
                  grpc_pass grpc://{self.server};
                  grpc_read_timeout 1h;
                }}
              }}
            }}
            """)
        nginx = self.start(["/usr/sbin/nginx", "-e", os.path.join(folder, "nginx.log"), "-c", config],
                           stderr=subprocess.DEVNULL)
        host, port = listen.split(":")
        while not is_listening(host, int(port)):
            self.assertIsNone(nginx.poll(), "nginx has ended")
        return nginx


def is_listening(host, port):
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


if __name__ == "__main__":
    unittest.main()
