# shellcheck shell=bash
# `stage`, `port`, `running` and `python` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# Kafka: the mock broker of librdkafka, with confluent-kafka and a plain socket. The broker chooses its port.

kafka_dissector=kafka
# ApiVersions alone takes 500 bytes, and a group its Join and Sync.
kafka_payload_bytes_max=6000

record_kafka() {
    require "$1" python3
    venv confluent-kafka==2.5.3
    timeout 120 "$python" - >"$stage/kafka.port" 2>"$stage/kafka-server.log" <<'PY' &
import time
from confluent_kafka import Producer
p = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "x"})
print(p.list_topics(timeout=20).brokers[1].port, flush=True)
time.sleep(100)
PY
    running+=($!)
    until_true 'the broker' test -s "$stage/kafka.port"
    port=$(<"$stage/kafka.port")
    recorded_with "confluent-kafka 2.5.3 (librdkafka and its mock broker)"

    local theme
    for theme in produce consume plain_socket; do
        "kafka_$theme"
    done
}

kafka_produce() {
    begin produce.pcap
    client "$python" - "$port" <<'PY'
import sys
from confluent_kafka import Producer
for options in {"acks": "all"}, {"acks": 0}, {"acks": 1, "compression.type": "gzip", "enable.idempotence": False}:
    p = Producer({"bootstrap.servers": "127.0.0.1:" + sys.argv[1], "linger.ms": 50, "client.id": "w", **options})
    p.produce("shop", "one", key="k", headers={"unit": b"book"})
    p.produce("shop", "x" * 100)
    p.flush(10)
    del p
PY
    end 3-8 'confluent-kafka: ApiVersions, Metadata, Produce with all acknowledgements, with none (no reply), compressed' 'kafka.api_key == 0' 'kafka.api_key == 3' 'kafka.api_key == 18'
}

kafka_consume() {
    begin consume.pcap
    client "$python" - "$port" <<'PY'
import sys
from confluent_kafka import Consumer
c = Consumer({"bootstrap.servers": "127.0.0.1:" + sys.argv[1], "group.id": "g", "client.id": "r", "auto.offset.reset": "earliest", "fetch.wait.max.ms": 1000, "enable.auto.commit": False})
c.subscribe(["shop"])
for _ in range(3):
    c.poll(10)
c.commit(asynchronous=False)
c.close()
PY
    end 2-6 'confluent-kafka: FindCoordinator, JoinGroup, SyncGroup, Fetch, OffsetCommit, LeaveGroup' 'kafka.api_key == 1' 'kafka.api_key == 11' 'kafka.api_key == 8'
}

kafka_plain_socket() {
    begin plain-socket.pcap
    # ApiVersions 0 twice in one write; one cut in its length; an unknown version; an unknown key.
    dialogue '\x00\x00\x00\x0b\x00\x12\x00\x00\x00\x00\x00\x01\x00\x01x\x00\x00\x00\x0b\x00\x12\x00\x00\x00\x00\x00\x02\x00\x01x' '\x00\x00\x00\x02\x00\x00' \
        '\x00\x00' '' '\x00\x0b\x00\x12\x00\x00\x00\x00' '' '\x00\x03\x00\x01x' '\x00\x00\x00\x03\x00\x00'
    dialogue '\x00\x00\x00\x0b\x00\x12\x00\x63\x00\x00\x00\x04\x00\x01x' EOF
    dialogue '\x00\x00\x00\x0b\x03\xe7\x00\x00\x00\x00\x00\x05\x00\x01x' EOF
    end 3 'plain socket: two ApiVersions in one write, one cut in its length, an unknown version and an unknown key, after which the broker closes' 'kafka.api_key == 18'
}
