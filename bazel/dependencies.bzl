"""Where every external repository comes from: Debian 12's packages, under the labels their own projects use.

Another source for the same library is a change in this folder alone.
"""

load("//bazel:node_modules.bzl", "node_modules")
load("//bazel:protobuf.bzl", "system_googleapis", "system_protobuf")
load("//bazel:system_library.bzl", "system_libraries")

_ABSL = {
    "absl/algorithm": {"container": []},
    "absl/base": {"base": ["absl_base"], "core_headers": []},
    "absl/container": {
        "btree": ["absl_throw_delegate"],
        "fixed_array": ["absl_throw_delegate"],
        "flat_hash_map": ["absl_flat_hash_map"],
        "flat_hash_set": ["absl_flat_hash_set"],
        "inlined_vector": ["absl_throw_delegate"],
        "node_hash_map": ["absl_node_hash_map"],
    },
    "absl/flags": {
        "flag": ["absl_flags"],
        "parse": ["absl_flags_parse"],
        "reflection": ["absl_flags_reflection"],
        "usage": ["absl_flags_usage"],
        "usage_internal": ["absl_flags_usage_internal"],
    },
    "absl/functional": {"any_invocable": [], "function_ref": []},
    "absl/hash": {"hash": ["absl_hash"]},
    "absl/memory": {"memory": []},
    "absl/random": {"random": ["absl_random_random"]},
    "absl/status": {"status": ["absl_status"], "statusor": ["absl_statusor"]},
    "absl/strings": {
        "cord": ["absl_cord"],
        "str_format": ["absl_str_format"],
        "strings": ["absl_strings"],
    },
    "absl/synchronization": {"synchronization": ["absl_synchronization"]},
    "absl/time": {"time": ["absl_time"]},
    "absl/types": {"optional": [], "span": [], "variant": []},
}

# buildifier: disable=unnamed-macro
def taskwatch_dependencies():
    """Declares all external repositories; nothing of it reaches the network."""
    native.local_repository(name = "bazel_skylib", path = "/usr/share/bazel/tools/skylib")
    native.local_repository(name = "remote_coverage_tools", path = "bazel/stubs/remote_coverage_tools")
    native.local_repository(name = "rules_cc", path = "bazel/stubs/rules_cc")
    native.local_repository(name = "rules_java", path = "/usr/share/bazel/rules/java")
    native.local_repository(name = "rules_proto", path = "/usr/share/bazel/rules/proto")

    system_protobuf(name = "com_google_protobuf")
    system_googleapis(name = "com_google_googleapis")
    system_libraries(name = "com_google_absl", packages = _json(_ABSL), debian = "libabsl-dev", static = True)
    system_libraries(
        name = "com_github_grpc_grpc",
        packages = _json({"": {
            "grpc++": ["grpc++", "protobuf"],
            "grpc++_reflection": ["-lgrpc++_reflection", "grpc++", "protobuf"],
        }}),
        static = True,
        programs = {
            "grpc_cpp_plugin": "grpc_cpp_plugin",
            "grpc_python_plugin": "grpc_python_plugin",
        },
        debian = "libgrpc++-dev protobuf-compiler-grpc",
    )
    system_libraries(
        name = "com_google_googletest",
        packages = _json({"": {"gtest": ["gmock"], "gtest_main": ["gmock_main", "gmock"]}}),
        debian = "libgtest-dev libgmock-dev",
    )
    system_libraries(name = "curl", packages = _json({"": {"curl": ["libcurl"]}}), debian = "libcurl4-openssl-dev")
    system_libraries(
        name = "jemalloc",
        packages = _json({"": {"jemalloc": ["jemalloc"]}}),
        static = True,
        debian = "libjemalloc-dev",
    )
    system_libraries(
        name = "nlohmann_json",
        packages = _json({"": {"json": ["nlohmann_json"]}}),
        debian = "nlohmann-json3-dev",
    )
    system_libraries(name = "sqlite3", packages = _json({"": {"sqlite3": ["sqlite3"]}}), debian = "libsqlite3-dev")
    system_libraries(name = "spdlog", packages = _json({"": {"spdlog": ["spdlog"]}}), debian = "libspdlog-dev")
    system_libraries(
        name = "cpp_httplib",
        packages = _json({"": {"httplib": ["cpp-httplib", "libssl", "libcrypto"]}}),
        debian = "libcpp-httplib-dev libssl-dev",
    )

    native.register_toolchains("//bazel/python:toolchain")

    node_modules(name = "npm", package_json = "//tests/interop:package.json")

def _json(value):
    # A repository rule's attributes cannot hold a nested table; JSON carries it.
    return json.encode(value)
