"""Clients of the chat room: a thousand of them, or a few and one that reads nothing."""

import asyncio
import resource
import socket
import sys

PORT = int(sys.argv[1])
COUNT = 1000


async def client():
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT, limit=1 << 20)
    greeting = await reader.readline()
    assert greeting.startswith(b"* you are guest"), greeting
    return reader, writer


async def lines_until(reader, line):
    """Reads lines up to this one. Returns those before it."""
    lines = []
    while (got := await reader.readline()) != line:
        assert got, f"the connection ended before {line}"
        lines.append(got)
    return lines


async def many():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    clients = [await client() for _ in range(COUNT)]
    reader, writer = clients[0]
    writer.write(b"/nick anna\n/nick anna\n/nick a b\n")
    await lines_until(reader, b"* that name is taken\n")
    await lines_until(reader, b"* a name has 1 to 20 letters and digits\n")
    writer.write(b"/who\n")
    while not (who := await reader.readline()).startswith(f"* {COUNT} here: anna guest2 ".encode()):
        assert who, "the connection ended"
    writer.write("grüße an alle\n".encode())
    line = "anna: grüße an alle\n".encode()
    await asyncio.gather(*(lines_until(reader, line) for reader, _ in clients[1:]))
    clients[1][1].write(b"/quit\n")
    assert (await clients[1][0].read()).endswith(b"* bye\n")
    await lines_until(clients[2][0], b"* guest2 leaves\n")
    print(f"{COUNT} clients, {COUNT - 1} heard the message")


async def slow():
    clients = [await client() for _ in range(10)]
    # Its system keeps few bytes for it.
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(("127.0.0.1", PORT))
    slow.sendall(b"/nick slow\n")
    await lines_until(clients[0][0], b"* guest11 is now slow\n")
    flood = (b"x" * 900 + b"\n") * 20
    seen = [[] for _ in clients[1:]]
    # All others keep up: the next lines come when they have read the last ones.
    for turn in range(3000):
        clients[0][1].write(flood + b"turn %d\n" % turn)
        await clients[0][1].drain()
        end = b"guest1: turn %d\n" % turn
        lines = await asyncio.gather(*(lines_until(reader, end) for reader, _ in clients[1:]))
        for notices, new in zip(seen, lines):
            notices += [line for line in new if line.startswith(b"*")]
        if all(b"* slow reads too slowly and is dropped\n" in notices for notices in seen):
            break
    else:
        raise SystemExit("the slow reader was never dropped")
    slow.close()
    print("the slow reader was dropped")


asyncio.run({"many": many, "slow": slow}[sys.argv[2]]())
