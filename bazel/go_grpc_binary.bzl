"""A Go program of one file that calls gRPC services, against Debian's golang-*-dev packages."""

load("@rules_proto//proto:defs.bzl", "ProtoInfo")
load("//bazel:import_path.bzl", "import_path")

# The protos that Debian has ready-made in Go, under another name than their own go_package.
_GO_PACKAGES = {
    "google/rpc/status.proto": "google.golang.org/genproto/googleapis/rpc/status",
}

# Go wants a cache and a workspace. Without cgo there is no C to compile; without paths and build id the program is the same
# wherever it is built.
_GO = """set -eu
scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch" && rm -rf "$scratch"' EXIT
mkdir "$scratch/src" "$scratch/cache"
[ -x /usr/bin/go ] || { echo "go is missing: run scripts/setup" >&2; exit 1; }
go_build() {
  CGO_ENABLED=0 GO111MODULE=off GOCACHE=$scratch/cache GOFLAGS=-p=1 GOPATH=$scratch:/usr/share/gocode HOME=$scratch \
    /usr/bin/go build -trimpath "$@"
}
"""

# $1: where the cache with the compiled packages goes, a tar file. $2...: the packages.
_BUILD_PACKAGES = _GO + """
output=$1
shift
go_build "$@"
tar -C "$scratch/cache" --sort=name --mtime=@0 --owner=0 --group=0 -cf "$output" .
"""

# $1: the program to make. $2: its source. $3: the cache. $4...: protoc with its arguments, but for where its output goes.
_BUILD_PROGRAM = _GO + """
output=$1 source=$2
tar -C "$scratch/cache" -xf "$3"
shift 3
"$@" --go_out="$scratch/src" --go-grpc_out="$scratch/src"
go_build -ldflags=-buildid= -o "$output" "$source"
"""

def _go_grpc_binary_impl(ctx):
    # Compiling gRPC for Go takes most of the time. In an action of its own it happens once, not at each change of a
    # proto or of the source. What the cache lacks, or has an older version of, Go compiles itself.
    cache = ctx.actions.declare_file(ctx.label.name + "_packages.tar")
    args = ctx.actions.args()
    args.add(cache)
    args.add_all(ctx.attr.packages)
    ctx.actions.run_shell(
        command = _BUILD_PACKAGES,
        arguments = [args],
        outputs = [cache],
        mnemonic = "GoPackages",
        progress_message = "Building the Go packages of {}".format(ctx.label),
        use_default_shell_env = True,
    )

    info = ctx.attr.proto[ProtoInfo]
    program = ctx.actions.declare_file(ctx.label.name)
    mappings = ["M{}={}".format(proto, package) for proto, package in _GO_PACKAGES.items()]
    args = ctx.actions.args()
    args.add_all([program, ctx.file.src, cache, ctx.executable._protoc])
    for option in ["--go_opt", "--go-grpc_opt"]:
        args.add(option, ",".join(mappings))
    args.add_all(info.transitive_proto_path, format_each = "-I%s")
    args.add_all([import_path(proto, info) for proto in info.direct_sources])
    ctx.actions.run_shell(
        command = _BUILD_PROGRAM,
        arguments = [args],
        inputs = depset([ctx.file.src, cache], transitive = [info.transitive_sources]),
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
        "packages": attr.string_list(mandatory = True, doc = "The Go packages that it and the stubs of `proto` import."),
        "proto": attr.label(mandatory = True, providers = [ProtoInfo]),
        "src": attr.label(mandatory = True, allow_single_file = [".go"]),
        "_protoc": attr.label(default = "@com_google_protobuf//:protoc", executable = True, cfg = "exec", allow_single_file = True),
    },
    doc = "The messages and stubs of `proto` are where its go_package says.",
    executable = True,
)
