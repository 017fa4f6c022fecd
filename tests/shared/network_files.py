"""Files of networks for tests: of real models, and damaged ones."""

import json
import random
import struct

from mlperf_mobile_neural_networks.lower import lower
from mlperf_mobile_neural_networks.network_file import write
from mlperf_mobile_tflite_model.reader import read

HEAD = struct.Struct("<8sIIQ")


def lowered(model, path, level=4):
    """The file of a model's network."""
    write(path, lower(read(model), level), level)
    return path


def changed(content, edit):
    """The bytes of a file whose description was edited; everything else still fits."""
    magic, version, described, size = HEAD.unpack_from(content)
    description = json.loads(content[HEAD.size : HEAD.size + described])
    edit(description)
    text = json.dumps(description).encode()
    begin = -(-(HEAD.size + len(text)) // 64) * 64
    head = HEAD.pack(magic, version, len(text), size)
    return (head + text).ljust(begin, b"\0") + content[len(content) - size :]


def mutations(content, count, seed):
    """Files with a few bytes changed, cut or repeated, and with numbers in the description replaced."""
    rng = random.Random(seed)
    for number in range(count):
        if number % 2:
            yield changed(content, lambda description: _replace_numbers(description, rng))
            continue
        data = bytearray(content)
        for _ in range(rng.randint(1, 4)):
            place = min(int(rng.expovariate(1 / 2000)), len(data) - 1)
            kind = rng.randrange(3)
            if kind == 0:
                data[place] = rng.randrange(256)
            elif kind == 1:
                del data[place : place + rng.randint(1, 64)]
            else:
                data[place:place] = data[place : place + rng.randint(1, 64)]
        yield bytes(data)


def _replace_numbers(description, rng):
    strange = (-1, 0, 1, 3, 64, 255, 1 << 31, (1 << 32) - 1, 1 << 63, (1 << 64) - 1, 1e300, -0.5, None, "x", [], {})
    for _ in range(rng.randint(1, 3)):
        place, key = description, rng.choice(list(description))
        while isinstance(place[key], dict | list) and place[key] and rng.random() < 0.95:
            place = place[key]
            key = rng.choice(list(place)) if isinstance(place, dict) else rng.randrange(len(place))
        if isinstance(place, dict) and rng.random() < 0.1:
            del place[key]
        else:
            place[key] = rng.choice(strange)
        if not description:
            return
