"""Small files of every kind, and seeded damage done to them."""

import json
import random
import struct
from collections.abc import Iterator

HUGE = (0, 1, -1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 2**63, 2**64, 10**30, -(2**40), 1.5, None, True, "7", [], {})


def safetensors_bytes(header: object, data: bytes = b"", *, length: int | None = None) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def mutations(raw: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Truncations, flipped and replaced bytes (mostly at the front), pieces cut out, doubled or overwritten."""
    for number in range(count):
        random_ = random.Random(seed * 100_003 + number)
        yield _mutated(bytearray(raw), random_)


def _mutated(raw: bytearray, chance: random.Random) -> bytes:
    for _ in range(chance.choice((1, 1, 1, 2, 5, 20))):
        if not raw:
            break
        near = chance.choice((8, 64, 600, len(raw)))
        at = chance.randrange(min(len(raw), near))
        if chance.random() < 0.3:
            at = len(raw) - 1 - at
        what = chance.randrange(6)
        if what == 0:
            del raw[at:]
        elif what == 1:
            raw[at] ^= 1 << chance.randrange(8)
        elif what == 2:
            raw[at] = chance.choice(
                (0, 1, 0x7F, 0x80, 0xFF, ord("9"), ord("-"), ord("{"), ord("["), ord("."), ord("c"))
            )
        elif what == 3:
            del raw[at : at + chance.choice((1, 2, 8, 100))]
        elif what == 4:
            raw[at:at] = raw[at : at + chance.choice((1, 8, 200))]
        else:
            size = chance.choice((2, 4, 8))
            raw[at : at + size] = bytes([chance.choice((0, 0xFF, 0x7F))]) * size
    return bytes(raw)


def header_mutations(header: dict[str, object], data: bytes, seed: int) -> Iterator[bytes]:
    """Well-formed JSON whose values make no sense."""
    for number in range(300):
        chance = random.Random(seed * 7 + number)
        changed = json.loads(json.dumps(header))
        entry = changed[chance.choice([key for key in changed if key != "__metadata__"])]
        field = chance.choice(("dtype", "shape", "data_offsets", "metadata", "entry"))
        value = chance.choice(HUGE)
        if field in ("shape", "data_offsets") and chance.random() < 0.7 and entry[field]:
            entry[field][chance.randrange(len(entry[field]))] = value
        elif field == "metadata":
            changed["__metadata__"] = chance.choice((value, {"a": value}))
        elif field == "entry":
            changed[chance.choice(list(changed))] = value
        elif chance.random() < 0.5:
            entry.pop(field)
        else:
            entry[field] = value
        yield safetensors_bytes(changed, data)
