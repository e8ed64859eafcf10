"""The programs of a package, in C and in Python, and its README: what a network makes of a picture.

One output is the scores of classes, and the program names the likeliest. Of several it says shape
and range, and writes their values. Both read a picture in the same way (`picture.c.in`).
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from string import Template

from deploy_rpc.built_library import BuiltLibrary
from deploy_rpc.package_systems import android_folder, cross_compiler
from model.preprocess import CROP_SIDE, RESIZE_SIDE

TEMPLATES = Path(__file__).parent / "package"


def example_files(library: BuiltLibrary, stem: str) -> dict[str, bytes]:
    """By name: the programs that are linked with `stem`.so, and README.md."""
    program = "classify" if len(library.outputs) == 1 else "maps"
    values = _values(library, stem, program)
    made = {}
    for suffix in (".c", ".py"):
        picture = _filled(f"picture{suffix}", values).rstrip("\n")
        made[f"{program}{suffix}"] = _filled(f"{program}{suffix}", values | {"picture": picture})
    values |= {"android": _android(library.triple, values)}
    made["README.md"] = _filled("README.md" if program == "classify" else "maps.md", values)
    return {name: text.encode() for name, text in made.items()}


def _android(triple: str, values: dict[str, object]) -> str:
    """The README's part about apps; nothing for another system."""
    folder = android_folder(triple)
    return _filled("android.md", values | {"android_folder": folder}) if folder else ""


def _filled(name: str, values: dict[str, object]) -> str:
    return Template((TEMPLATES / f"{name}.in").read_text(encoding="utf-8")).substitute(values)


def _values(library: BuiltLibrary, stem: str, program: str) -> dict[str, object]:
    """What stands in the templates."""
    _, _, height, width = library.input_shape
    preprocessing = library.preprocessing
    common = {
        "model": library.model,
        "core": library.core,
        "triple": library.triple,
        "cross_compiler": cross_compiler(library.triple),
        "threads": library.threads,
        "version": version("shufflenet-compiled"),
        "prefix": library.prefix,
        "PREFIX": library.prefix.upper(),
        "stem": stem,
        "program": program,
        "file": f"{stem}.so",
        "header": f"{stem}.h",
        "cc_line": f"cc -std=c11 -O2 {program}.c {stem}.so -lm -Wl,-rpath,'$ORIGIN' -o {program}",
        "height": height,
        "width": width,
        "channel_order": preprocessing.channel_order,
        "max_value": preprocessing.max_value,
        "mean": ", ".join(map(str, preprocessing.mean)),
        "std": ", ".join(map(str, preprocessing.std)),
        "resize": RESIZE_SIDE,
        "crop": CROP_SIDE,
    }
    of_outputs = _of_several(library) if program == "maps" else {"output_values": library.classes}
    return common | of_outputs


def _of_several(library: BuiltLibrary) -> dict[str, str]:
    """A line for each output in every part of the programs that is about them."""
    sizes = {field: f"{library.prefix}_{field}_values".upper() for field in library.fields}
    shapes = ["x".join(map(str, output.shape)) for output in library.outputs]
    named = list(zip(library.fields, shapes, strict=True))
    return {
        "buffers": "\n".join(f"static float {f}_values[{size}];" for f, size in sizes.items()),
        "fields": "\n".join(
            f"      .{field} = {{{field}_values, {size}}}," for field, size in sizes.items()
        ),
        "prints": "\n".join(
            f'  print_output("{field}", "{shape}", &outputs.{field});' for field, shape in named
        ),
        "writes": "\n".join(
            f"    write_output(file, arguments[2], &outputs.{field});" for field in library.fields
        ),
        "shapes": "\n".join(
            f'    "{field}": {output.shape},'
            for field, output in zip(library.fields, library.outputs, strict=True)
        ),
        "rows": "\n".join(f"| `{field}` | {shape} |" for field, shape in named),
    }
