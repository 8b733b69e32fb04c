"""Where every external repository comes from: Debian 12's packages, under the labels their own projects use.

Another source for the same library is a change in this folder alone.
"""

load("//bazel:node_modules.bzl", "node_modules")
load("//bazel:protobuf.bzl", "system_googleapis", "system_protobuf")
load("//bazel:stub_repository.bzl", "stub_repository")
load("//bazel:system_library.bzl", "system_libraries")

_ABSL = {
    "absl/algorithm": {"container": []},
    "absl/base": {"base": ["absl_base"], "config": [], "core_headers": []},
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

_LIBRARIES = {
    "com_github_grpc_grpc": {
        "debian": "libgrpc++-dev protobuf-compiler-grpc",
        "packages": {"": {
            "grpc++": ["grpc++", "protobuf"],
        }},
        "programs": {
            "grpc_cpp_plugin": "grpc_cpp_plugin",
            "grpc_python_plugin": "grpc_python_plugin",
        },
        "static": True,
    },
    "com_google_absl": {"debian": "libabsl-dev", "packages": _ABSL, "static": True},
    "curl": {"debian": "libcurl4-openssl-dev", "packages": {"": {"curl": ["libcurl"]}}},
    "jemalloc": {"debian": "libjemalloc-dev", "packages": {"": {"jemalloc": ["jemalloc"]}}, "static": True},
    "nlohmann_json": {"debian": "nlohmann-json3-dev", "packages": {"": {"json": ["nlohmann_json"]}}},
    "spdlog": {"debian": "libspdlog-dev", "packages": {"": {"spdlog": ["spdlog"]}}},
    "sqlite3": {"debian": "libsqlite3-dev", "packages": {"": {"sqlite3": ["sqlite3"]}}},
}

_TEST_LIBRARIES = {
    "com_google_googletest": {
        "debian": "libgtest-dev libgmock-dev",
        "packages": {"": {"gtest": ["gmock"], "gtest_main": ["gmock_main", "gmock"]}},
    },
    "cpp_httplib": {
        "debian": "libcpp-httplib-dev libssl-dev",
        "packages": {"": {"httplib": ["cpp-httplib", "libssl", "libcrypto"]}},
    },
}

# Debian's own copies of the rules that Bazel would download.
_BAZEL_RULES = {
    "bazel_skylib": "/usr/share/bazel/tools/skylib",
    "rules_java": "/usr/share/bazel/rules/java",
    "rules_proto": "/usr/share/bazel/rules/proto",
}

_STUBS = ["remote_coverage_tools", "rules_cc"]

def _missing(name):
    # A workspace that has its own source of a library keeps it, if it is declared before.
    return not native.existing_rule(name)

# buildifier: disable=unnamed-macro
def taskwatch_dependencies():
    """Declares what the contract, the client and the service are built from; nothing of it reaches the network.

    For other workspaces too (docs/cpp-client.md).
    """
    for name, path in _BAZEL_RULES.items():
        if _missing(name):
            native.local_repository(name = name, path = path)
    for name in _STUBS:
        if _missing(name):
            stub_repository(name = name, workspace_file = str(Label("//bazel/stubs/{}:WORKSPACE".format(name))))
    if _missing("com_google_protobuf"):
        system_protobuf(name = "com_google_protobuf")
    if _missing("com_google_googleapis"):
        system_googleapis(name = "com_google_googleapis")
    _system_libraries(_LIBRARIES)

# buildifier: disable=unnamed-macro
def taskwatch_development_dependencies():
    """Declares what this workspace's own tests and examples take besides."""
    _system_libraries(_TEST_LIBRARIES)
    node_modules(name = "npm", package_json = "//tests/interop:package.json")

def _system_libraries(libraries):
    for name, attributes in libraries.items():
        if _missing(name):
            system_libraries(name = name, **attributes)
