#!/usr/bin/env python3
"""Writes the ELF kernel inside a bzImage to stdout: QEMU starts it by itself (PVH), and emulated unpacking is slow. See boot.rst, "The real-mode kernel header"."""
import struct
import subprocess
import sys

image = open(sys.argv[1], 'rb').read()
real_mode_sectors = image[0x1F1] or 4
offset, length = struct.unpack_from('<II', image, 0x248)
start = (real_mode_sectors + 1) * 512 + offset
payload = image[start:start + length]
unpackers = {b'\xfd7zXZ': 'xz', b'\x28\xb5\x2f\xfd': 'zstd', b'\x02\x21\x4c\x18': 'lz4', b'\x1f\x8b': 'gzip'}
program = next((name for magic, name in unpackers.items() if payload.startswith(magic)), None)
if program is None:
    sys.exit(f'the kernel is packed in a way that is not known: {payload[:4]!r}')
# The payload is followed by its length, which some of them take for garbage: what they wrote is judged, not their status.
kernel = subprocess.run([program, '-dc'], input=payload, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
if not kernel.startswith(b'\x7fELF'):
    sys.exit(f'{program} found no ELF kernel')
sys.stdout.buffer.write(kernel)
