"""Servers of Python: asynchat and asyncio, each as its documentation shows it."""

import asyncio
import sys

BODY = b"x" * 1024
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n" + BODY


def asynchat_server(terminator, reply, port, use_poll=True):
    import asynchat
    import asyncore
    import socket

    class Channel(asynchat.async_chat):
        def __init__(self, sock):
            super().__init__(sock)
            self.set_terminator(terminator)
            self.received = []

        def collect_incoming_data(self, data):
            self.received.append(data)

        def found_terminator(self):
            frame = b"".join(self.received)
            self.received.clear()
            self.push(reply(frame))

    class Server(asyncore.dispatcher):
        def __init__(self):
            super().__init__()
            self.create_socket(socket.AF_INET, socket.SOCK_STREAM)
            self.set_reuse_addr()
            self.bind(("127.0.0.1", port))
            self.listen(4096)

        def handle_accepted(self, sock, address):
            Channel(sock)

    Server()
    # With select, more than 1,024 sockets are not possible.
    asyncore.loop(use_poll=use_poll)


def asyncio_server(terminator, reply, port):
    class Channel(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport
            self.buffer = b""

        def data_received(self, data):
            *frames, self.buffer = (self.buffer + data).split(terminator)
            if frames:
                self.transport.write(b"".join(map(reply, frames)))

    async def main():
        server = await asyncio.get_running_loop().create_server(Channel, "127.0.0.1", port, backlog=4096)
        await server.serve_forever()

    asyncio.run(main())


def echo(line):
    return b"+" + line + b"\r\n"


def http(head):
    return RESPONSE


name, port = sys.argv[1], int(sys.argv[2])
library, kind = name.split("-")
run = {
    "asynchat": asynchat_server,
    "asynchatselect": lambda *arguments: asynchat_server(*arguments, use_poll=False),
    "asyncio": asyncio_server,
}[library]
run(*{"echo": (b"\r\n", echo), "http": (b"\r\n\r\n", http)}[kind], port)
