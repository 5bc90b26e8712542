"""The scans of a JPEG file (ITU-T T.81, annexes B and G), read without decoding them."""

import re

MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)  # 0 and restart markers are part of the coded pixels
FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}  # baseline, extended, progressive; the last two with arithmetic coding
SCAN, END = 0xDA, 0xD9


def scans_missing(encoded: bytes) -> bool:
    """True if whole scans are missing: then some coefficients never get their last bit.

    Decoders accept such a file without an error, and fill missing details with smooth values.
    """
    missing: dict[int, set[int]] = {}  # coefficients without their last bit, by component
    position = 0
    while marker := MARKER.search(encoded, position):
        kind, start = marker[1][0], marker.end()
        if kind == END:
            break
        if kind == 0xD8:  # start of the image: no content
            position = start
            continue
        position = start + int.from_bytes(encoded[start : start + 2])
        content = encoded[start + 2 : position]
        if kind in FRAMES:
            missing = {component: set(range(64)) for component in content[6::3]}
        if kind == SCAN and content[-1] & 15 == 0:  # the last bit is sent
            for component in content[1 : 1 + 2 * content[0] : 2]:
                missing[component] -= set(range(content[-3], content[-2] + 1))
    return any(missing.values())
