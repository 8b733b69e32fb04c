"""Builds and runs a program of another workspace on @taskwatch//client:task_client, as its documentation says."""

import pathlib
import unittest

import other_workspace
import servers

BUILD = """
cc_binary(
    name = "watch_one",
    srcs = ["watch_one.cc"],
    copts = ["-std=c++17"],
    deps = [
        "//client/internal:cancel_state",
        "@taskwatch//client:channel",
        "@taskwatch//client:rpc_status",
        "@taskwatch//client:task_client",
    ],
)

cc_library(
    name = "without_cxx17",
    srcs = ["watch_one.cc"],
    deps = [
        "@taskwatch//client:channel",
        "@taskwatch//client:rpc_status",
        "@taskwatch//client:task_client",
    ],
)
"""

# The workspace has folders and headers of the same names as ours.
NAMESAKE_BUILD = """
cc_library(
    name = "cancel_state",
    hdrs = ["cancel_state.h"],
    visibility = ["//visibility:public"],
)
"""


class ClientTest(unittest.TestCase):
    def test_a_program_of_another_workspace_watches_a_task(self):
        workspace = other_workspace.OtherWorkspace(self)
        workspace.write("BUILD", BUILD)
        workspace.write("watch_one.cc", pathlib.Path("tests/outside/watch_one.cc").read_text())
        workspace.write("client/internal/BUILD", NAMESAKE_BUILD)
        workspace.write("client/internal/cancel_state.h", '#error "not the one of Taskwatch"\n')

        workspace.build("//:watch_one")
        standin, taskwatchd = servers.start_servers(self)
        standin.set_task("t", "running")
        watch = servers.Program([str(workspace.program("watch_one")), taskwatchd.target, "t"])
        first = watch.next_line()
        standin.set_task("t", 1)

        self.assertEqual([first, *watch.rest()], ["TASK_STATE_RUNNING\n", "TASK_STATE_SUCCEEDED\n"])
        self.assertEqual(watch.wait(), 0)

        # Nothing of how this tree is built for itself comes along: neither its warnings nor its allocator.
        _, actions = workspace.bazel("aquery", "deps(//:watch_one)")
        self.assertIn("task_client.cc", actions)
        self.assertNotIn("-Werror", actions)
        self.assertNotIn("jemalloc", actions)

        # In Bazel's own default, which is an older C++, people are told what to do.
        code, output = workspace.bazel("build", "--nosandbox_debug", "//:without_cxx17")
        self.assertNotEqual(code, 0)
        self.assertIn("Taskwatch's client needs C++17: give the target that includes it copts", output)


if __name__ == "__main__":
    unittest.main()
