"""A library that the system has: what compiling against it and linking it takes."""

def _system_cc_library_impl(ctx):
    inputs = depset(ctx.files.inputs)
    root = "/".join([part for part in [ctx.label.workspace_root, ctx.label.package] if part])
    linker_input = cc_common.create_linker_input(
        owner = ctx.label,
        user_link_flags = depset(ctx.attr.linkopts),
        additional_inputs = inputs,
    )
    return [CcInfo(
        compilation_context = cc_common.create_compilation_context(
            defines = depset(ctx.attr.defines),
            headers = depset(ctx.files.hdrs, transitive = [inputs]),
            system_includes = depset(["{}/{}".format(root, folder) for folder in ctx.attr.includes]),
        ),
        linking_context = cc_common.create_linking_context(linker_inputs = depset([linker_input])),
    )]

system_cc_library = rule(
    implementation = _system_cc_library_impl,
    attrs = {
        "defines": attr.string_list(),
        "hdrs": attr.label_list(allow_files = True, doc = "Headers that are not in the compiler's own search path."),
        "includes": attr.string_list(doc = "The folders of these, relative to the package."),
        "inputs": attr.label_list(
            allow_files = True,
            doc = "Files that change when the library does. Bazel knows no other input of a cc_library's that is linked by flag.",
        ),
        "linkopts": attr.string_list(),
    },
    doc = "A cc_library without sources, of which `inputs` are inputs wherever it is compiled against or linked.",
    provides = [CcInfo],
)
