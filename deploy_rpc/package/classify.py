"""The five likeliest classes of a picture, by ${model}: Python's standard library and ${file} only.

    python3 classify.py PICTURE.ppm [labels.txt]

PICTURE is a binary PPM (P6, 8 bits), or a file of exactly the network's input as floats.
"""

import array
import ctypes
import math
import pathlib
import sys

HEIGHT, WIDTH, CLASSES = ${height}, ${width}, ${output_values}
INPUTS = 3 * HEIGHT * WIDTH
ORDER, LARGEST = "${channel_order}", ${max_value}
MEAN, STD = (${mean}), (${std})
RESIZE, CROP = ${resize}, ${crop}
OK = 0


class Network:
    """An instance of the library; `run` takes and returns arrays of floats."""

    def __init__(self, path):
        self._library = ctypes.CDLL(str(path))
        self._library.${prefix}_last_error.restype = ctypes.c_char_p
        self._library.${prefix}_status_text.restype = ctypes.c_char_p
        self._handle = ctypes.c_void_p()
        status = self._library.${prefix}_create(ctypes.byref(self._handle), None)
        if status != OK:
            raise RuntimeError(self._library.${prefix}_status_text(status).decode())

    def run(self, values):
        output = array.array("f", bytes(4 * CLASSES))
        status = self._library.${prefix}_run(
            self._handle,
            ctypes.c_void_p(values.buffer_info()[0]),
            ctypes.c_size_t(len(values)),
            ctypes.c_void_p(output.buffer_info()[0]),
            ctypes.c_size_t(len(output)),
        )
        if status != OK:
            raise RuntimeError(self._library.${prefix}_last_error(self._handle).decode())
        return output

    def close(self):
        self._library.${prefix}_destroy(self._handle)


def read_input(path):
    """The network's input of the picture or tensor at `path`."""
    content = path.read_bytes()
    if content[:2] == b"P6":
        return read_picture(content)
    if len(content) != 4 * INPUTS:
        sys.exit(f"{path}: expected a binary PPM (P6), or {INPUTS} floats")
    return array.array("f", content)


def read_picture(content):
    columns, rows, start = ppm_header(content)
    factor = max(HEIGHT / rows, WIDTH / columns) * RESIZE / CROP
    across = [place_of(x, columns, factor, WIDTH) for x in range(WIDTH)]
    values = array.array("f", bytes(4 * INPUTS))
    for y in range(HEIGHT):
        low, high, down = place_of(y, rows, factor, HEIGHT)
        upper = content[start + 3 * columns * low : start + 3 * columns * (low + 1)]
        lower = content[start + 3 * columns * high : start + 3 * columns * (high + 1)]
        if len(lower) != 3 * columns:
            sys.exit("the picture ends before its last pixel")
        for channel, colour in enumerate("RGB".index(letter) for letter in ORDER):
            at = channel * HEIGHT * WIDTH + y * WIDTH
            for x, (left, right, share) in enumerate(across):
                first = blend(upper[3 * left + colour], lower[3 * left + colour], down)
                second = blend(upper[3 * right + colour], lower[3 * right + colour], down)
                value = round(blend(first, second, share)) * (LARGEST / 255)
                values[at + x] = (value - MEAN[channel]) / STD[channel]
    return values


def ppm_header(content):
    numbers, at = [], 2
    while len(numbers) < 3:
        line_end = content.index(b"\n", at)
        if content[at : at + 1].isspace():
            at += 1
        elif content[at : at + 1] == b"#":
            at = line_end
        else:
            word = content[at:].split(None, 1)[0]
            numbers.append(int(word))
            at += len(word)
    if numbers[2] != 255:
        sys.exit("expected a PPM of 8 bits: P6 WIDTH HEIGHT 255")
    return numbers[0], numbers[1], at + 1


def place_of(index, extent, factor, crop):
    """The two neighbours of value `index` of a cropped axis, and the second's share."""
    scaled = max(round(extent * factor), crop)
    centre = (round((scaled - crop) / 2) + index + 0.5) * (extent / scaled) - 0.5
    low = math.floor(centre)
    last = extent - 1
    return min(max(low, 0), last), min(max(low + 1, 0), last), centre - low


def blend(first, second, share):
    return first + (second - first) * share


def main():
    if len(sys.argv) not in (2, 3):
        print(f"usage: {sys.argv[0]} PICTURE.ppm|TENSOR.raw [labels.txt]", file=sys.stderr)
        sys.exit(2)
    labels = pathlib.Path(sys.argv[2]).read_text().splitlines() if len(sys.argv) == 3 else None
    network = Network(pathlib.Path(__file__).resolve().parent / "${file}")
    scores = network.run(read_input(pathlib.Path(sys.argv[1])))
    network.close()
    largest = max(scores)
    shares = [math.exp(score - largest) for score in scores]
    best = sorted(range(CLASSES), key=lambda index: -shares[index])[:5]
    for rank, index in enumerate(best, start=1):
        name = labels[index] if labels else ""
        print(f"{rank}  class {index:4d}  probability {shares[index] / sum(shares):.4f}  {name}")


if __name__ == "__main__":
    main()
