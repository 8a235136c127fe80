"""A thousand clients of the chat room; one of them reads nothing."""

import asyncio
import resource
import socket
import sys

PORT = int(sys.argv[1])
COUNT = 1000
# The notices that each client has read.
NOTICES = {}


async def client(number):
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT, limit=1 << 20)
    greeting = await reader.readline()
    assert greeting.startswith(b"* you are guest"), greeting
    writer.write(f"/nick n{number}\n".encode())
    await until(reader, f"* you are n{number}\n".encode())
    return reader, writer


async def until(reader, line):
    while True:
        got = await reader.readline()
        assert got, f"the connection ended before {line}"
        if got == line:
            return


async def lines_until(reader, line):
    """Reads lines up to this one. Returns those that are notices."""
    notices = NOTICES.setdefault(reader, set())
    while (got := await reader.readline()) != line:
        assert got, f"the connection ended before {line}"
        if got.startswith(b"*"):
            notices.add(got)
    return notices


def slow_reader():
    """Connects a client whose system keeps few bytes for it."""
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(("127.0.0.1", PORT))
    slow.sendall(b"/nick slow\n")
    return slow


async def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    clients = []
    for number in range(COUNT):
        clients.append(await client(number))
    first_reader, first_writer = clients[0]
    first_writer.write(b"/who\n")
    while not (who := await first_reader.readline()).startswith(f"* {COUNT} here: n0 n1 ".encode()):
        assert who, "the connection ended"
    first_writer.write("grüße an alle\n".encode())
    line = "n0: grüße an alle\n".encode()
    await asyncio.gather(*(until(reader, line) for reader, _ in clients[1:]))

    # Fewer clients for the flood: each line goes to everybody.
    for _, writer in clients[10:]:
        writer.write(b"/quit\n")
    await asyncio.gather(*(reader.read() for reader, _ in clients[10:]))
    slow = slow_reader()
    await until(first_reader, b"* guest%d is now slow\n" % (COUNT + 1))
    flood = (b"x" * 900 + b"\n") * 20
    # All others keep up: the next lines come when they have read the last ones.
    for turn in range(3000):
        # The first turn only waits until the news of those who left were read.
        first_writer.write((flood if turn else b"") + b"turn %d\n" % turn)
        await first_writer.drain()
        seen = await asyncio.gather(*(lines_until(reader, b"n0: turn %d\n" % turn) for reader, _ in clients[1:10]))
        if all(b"* slow reads too slowly and is dropped\n" in lines for lines in seen):
            break
    else:
        raise SystemExit("the slow reader was never dropped")
    slow.close()
    print(f"{COUNT} clients, {COUNT - 1} heard the message, the slow reader was dropped")


asyncio.run(main())
