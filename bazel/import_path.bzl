"""Where protos, and what is generated from them, are."""

def import_path(proto, info):
    """What stands in `import "..."` for a source of a proto_library.

    Args:
      proto: the File.
      info: the ProtoInfo of the proto_library.

    Returns:
      The path below the library's import root.
    """
    root = info.proto_source_root
    return proto.path[len(root) + 1:] if root not in ("", ".") else proto.path

def generated_root(ctx):
    """The folder named as the target, in its package, to which a rule gives what it generates.

    Args:
      ctx: of the rule.

    Returns:
      Its path, also for a target of another repository.
    """
    parts = [ctx.bin_dir.path, ctx.label.workspace_root, ctx.label.package, ctx.label.name]
    return "/".join([part for part in parts if part])
