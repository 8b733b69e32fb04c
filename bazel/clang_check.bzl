"""Clang's opinion on our C++, which gcc builds: for scripts/lint.

    bazel build --aspects=//bazel:clang_check.bzl%clang_check --output_groups=clang_check //service/...

Each source is checked with what its target depends on and nothing else: a header that is used without a dependency is
not there. A header that is the first include of a source of its target is checked with it; others are checked alone.
"""

_FLAGS = ["-fsyntax-only", "-std=c++17", "-Wall", "-Wextra", "-Wthread-safety", "-Werror"]

def _check(ctx, context, file, copts):
    done = ctx.actions.declare_file("{}.clang_check/{}.ok".format(ctx.rule.attr.name, file.basename))
    args = ctx.actions.args()
    args.add(done)
    args.add("clang++-14")
    args.add_all(_FLAGS)
    args.add_all(copts)
    args.add_all(depset(transitive = [context.defines, context.local_defines]), format_each = "-D%s")
    args.add_all(context.includes, before_each = "-I")
    args.add_all(context.quote_includes, before_each = "-iquote")
    args.add_all(context.system_includes, before_each = "-isystem")
    args.add_all(["-x", "c++", file])
    ctx.actions.run_shell(
        command = 'output=$1; shift; "$@" && : >"$output"',
        arguments = [args],
        inputs = depset([file], transitive = [context.headers]),
        outputs = [done],
        mnemonic = "ClangCheck",
        progress_message = "Checking {}".format(file.short_path),
        use_default_shell_env = True,
    )
    return done

def _is_ours(file, suffix):
    return file.is_source and file.path.endswith(suffix) and not file.path.startswith("external/")

def _clang_check_impl(target, ctx):
    if ctx.rule.kind not in ["cc_binary", "cc_library", "cc_test"]:
        return []
    srcs = [file for src in ctx.rule.attr.srcs for file in src.files.to_list()]
    hdrs = [file for hdr in getattr(ctx.rule.attr, "hdrs", []) for file in hdr.files.to_list()]
    infos = [dep[CcInfo] for dep in ctx.rule.attr.deps if CcInfo in dep]

    # A cc_binary's and cc_test's own context is not to be had; what they have of their own are headers among the srcs.
    if ctx.rule.kind == "cc_library":
        infos.append(target[CcInfo])
    own = cc_common.create_compilation_context(
        headers = depset([file for file in srcs + hdrs if not file.path.endswith(".cc")]),
        quote_includes = depset([".", ctx.bin_dir.path]),
    )
    context = cc_common.merge_cc_infos(
        direct_cc_infos = [CcInfo(compilation_context = own)],
        cc_infos = infos,
    ).compilation_context

    sources = [file for file in srcs if _is_ours(file, ".cc")]
    stems = [file.path[:-len(".cc")] for file in sources]
    alone = [file for file in srcs + hdrs if _is_ours(file, ".h") and file.path[:-len(".h")] not in stems]
    copts = [copt for copt in ctx.rule.attr.copts if not copt.startswith("-std=")]
    return [OutputGroupInfo(clang_check = depset([_check(ctx, context, file, copts) for file in sources + alone]))]

clang_check = aspect(implementation = _clang_check_impl)
