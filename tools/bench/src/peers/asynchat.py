"""asynchat over a recv that gives one read after the other. argv: framing, bytes a read, file. A run for each line on standard input."""

import asynchat
import sys
import time

framing, read, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
kind, _, argument = framing.partition(":")
with open(path, "rb") as file:
    DATA = file.read()


class Counting(asynchat.async_chat):
    ac_in_buffer_size = read

    def __init__(self):
        super().__init__()
        self.at = self.frames = self.payload = 0
        self.begin()

    def recv(self, size):
        chunk = DATA[self.at:self.at + size]
        self.at += len(chunk)
        return chunk

    def begin(self):
        self.set_terminator(bytes.fromhex(argument))

    def collect_incoming_data(self, data):
        self.payload += len(data)

    def found_terminator(self):
        self.frames += 1

    def handle_error(self):
        raise


class Fixed(Counting):
    def begin(self):
        self.set_terminator(int(argument))

    def found_terminator(self):
        self.frames += 1
        self.set_terminator(int(argument))


class Prefixed(Counting):
    def begin(self):
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
            self.begin()
        else:
            self.in_payload = True
            self.set_terminator(int.from_bytes(self.prefix, "big"))


CHANNEL = {"delimiter": Counting, "fixed": Fixed, "u32be": Prefixed}[kind]

for _ in sys.stdin:
    channel = CHANNEL()
    begin = time.perf_counter_ns()
    while channel.at < len(DATA):
        channel.handle_read()
    took = time.perf_counter_ns() - begin
    print(took, channel.frames, channel.payload, flush=True)
