"""The system's protoc, libprotobuf and well-known types, and google/rpc/*.proto, for proto_library."""

load("//bazel:system_library.bzl", "SYSTEM_LIBRARY_ATTRS", "pkg_config_modules", "write_build_files")

# The well-known types that libprotobuf itself carries compiled in; each with the ones it imports.
_WELL_KNOWN_TYPES = {
    "any": [],
    "api": ["source_context", "type"],
    "descriptor": [],
    "duration": [],
    "empty": [],
    "field_mask": [],
    "source_context": [],
    "struct": [],
    "timestamp": [],
    "type": ["any", "source_context"],
    "wrappers": [],
}

_PROTOBUF_BUILD = """
filegroup(
    name = "protoc",
    srcs = ["bin/protoc"],
)

cc_library(
    name = "protoc_lib",
    deps = [":protobuf"],
)

proto_lang_toolchain(
    name = "cc_toolchain",
    blacklisted_protos = [{well_known}],
    command_line = "--cpp_out=$(OUT)",
    runtime = ":protobuf",
)
"""

_WELL_KNOWN_BUILD = """
proto_library(
    name = "{name}_proto",
    srcs = ["src/google/protobuf/{name}.proto"],
    strip_import_prefix = "src",
    deps = [{deps}],
)
"""

def _quoted(labels):
    return ", ".join(['"{}"'.format(label) for label in labels])

def _system_protobuf_impl(ctx):
    protoc = ctx.which("protoc")
    include = ctx.path("/usr/include/google/protobuf")
    if not protoc or not include.exists:
        fail("protoc or its headers are missing. Install `{}`, or run scripts/setup.".format(ctx.attr.debian))
    ctx.symlink(protoc, "bin/protoc")
    build = _PROTOBUF_BUILD.format(well_known = _quoted([":{}_proto".format(name) for name in _WELL_KNOWN_TYPES]))
    for name, deps in _WELL_KNOWN_TYPES.items():
        ctx.symlink(include.get_child(name + ".proto"), "src/google/protobuf/{}.proto".format(name))
        build += _WELL_KNOWN_BUILD.format(name = name, deps = _quoted([":{}_proto".format(dep) for dep in deps]))
    write_build_files(ctx, {"": {"protobuf": ["protobuf"]}}, build)

_system_protobuf = repository_rule(
    implementation = _system_protobuf_impl,
    attrs = SYSTEM_LIBRARY_ATTRS,
    configure = True,
    environ = ["PKG_CONFIG_PATH"],
    local = True,
)

def system_protobuf(name):
    """Declares what Bazel's native proto rules expect to find in @com_google_protobuf.

    Args:
      name: of the repository; those rules know no other than com_google_protobuf.
    """
    debian = "protobuf-compiler libprotobuf-dev"
    _system_protobuf(name = name, debian = debian, modules = pkg_config_modules(name, ["protobuf"], debian))

_GOOGLE_RPC_BUILD = """
package(default_visibility = ["//visibility:public"])

exports_files([
    "error_details.proto",
    "status.proto",
])

proto_library(
    name = "status_proto",
    srcs = ["status.proto"],
    strip_import_prefix = "/",
    deps = ["@com_google_protobuf//:any_proto"],
)

proto_library(
    name = "error_details_proto",
    srcs = ["error_details.proto"],
    strip_import_prefix = "/",
    deps = ["@com_google_protobuf//:duration_proto"],
)

cc_proto_library(
    name = "status_cc_proto",
    deps = [":status_proto"],
)

cc_proto_library(
    name = "error_details_cc_proto",
    deps = [":error_details_proto"],
)
"""

def _system_googleapis_impl(ctx):
    source = ctx.path("/usr/share/gocode/src/github.com/gogo/googleapis/google/rpc")
    if not source.exists:
        fail("google/rpc/*.proto are missing. Install `golang-github-gogo-googleapis-dev`, or run scripts/setup.")
    for name in ["status.proto", "error_details.proto"]:
        ctx.symlink(source.get_child(name), "google/rpc/" + name)
    ctx.file("google/rpc/BUILD", _GOOGLE_RPC_BUILD)

system_googleapis = repository_rule(
    implementation = _system_googleapis_impl,
    doc = "google.rpc.Status and its error details, from the only Debian package whose copy has ErrorInfo.",
    local = True,
)
