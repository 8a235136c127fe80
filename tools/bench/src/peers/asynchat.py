"""Runs asynchat over a recv that returns one read after the other, without a socket.

Arguments: the framing, the bytes per read, the input file. Each line on standard input starts a run,
which prints its time in nanoseconds, the number of frames, and the bytes of their payload.
"""

import asynchat
import sys
import time

framing, read, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
kind, _, argument = framing.partition(":")
with open(path, "rb") as file:
    DATA = file.read()


class Counter(asynchat.async_chat):
    """Counts frames that end at a delimiter."""

    ac_in_buffer_size = read

    def __init__(self):
        super().__init__()
        self.offset = self.frames = self.payload = 0
        self.start_frame()

    def recv(self, size):
        chunk = DATA[self.offset:self.offset + size]
        self.offset += len(chunk)
        return chunk

    def start_frame(self):
        self.set_terminator(bytes.fromhex(argument))

    def collect_incoming_data(self, data):
        self.payload += len(data)

    def found_terminator(self):
        self.frames += 1

    def handle_error(self):
        raise


class FixedCounter(Counter):
    """Counts frames of a fixed length."""

    def start_frame(self):
        self.set_terminator(int(argument))

    def found_terminator(self):
        self.frames += 1
        self.set_terminator(int(argument))


class PrefixedCounter(Counter):
    """Counts frames behind a big-endian length of four bytes."""

    def start_frame(self):
        self.prefix = b""
        self.in_payload = False
        self.set_terminator(4)

    def collect_incoming_data(self, data):
        if self.in_payload:
            self.payload += len(data)
        else:
            self.prefix += data

    def found_terminator(self):
        if self.in_payload:
            self.frames += 1
            self.start_frame()
        else:
            self.in_payload = True
            self.set_terminator(int.from_bytes(self.prefix, "big"))


CHANNEL = {"delimiter": Counter, "fixed": FixedCounter, "u32be": PrefixedCounter}[kind]

for _ in sys.stdin:
    channel = CHANNEL()
    start = time.perf_counter_ns()
    while channel.offset < len(DATA):
        channel.handle_read()
    elapsed = time.perf_counter_ns() - start
    print(elapsed, channel.frames, channel.payload, flush=True)
