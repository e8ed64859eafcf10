"""The C header of a network, and what our C sources need to know of it.

Names begin with the network's own, so that one program can use several networks.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from string import Template

from compile.aot.compute import Compute
from compile.aot.header_outputs import outputs_in_header
from compile.aot.symbols import c_prefix
from compile.aot.workspace import ALIGNMENT, aligned
from compile.network import Network
from compile.quantise.reference import KEPT
from compile.targets import CompileTarget
from model.preprocess import CROP_SIDE, PREPROCESSINGS, RESIZE_SIDE, Preprocessing

INSTANCE_BYTES = 256  # more than an instance takes; a static assertion in instance.c checks it
TEAM_BYTES, WORKER_BYTES = 512, 64
STATUSES = (
    ("OK", "done"),
    ("NULL_POINTER", "a pointer that is needed is null"),
    ("WRONG_SIZE", "a size is not the one stated here"),
    ("WRONG_THREADS", "more threads than the library was built for"),
    ("MISALIGNED", "memory is not aligned as stated here"),
    ("NO_MEMORY", "no memory, or no thread, was to be had"),
    ("BUSY", "the instance is running in another thread"),
)

HEADER = Template("""\
/* ${model} for ${core} (${triple}), ${dtype} inside, level ${level}: the interface of ${file}.
 *
 * Made by shufflenet-compiled ${version}. The library needs libc only. From C++ as from C:
 *
 *     ${prefix} *network;
 *     if (${prefix}_create(&network, NULL) != ${PREFIX}_OK) ...
${usage}
 *       puts(${prefix}_last_error(network));
 *     ${prefix}_destroy(network);
 */
#ifndef ${PREFIX}_H
#define ${PREFIX}_H

#include <stddef.h>

#define ${PREFIX}_MODEL "${model}"
#define ${PREFIX}_VERSION "${version}"
#define ${PREFIX}_TARGET "${core}"
#define ${PREFIX}_WEIGHTS_SHA256 "${weights_sha256}"

/* Input: float32 of shape (${input_shape}), one plane a channel, rows from the top.
 * ${ranges} */
#define ${PREFIX}_INPUT_CHANNELS ${channels}
#define ${PREFIX}_INPUT_HEIGHT ${height}
#define ${PREFIX}_INPUT_WIDTH ${width}
#define ${PREFIX}_INPUT_VALUES ${input_values}
${range_constants}
${output_constants}

#define ${PREFIX}_MAX_THREADS ${threads}

/* Memory that an instance needs, and how its start is aligned. */
#define ${PREFIX}_WORKSPACE_BYTES ${workspace_bytes}
#define ${PREFIX}_WORKSPACE_ALIGNMENT ${alignment}

#ifdef __cplusplus
extern "C" {
#endif

/* What every function returns that can fail. */
enum {
${statuses}
};

/* One instance. Any number of them may run at once, each in one call at a time. */
typedef struct ${prefix} ${prefix};

/* All zeros is the default. */
typedef struct {
  void *workspace;        /* WORKSPACE_BYTES of your own, not MAP_SHARED where a forked child
                           * is to run the instance; or NULL: create allocates them */
  size_t workspace_bytes; /* how many they are */
  int threads;            /* 1 to MAX_THREADS; 0 is MAX_THREADS */
  /* Called at the start of each thread but yours, with its number (1 ...) and `context`: the place
   * to pin it to a core. It takes no signals. A forked child's first run calls it again: `context`
   * has to live as long as the instance. */
  void (*on_thread)(int thread, void *context);
  void *context;
} ${prefix}_options;

${output_structs}/* Makes an instance, NULL where it fails; `options` may be NULL. */
int ${prefix}_create(${prefix} **network, const ${prefix}_options *options);

/* ${run_computes} one thread it neither allocates nor
 * calls the system. The threads of an instance wait for each other: they need the same priority. A
 * forked child may run and destroy its parent's instances: its first run starts threads of its own,
 * also where it was forked during a run (from Linux 4.14 on; before, only those of one thread, and
 * not during a run). */
int ${prefix}_run(${prefix} *network, ${run_parameters});

/* What was wrong with the last run of `network`, "" where nothing was; valid until the next run. */
const char *${prefix}_last_error(const ${prefix} *network);

/* What a status means. */
const char *${prefix}_status_text(int status);

/* Ends its threads and frees what create allocated: a page even where the workspace is your own.
 * NULL is allowed. */
void ${prefix}_destroy(${prefix} *network);

#ifdef __cplusplus
}
#endif
#endif
""")

OF_PICTURES = {  # inputs of three channels, as PREPROCESSINGS knows them
    "ranges": Template("""\
Channel c holds (v - MEAN[c]) / STD[c], v being 0 to MAX in the order CHANNELS: so it lies
 * between LOWEST[c] and HIGHEST[c]. Of a picture, the short side is scaled to RESIZE / CROP of
 * the input's (bilinear, half-pixel centres), and the centre is cropped."""),
    "range_constants": Template("""\
#define ${PREFIX}_CHANNELS "${channel_order}"
#define ${PREFIX}_MAX ${max_value}f
#define ${PREFIX}_MEAN {${mean}}
#define ${PREFIX}_STD {${std}}
#define ${PREFIX}_LOWEST {${lowest}}
#define ${PREFIX}_HIGHEST {${highest}}
#define ${PREFIX}_RESIZE ${resize}
#define ${PREFIX}_CROP ${crop}
"""),
}
OF_OTHERS = {
    "ranges": "How it was made is not known here: its range is that of its training.",
    "range_constants": "",
}

INTERNAL = Template("""\
#pragma once
#include "public.h"
#define NETWORK ${prefix}
#define FUNCTION(name) ${prefix}_##name
#define STATUS(name) ${PREFIX}_##name
typedef struct ${prefix} Network;
typedef ${prefix}_options Options;
#define INPUT_VALUES ${PREFIX}_INPUT_VALUES
#define OUTPUTS ${output_count}
#define OUTPUT_TABLE {${output_table}}
#define FOR_EACH_OUTPUT(DO) ${each_output}
${run_types}
#define MAX_THREADS ${PREFIX}_MAX_THREADS
#define WORKSPACE_BYTES ${PREFIX}_WORKSPACE_BYTES
#define ALIGNMENT ${PREFIX}_WORKSPACE_ALIGNMENT
#define RESERVED_BYTES ${reserved_bytes}
#define LINE_BYTES ${alignment}
#define ALIGNED(size) (((size) + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES)
""")


@dataclass(frozen=True)
class Interface:
    """The texts of the public header and of `network.h`, and what the header promises."""

    prefix: str
    header: str
    internal: str
    workspace_bytes: int


def make_interface(
    network: Network, target: CompileTarget, level: str, compute: Compute, stem: str
) -> Interface:
    """The interface of the library `stem`.so, whose header is to be `stem`.h."""
    prefix = c_prefix(network.name)
    reserved = reserved_bytes(compute.threads)
    _, channels, height, width = network.input_shape
    values = {
        "model": network.name,
        "core": target.core.name,
        "dtype": f"{target.dtype} and float32" if KEPT in network.provenance else target.dtype,
        "triple": target.triple,
        "level": level,
        "file": f"{stem}.so",
        "version": version("shufflenet-compiled"),
        "prefix": prefix,
        "PREFIX": prefix.upper(),
        "weights_sha256": hashlib.sha256(compute.weights).hexdigest(),
        "input_shape": ", ".join(map(str, network.input_shape)),
        "channels": channels,
        "height": height,
        "width": width,
        "input_values": math.prod(network.input_shape),
        **_ranges(PREPROCESSINGS[network.preprocessing], channels, prefix),
        "threads": compute.threads,
        "workspace_bytes": reserved + compute.workspace.bytes,
        "alignment": ALIGNMENT,
        "reserved_bytes": reserved,
        **outputs_in_header(network.outputs, prefix),
    }
    values["statuses"] = "\n".join(
        f"  {prefix.upper()}_{name} = {number}, /* {meaning} */"
        for number, (name, meaning) in enumerate(STATUSES)
    )
    return Interface(
        prefix=prefix,
        header=HEADER.substitute(values),
        internal=INTERNAL.substitute(values),
        workspace_bytes=int(values["workspace_bytes"]),
    )


def reserved_bytes(threads: int) -> int:
    """What lies before the tensors in an instance's memory: itself, and its threads."""
    return INSTANCE_BYTES + (aligned(TEAM_BYTES + WORKER_BYTES * threads) if threads > 1 else 0)


def _ranges(preprocessing: Preprocessing, channels: int, prefix: str) -> dict[str, str]:
    """What the header says of the values of an input of `channels`."""
    if channels != len(preprocessing.mean):
        return OF_OTHERS
    ranges = list(zip(preprocessing.mean, preprocessing.std, strict=True))
    values = {
        "PREFIX": prefix.upper(),
        "channel_order": preprocessing.channel_order,
        "max_value": repr(float(preprocessing.max_value)),
        "mean": _floats(preprocessing.mean),
        "std": _floats(preprocessing.std),
        "lowest": _floats((0 - mean) / std for mean, std in ranges),
        "highest": _floats((preprocessing.max_value - mean) / std for mean, std in ranges),
        "resize": RESIZE_SIDE,
        "crop": CROP_SIDE,
    }
    return {name: text.substitute(values) for name, text in OF_PICTURES.items()}


def _floats(values: Iterable[float]) -> str:
    return ", ".join(f"{float(value)!r}f" for value in values)
