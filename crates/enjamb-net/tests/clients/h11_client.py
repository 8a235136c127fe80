"""Requests made and responses checked by h11, and raw requests of every kind."""

import random
import socket
import sys

import h11

PORT = int(sys.argv[1])


def connect():
    connection = socket.create_connection(("127.0.0.1", PORT), timeout=20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def next_event(protocol, connection):
    while (event := protocol.next_event()) is h11.NEED_DATA:
        protocol.receive_data(connection.recv(random.choice([1, 7, 100, 65536])))
    return event


def response(protocol, connection):
    """Reads a response. Returns its status and its body."""
    body = b""
    while True:
        event = next_event(protocol, connection)
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return status, body
        elif isinstance(event, h11.ConnectionClosed):
            raise AssertionError("closed before the response")


def send(connection, data):
    """Sends data in pieces of any length."""
    while data:
        length = random.choice([1, 2, 5, 100, 100000])
        connection.sendall(data[:length])
        data = data[length:]


def conversations(count):
    requests = 0
    for seed in range(count):
        random.seed(seed)
        connection, protocol = connect(), h11.Connection(h11.CLIENT)
        for _ in range(random.randint(1, 20)):
            body = random.randbytes(random.choice([0, 1, 10, 1000, 70000]))
            method = random.choice(["GET", "HEAD", "PUT", "POST", "OPTIONS", "DELETE"])
            headers = [("Host", "x")]
            if method in ("PUT", "POST"):
                chunked = random.random() < 0.5
                headers.append(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(body))))
            else:
                body = b""
            target = random.choice(["/", "/kib.bin", "/nothing", "/a/../b", "/index.html?q=1"])
            data = protocol.send(h11.Request(method=method, target=target, headers=headers))
            for piece in [body[: len(body) // 3], body[len(body) // 3 :]]:
                if piece:
                    data += protocol.send(h11.Data(data=piece))
            data += protocol.send(h11.EndOfMessage())
            send(connection, data)
            status, got = response(protocol, connection)
            requests += 1
            if method in ("PUT", "POST"):
                assert (status, got) == (200, b"%d bytes\n" % len(body)), (status, got)
            elif method == "DELETE":
                assert status == 405
            elif method in ("GET", "HEAD"):
                known = {"/": 200, "/kib.bin": 200, "/nothing": 404, "/a/../b": 400, "/index.html?q=1": 200}
                assert status == known[target], (target, status)
                assert method == "GET" or got == b""
            protocol.start_next_cycle()
        connection.close()
    return requests


def pipelined(count):
    connection = connect()
    request = b"GET /kib.bin HTTP/1.1\r\nHost: x\r\n\r\nPUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    connection.sendall(request * count + last)
    received = b""
    while data := connection.recv(65536):
        received += data
    protocol = h11.Connection(h11.CLIENT)
    bodies = [b"x" * 1024, b"3 bytes\n"] * count + [b"<h1>enjamb</h1>\n"]
    for index, body in enumerate(bodies):
        protocol.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
        protocol.send(h11.EndOfMessage())
        if index == 0:
            protocol.receive_data(received)
            protocol.receive_data(b"")
        status, got = response(protocol, None)
        assert (status, got) == (200, body), (index, status, got[:50])
        if index + 1 < len(bodies):
            protocol.start_next_cycle()
    return len(bodies)


HOST = b"Host: x\r\n"
# The statuses of the responses to raw bytes, after which the client ends its stream.
RAW = [
    (b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", [200]),
    (b"\r\n\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n", [200]),
    (b"GET / HTTP/1.0\r\n\r\n", [200]),
    (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n", [200, 200]),
    (b"GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n", [200]),
    (b"GET / HTTP/1.1\nHost: x\n\n", [200]),
    (b"GET / HTTP/1.1\r\n" + HOST + b"A: 1\r\n" * 90 + b"\r\n", [200]),
    (b"GET / HTTP/1.1\r\n" + HOST + b"A: 1\r\n" * 110 + b"\r\n", [431]),
    (b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"x" * 40000 + b"\r\n\r\n", [431]),
    (b"GET / HTTP/1.1\r\n\r\n", [400]),
    (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", [400]),
    (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", [505]),
    (b"GET /\r\n\r\n", [400]),
    (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", [400]),
    (b"G\x00T / HTTP/1.1\r\n" + HOST + b"\r\n", [400]),
    (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", [400]),
    (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n c\r\n\r\n", [400]),
    (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\x00c\r\n\r\n", [400]),
    (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\rc\r\n\r\n", [400]),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", [400]),
    (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n" + HOST + b"\r\n", [200, 200]),
    (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", [200]),
    (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", [400]),
    (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +3\r\n\r\nabc", [400]),
    (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999999999999\r\n\r\nabc", [400]),
    (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nabc", [400]),
    (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
    (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
    (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n", [501]),
    (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: Chunked\r\n\r\n1e\r\n" + b"x" * 30 + b"\r\n0\r\n\r\n", [200]),
    (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nT: 1\r\n\r\n", [200]),
    (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", [400]),
    (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", [400]),
    (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", [400]),
    (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", [400]),
    (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nab", [400]),
    (b"GET / HT", [400]),
    (b"GET / HTTP/1.1\r\n" + HOST + b"\r\nGET / HT", [200, 400]),
]


def raw():
    for request, expected in RAW:
        for cut in (0, 1, len(request) // 2):
            connection = connect()
            connection.sendall(request[:cut])
            connection.sendall(request[cut:])
            connection.shutdown(socket.SHUT_WR)
            received = b""
            while data := connection.recv(65536):
                received += data
            statuses = []
            protocol = h11.Connection(h11.CLIENT)
            protocol.receive_data(received)
            protocol.receive_data(b"")
            for index in range(len(expected)):
                protocol.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
                protocol.send(h11.EndOfMessage())
                statuses.append(response(protocol, None)[0])
                if index + 1 < len(expected):
                    protocol.start_next_cycle()
            rest = protocol.trailing_data[0]
            assert statuses == expected and not rest, (request, expected, statuses, rest, received)
    return len(RAW)


print(f"{conversations(30)} requests, {pipelined(100)} pipelined, {raw()} raw: as expected")
