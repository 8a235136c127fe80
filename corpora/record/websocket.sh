# shellcheck shell=bash
# `stage`, `port` and `python` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# WebSocket: the server and the client of Python's `websockets`, and a plain socket.

websocket_dissector=http

record_websocket() {
    require "$1" python3
    choose_port 8765
    venv websockets==15.0.1
    cat >"$stage/websocket.py" <<'PY'
import asyncio, sys
from websockets.asyncio.server import serve
async def echo(connection):
    path = connection.request.path
    if path == "/news":
        await connection.send("first")
        await connection.send(["in ", "three ", "pieces"])
        await connection.ping(b"are you there")
        await connection.close(4001, "no more news")
    async for message in connection:
        if message == "fail":
            raise RuntimeError
        await connection.send(message)
async def main():
    async with serve(echo, "127.0.0.1", int(sys.argv[1]), max_size=1000, select_subprotocol=lambda c, offers: "chat" if offers else None, server_header=None, close_timeout=2) as server:
        await server.serve_forever()
asyncio.run(main())
PY
    serve "$python" "$stage/websocket.py" "$port"
    recorded_with "websockets 15.0.1"

    local theme
    for theme in messages compressed closing raw; do
        "websocket_$theme"
    done
}

# talk COMPRESSION < SCRIPT: runs the lines of a client, which has `connect`.
talk() {
    { cat <<PY
import asyncio, websockets
from websockets.asyncio.client import connect as open_connection
def connect(path="/", **options):
    return open_connection("ws://127.0.0.1:$port" + path, compression=$1, user_agent_header=None, **options)
async def main():
PY
    sed 's/^/    /'
    echo 'asyncio.run(main())'; } >"$stage/talk.py"
    client "$python" "$stage/talk.py"
}

websocket_messages() {
    begin messages.pcap
    talk None <<'PY'
async with connect(subprotocols=["chat"]) as c:
    for message in "hello", "caf\u00e9 \u2713", b"\x00\xff\r\n", "", "x" * 126:
        await c.send(message)
        await c.recv()
    await (await c.ping(b"ping"))
PY
    talk None <<'PY'
async with connect("/news") as c:
    async for message in c:
        pass
PY
    talk None <<'PY'
async with connect() as c:
    async def pieces():
        yield "one "
        await c.ping(b"between")
        yield "two"
    await c.send(pieces())
    await c.recv()
PY
    end 3 'websockets: text, binary, an empty message, a length of 16 bits, Ping and Pong, a subprotocol; fragments and a Ping from the server; a Ping between fragments' \
        'websocket.opcode == 2' 'websocket.opcode == 9' 'websocket.opcode == 0' 'websocket.opcode == 8'
}

websocket_compressed() {
    begin compressed.pcap
    talk '"deflate"' <<'PY'
async with connect() as c:
    for message in "hello hello hello hello", "hello hello hello hello", b"", "x" * 300:
        await c.send(message)
        await c.recv()
PY
    end 1 'websockets: permessage-deflate with a context that is kept' 'websocket.rsv' 'http.sec_websocket_extensions contains "permessage-deflate"'
}

websocket_closing() {
    begin closing.pcap
    talk None <<'PY'
c = await connect()
await c.close(4000, "lunch")
c = await connect()
await c.send("fail")
try:
    await c.recv()
except websockets.ConnectionClosed:
    pass
c = await connect()
await c.send("x" * 300)
await c.recv()
c.transport.abort()
PY
    end 3 'websockets: a close code of its own with a reason, 1011 after an error in the server, a connection that is cut' \
        'websocket.payload.close.status_code == 4000' 'websocket.payload.close.status_code == 1011'
}

websocket_raw() {
    local head='GET /%s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: %s\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
    local open
    # shellcheck disable=SC2059
    open=$(printf "${head//\\/\\\\}" '' 13)
    begin plain-socket.pcap
    # The first frame behind the handshake; frames in one write; a masked payload that arrives cut; Close without a body.
    dialogue "$open"'\x81\x82\x01\x02\x03\x04ik' 'hi' '\x81\x81\x00\x00\x00\x00a\x89\x80\x00\x00\x00\x00\x82\x81\x00\x00\x00\x00b' '\x82\x01b' \
        '\x81\x85\x37\xfa\x21' '' '\x3d\x7f\x9f' '' '\x4d\x51\x58' 'Hello' '\x88\x80\x00\x00\x00\x00' EOF
    # A frame without a mask, a reserved opcode, text that is not UTF-8, a message that is too long, a Close with one byte.
    dialogue "$open" '\r\n\r\n' '\x81\x02hi' EOF
    dialogue "$open" '\r\n\r\n' '\x83\x80\x00\x00\x00\x00' EOF
    dialogue "$open" '\r\n\r\n' '\x81\x81\x00\x00\x00\x00\xff' EOF
    dialogue "$open" '\r\n\r\n' '\x82\xfe\x04\x00\x00\x00\x00\x00' EOF
    dialogue "$open" '\r\n\r\n' '\x88\x81\x00\x00\x00\x00x' EOF
    # shellcheck disable=SC2059
    dialogue "$(printf "${head//\\/\\\\}" '' 7)" EOF
    dialogue 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' EOF
    end 8 'plain socket: frames behind the handshake and together, a payload that arrives cut, Close without a code; **malformed on purpose**: no mask, a reserved opcode, no UTF-8, a message that is too long, a Close of one byte; a wrong version, no upgrade' \
        'websocket.payload.close.status_code == 1002' 'websocket.payload.close.status_code == 1007' 'websocket.payload.close.status_code == 1009' 'http.response.code == 426'
}
