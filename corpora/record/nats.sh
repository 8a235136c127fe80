# shellcheck shell=bash
# `stage`, `port` and `python` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# NATS: nats-server, with nats-py and a plain socket. tshark 4.0 has no dissector for it.

record_nats() {
    require "$1" nats-server
    choose_port 4222
    venv nats-py==2.9.0
    cat >"$stage/nats.conf" <<CONF
listen: 127.0.0.1:$port
server_name: shop
max_payload: 1000
authorization {
  users = [ { user: alice, password: "correct horse", permissions: { publish: { deny: "secret" } } }, { user: bob, password: x } ]
}
no_auth_user: bob
CONF
    serve nats-server -c "$stage/nats.conf"
    recorded_with "$(nats-server --version | sed 's/: v/ /'), nats-py 2.9.0"

    local theme
    for theme in publish errors pipelined; do
        "nats_$theme"
    done
}

nats_publish() {
    begin publish.pcap
    client "$python" - "$port" <<'PY'
import asyncio, sys, nats
async def main():
    at = dict(servers="nats://127.0.0.1:" + sys.argv[1], allow_reconnect=False)
    reader = await nats.connect(**at, name="reader")
    async def answer(message):
        await message.respond(b"answer to " + message.data)
    await reader.subscribe("shop.ask", queue="q", cb=answer)
    news = await reader.subscribe("shop.news.*")
    await reader.flush()
    writer = await nats.connect(**at, name="writer", user="alice", password="correct horse")
    await writer.publish("shop.news.1", b"hello\r\nPING\r\n")
    await writer.publish("shop.news.2", b"")
    await writer.publish("shop.news.3", b"body", headers={"Trace": "7", "Unit": "book"})
    print(await writer.request("shop.ask", b"price", timeout=5))
    try:
        await writer.request("shop.nobody", b"price", timeout=5)
    except nats.errors.NoRespondersError:
        pass
    for _ in range(3):
        await news.next_msg(5)
    await news.unsubscribe()
    await reader.flush()
    await writer.close()
    await reader.close()
asyncio.run(main())
PY
    end 2 'nats-py: PUB and MSG with a body that looks like a command, an empty body, HPUB with headers, a request and its reply, no responders (status 503), a queue, UNSUB' \
        'tcp.payload contains "HPUB"' 'tcp.payload contains "NATS/1.0 503"' 'tcp.payload contains "HMSG"'
}

nats_errors() {
    begin errors.pcap
    dialogue '' 'INFO ' 'CONNECT {"verbose":true,"user":"alice","pass":"wrong horse"}\r\nPING\r\n' EOF
    dialogue '' 'INFO ' 'CONNECT {"verbose":true,"pedantic":true,"user":"alice","pass":"correct horse"}\r\n' 'OK' 'PUB secret 1\r\nx\r\n' 'ERR' 'SUB bad..subject 1\r\n' 'ERR' 'PING\r\n' 'PONG'
    dialogue '' 'INFO ' 'CONNECT {}\r\n' 'OK' 'WHAT is this\r\n' EOF
    dialogue '' 'INFO ' 'CONNECT {"verbose":false}\r\nPUB big 1001\r\n' EOF
    dialogue '' 'INFO ' 'CONNECT {"verbose":false}\r\nPUB a 2\r\nxyz\r\n' EOF
    cut_off 'CONNECT {}\r\nPUB a 5\r\nhe'
    end 6 'plain socket: a wrong password, a subject that is denied, a bad subject, an unknown command, a payload over the limit, one that is longer than announced; **cut off on purpose**' \
        'tcp.payload contains "Authorization Violation"' 'tcp.payload contains "Permissions Violation"' 'tcp.payload contains "Unknown Protocol"'
}

nats_pipelined() {
    begin pipelined.pcap
    dialogue '' 'INFO ' 'CONNECT {"verbose":false}\r\nSUB a 1\r\nSUB b.> 2\r\nPUB a 3\r\none\r\nPUB b.c reply 9\r\nPING\r\n+OK\r\nUNSUB 1\r\nPUB a 1\r\nx\r\nPING\r\n' 'PONG'
    dialogue '' 'INFO ' 'CONNECT {"verb' '' 'ose":false}\r' '' '\nsub\ta\t1\r\npub  a  4\r\nab' '' '\r\n' '' '\r\nping\r\n' 'PONG'
    end 2 'plain socket: commands in one write; lower case, tabs, a command cut inside its JSON and a body that holds CRLF cut inside it' 'tcp.payload contains "UNSUB 1"'
}
