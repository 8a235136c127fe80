# shellcheck shell=bash
# `stage`, `port`, `running` and `python` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# AMQP 0-9-1: RabbitMQ, with pika and a plain socket.

amqp_dissector=amqp
# The server's properties and a channel's methods.
amqp_payload_bytes_max=3000

record_amqp() {
    require "$1" rabbitmq-server epmd
    choose_port 5672
    venv pika==1.3.2
    mkdir "$stage/data-amqp"
    printf 'cluster_name = shop\nlisteners.tcp.1 = 127.0.0.1:%s\nauth_mechanisms.1 = PLAIN\nlog.file = false\n' "$port" >"$stage/rabbitmq.conf"
    export ERL_EPMD_PORT=$((30000 + RANDOM % 1000)) HOME=$stage RABBITMQ_NODENAME=x@localhost RABBITMQ_DIST_PORT=$((31000 + RANDOM % 1000)) \
        RABBITMQ_MNESIA_BASE=$stage/data-amqp RABBITMQ_LOG_BASE=$stage/data-amqp RABBITMQ_CONFIG_FILE=$stage/rabbitmq.conf \
        RABBITMQ_ENABLED_PLUGINS_FILE=$stage/plugins RABBITMQ_PID_FILE=$stage/data-amqp/pid
    printf '[].\n' >"$stage/plugins"
    epmd -address 127.0.0.1 >"$stage/epmd.log" 2>&1 &
    running+=($!)
    # The script of Debian's package changes to the user `rabbitmq`, so the program itself is started.
    /usr/lib/rabbitmq/bin/rabbitmq-server >"$stage/amqp-server.log" 2>&1 &
    running+=($!)
    local attempt
    for ((attempt = 0; attempt < 90; attempt++)); do
        ! listens 127.0.0.1 "$port" || break
        sleep 1
    done
    sleep 2
    recorded_with "RabbitMQ $(dpkg-query -W -f '${Version}' rabbitmq-server | sed 's/-.*//'), pika 1.3.2"
    amqp_messages
    amqp_errors
    # The virtual machine of Erlang is a child of the script that was started.
    kill "$(<"$stage/data-amqp/pid")" 2>/dev/null || true
}

amqp_messages() {
    begin messages.pcap
    client "$python" - "$port" <<'PY'
import sys, pika
at = pika.ConnectionParameters("127.0.0.1", int(sys.argv[1]), heartbeat=5)
c = pika.BlockingConnection(at)
channel = c.channel()
channel.queue_declare("books", exclusive=True)
channel.confirm_delivery()
channel.basic_publish("", "books", b"one", pika.BasicProperties(content_type="text/plain", headers={"unit": "book"}))
channel.basic_publish("", "books", b"")
channel.basic_publish("", "books", b"\xce\x00AMQP")
print(channel.basic_get("books", auto_ack=True))
for method, properties, body in channel.consume("books", inactivity_timeout=2):
    if method is None:
        break
    channel.basic_ack(method.delivery_tag)
c.close()
PY
    end 1 'pika: a queue, three messages with confirms (one empty, one that holds the end of a frame), get, consume and acknowledge, close' \
        'amqp.method.method == 40' 'amqp.method.method == 60' 'amqp.type == 2'
}

amqp_errors() {
    begin errors.pcap
    client "$python" - "$port" <<'PY'
import sys, pika
at = dict(host="127.0.0.1", port=int(sys.argv[1]))
def attempt(call):
    try:
        call()
    except Exception as error:
        print(repr(error))
attempt(lambda: pika.BlockingConnection(pika.ConnectionParameters(**at, credentials=pika.PlainCredentials("guest", "wrong horse"))))
c = pika.BlockingConnection(pika.ConnectionParameters(**at))
attempt(lambda: c.channel().queue_declare("missing", passive=True))
channel = c.channel()
channel.basic_publish("", "nowhere", b"lost", mandatory=True)
c.process_data_events(1)
c.close()
attempt(lambda: pika.BlockingConnection(pika.ConnectionParameters(**at, virtual_host="nowhere")))
PY
    dialogue 'AMQP\x00\x01\x00\x00' EOF
    dialogue 'GET / HTTP/1.0\r\n\r\n' EOF
    cut_off 'AMQP\0\0'
    end 6 'pika: a wrong password, a queue that is not there (404), a message that is returned, no such virtual host; plain socket: version 1.0, HTTP, **cut off on purpose**' \
        'tcp.payload contains "NOT_FOUND"' 'tcp.payload contains "ACCESS_REFUSED"' 'tcp.payload contains "NO_ROUTE"'
}
