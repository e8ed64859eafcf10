"""What the C header says of a network's outputs: how many values each has, and where they go.

One output comes as a pointer and a size among the parameters of `run`. Several come as a struct
with a field for each, so that none is taken for another:

    net_outputs outputs = {
      .stride4 = {stride4, NET_STRIDE4_VALUES}, ...
    };
    net_run(network, input, NET_INPUT_VALUES, &outputs);
"""

from __future__ import annotations

from collections.abc import Sequence
from string import Template

from compile.aot.symbols import c_fields
from model.outputs import Output

ONE: dict[str, Template] = {
    "usage": Template("""\
 *     if (${prefix}_run(network, input, ${PREFIX}_INPUT_VALUES,
 *                       output, ${PREFIX}_OUTPUT_VALUES) != ${PREFIX}_OK)"""),
    "output_constants": Template("""\
/* Output: float32 of shape (${shape}), before any softmax. */
#define ${PREFIX}_OUTPUT_VALUES ${values}"""),
    "output_structs": Template(""),
    "run_computes": Template("Computes `output` of `input`, which do not overlap. With"),
    "run_parameters": Template("""\
const float *input, size_t input_values, float *output,
    size_t output_values"""),
    "run_types": Template("typedef struct { float *values; size_t count; } Output;"),
}
SEVERAL: dict[str, Template] = {
    "usage": Template("""\
 *     ${prefix}_outputs outputs = {
${uses}
 *     };
 *     if (${prefix}_run(network, input, ${PREFIX}_INPUT_VALUES,
 *                       &outputs) != ${PREFIX}_OK)"""),
    "output_constants": Template("""\
/* Outputs: float32, row by row, of a feature map one plane a channel. */
${constants}"""),
    "output_structs": Template("""\
/* Where the values of an output go, and for how many there is room: as many as it has. */
typedef struct {
  float *values;
  size_t count;
} ${prefix}_output;

typedef struct {
${fields}
} ${prefix}_outputs;

"""),
    "run_computes": Template("Computes `outputs` of `input`; none of them overlap. With"),
    "run_parameters": Template("""\
const float *input, size_t input_values,
    const ${prefix}_outputs *outputs"""),
    "run_types": Template("""\
typedef ${prefix}_output Output;
typedef ${prefix}_outputs Outputs;"""),
}
MAP_AXES = ("CHANNELS", "HEIGHT", "WIDTH")


def output_fields(outputs: Sequence[Output]) -> list[str]:
    """What the header calls each of `outputs`: a field of the struct, or plainly `output`."""
    return c_fields([output.name for output in outputs]) if len(outputs) > 1 else ["output"]


def outputs_in_header(outputs: Sequence[Output], prefix: str) -> dict[str, str]:
    """The parts of the header, and of what our C sources need, that `outputs` decide."""
    several = len(outputs) > 1
    named = dict(zip(output_fields(outputs), outputs, strict=True))
    upper = prefix.upper()
    values = {
        "prefix": prefix,
        "PREFIX": upper,
        "shape": _shape(outputs[0]),
        "values": outputs[0].values,
        "uses": ",\n".join(
            f" *       .{name} = {{{name}, {upper}_{name.upper()}_VALUES}}" for name in named
        ),
        "constants": "\n".join(_constants(f"{upper}_{n.upper()}", n, o) for n, o in named.items()),
        "fields": "\n".join(
            f"  {prefix}_output {name}; /* ({_shape(output)}) */" for name, output in named.items()
        ),
    }
    parts = {name: part.substitute(values) for name, part in (SEVERAL if several else ONE).items()}
    table = ", ".join(
        f'{{"the output{f" {name}" if several else ""}", {upper}_{name.upper()}_VALUES}}'
        for name in named
    )
    each = " ".join(f"DO({index})" for index in range(len(outputs)))
    return {**parts, "output_count": str(len(outputs)), "output_table": table, "each_output": each}


def _constants(beginning: str, name: str, output: Output) -> str:
    """Its sizes as constants, under a line that says what it is."""
    stride = f", a step in it is {output.stride} pixels of the input" if output.stride else ""
    sizes = {"VALUES": output.values}
    if len(output.shape) == 4:
        sizes |= dict(zip(MAP_AXES, output.shape[1:], strict=True))
    lines = [f"#define {beginning}_{size} {value}" for size, value in sizes.items()]
    return "\n".join([f"/* {name}: ({_shape(output)}){stride} */", *lines])


def _shape(output: Output) -> str:
    return ", ".join(map(str, output.shape))
