"""A Go program of one file that calls gRPC services, against Debian's golang-*-dev packages."""

load("@rules_proto//proto:defs.bzl", "ProtoInfo")
load("//bazel:import_path.bzl", "import_path")

# The protos that Debian has ready-made in Go, under another name than their own go_package.
_GO_PACKAGES = {
    "google/rpc/status.proto": "google.golang.org/genproto/googleapis/rpc/status",
}

# $1: the program to make. $2: its source. $3...: protoc with its arguments, but for where its output goes.
# Go wants a cache and a workspace. Without cgo there is no C to compile, and without paths the program is the same
# wherever it is built.
_BUILD = """set -eu
output=$1 source=$2
shift 2
scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch" && rm -rf "$scratch"' EXIT
mkdir "$scratch/src"
"$@" --go_out="$scratch/src" --go-grpc_out="$scratch/src"
[ -x /usr/bin/go ] || { echo "go is missing: run scripts/setup" >&2; exit 1; }
CGO_ENABLED=0 GO111MODULE=off GOCACHE=$scratch/cache GOFLAGS=-p=1 GOPATH=$scratch:/usr/share/gocode HOME=$scratch \
  /usr/bin/go build -trimpath -o "$output" "$source"
"""

def _go_grpc_binary_impl(ctx):
    info = ctx.attr.proto[ProtoInfo]
    program = ctx.actions.declare_file(ctx.label.name)
    mappings = ["M{}={}".format(proto, package) for proto, package in _GO_PACKAGES.items()]
    args = ctx.actions.args()
    args.add_all([program, ctx.file.src, ctx.executable._protoc])
    for option in ["--go_opt", "--go-grpc_opt"]:
        args.add(option, ",".join(mappings))
    args.add_all(info.transitive_proto_path, format_each = "-I%s")
    args.add_all([import_path(proto, info) for proto in info.direct_sources])
    ctx.actions.run_shell(
        command = _BUILD,
        arguments = [args],
        inputs = depset([ctx.file.src], transitive = [info.transitive_sources]),
        tools = [ctx.executable._protoc],
        outputs = [program],
        mnemonic = "GoBuild",
        progress_message = "Building {}".format(ctx.label),
        use_default_shell_env = True,
    )
    return [DefaultInfo(executable = program, files = depset([program]))]

go_grpc_binary = rule(
    implementation = _go_grpc_binary_impl,
    attrs = {
        "proto": attr.label(mandatory = True, providers = [ProtoInfo]),
        "src": attr.label(mandatory = True, allow_single_file = [".go"]),
        "_protoc": attr.label(default = "@com_google_protobuf//:protoc", executable = True, cfg = "exec", allow_single_file = True),
    },
    doc = "The messages and stubs of `proto` are where its go_package says.",
    executable = True,
)
