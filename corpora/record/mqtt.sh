# shellcheck shell=bash
# `stage`, `port` and `server_pid` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# MQTT 3.1.1 and 5: mosquitto, with its command line clients and a plain socket.
#
# The broker lets anybody in. Only the user `alice` needs her password, and an access list closes the topic `secret`.

mqtt_dissector=mqtt

record_mqtt() {
    require "$1" mosquitto mosquitto_pub mosquitto_sub mosquitto_passwd
    choose_port 1883
    : >"$stage/passwords"
    mosquitto_passwd -b "$stage/passwords" alice 'correct horse' 2>"$stage/passwd.log"
    printf 'topic readwrite #\ntopic deny secret\nuser alice\ntopic readwrite #\ntopic deny secret\n' >"$stage/access"
    cat >"$stage/mosquitto.conf" <<CONF
listener $port 127.0.0.1
allow_anonymous true
password_file $stage/passwords
acl_file $stage/access
user root
log_type error
CONF
    chmod 600 "$stage/passwords" "$stage/access"
    serve mosquitto -c "$stage/mosquitto.conf"
    recorded_with "mosquitto, mosquitto_pub and mosquitto_sub $(mosquitto -h | sed -nE '1s/.*version //p')"

    local theme
    for theme in quality_of_service version5 refused pipelined; do
        "mqtt_$theme"
    done
}

# publish and subscribe [OPTION...]: one client each. `subscribe` runs in the background, and sets subscriber_pid.
publish() {
    client mosquitto_pub -p "$port" "$@"
}

subscribe() {
    timeout 10 mosquitto_sub -p "$port" "$@" >>"$stage/clients.log" 2>&1 &
    subscriber_pid=$!
    running+=("$subscriber_pid")
    sleep 0.5
}

mqtt_quality_of_service() {
    begin quality-of-service.pcap
    subscribe -V mqttv311 -i reader -q 2 -t 'plant/+/level' -t 'note' -C 5
    publish -V mqttv311 -i one -q 0 -t plant/7/level -m 12.5
    publish -V mqttv311 -i two -q 1 -t plant/7/level -m 13.5
    publish -V mqttv311 -i three -q 2 -t plant/8/level -m 14.5
    printf 'first\nsecond \xe2\x9c\x93\n' | publish -V mqttv311 -i lines -q 1 -t note -l
    wait_for "$subscriber_pid"
    publish -V mqttv311 -i keeper -r -q 1 -t kept -m 'still here'
    publish -V mqttv311 -i empty -n -t nothing
    subscribe -V mqttv311 -i late -q 0 -t kept -C 1
    wait_for "$subscriber_pid"
    end 8 'mosquitto_pub and mosquitto_sub, MQTT 3.1.1: PUBLISH at QoS 0, 1 and 2 to one subscriber, lines as messages, a retained message, an empty one' \
        'mqtt.msgtype == 5' 'mqtt.msgtype == 7' 'mqtt.retain == 1' 'mqtt.ver == 4'
}

mqtt_version5() {
    begin version5.pcap
    subscribe -V mqttv5 -i reader -q 1 -t 'shelf/#' -C 2 -x 60 -c -D subscribe user-property why 'to read'
    publish -V mqttv5 -i writer -q 1 -t shelf/1 -m '{"books": 3}' -D publish content-type application/json \
        -D publish user-property unit books -D publish message-expiry-interval 60 -D publish response-topic shelf/answer \
        -D publish correlation-data 42
    publish -V mqttv5 -i alias -q 2 -t shelf/2 -m two -D publish topic-alias 1 -D connect receive-maximum 5
    wait_for "$subscriber_pid"
    publish -V mqttv5 -i nobody -q 1 -t nobody/listens -m x
    subscribe -V mqttv5 -i leaver -t shelf/1 -U shelf/1 -E -W 2
    wait_for "$subscriber_pid"
    end 5 'the same in MQTT 5: properties on CONNECT, SUBSCRIBE and PUBLISH, a topic alias, reason code 0x10 (no matching subscribers), UNSUBSCRIBE' \
        'mqtt.ver == 5' 'mqtt.property_id == 38' 'mqtt.msgtype == 10' 'mqtt.puback.reason_code == 16'
}

mqtt_refused() {
    begin refused.pcap
    publish -V mqttv311 -i a -u alice -P 'wrong horse' -t t -m m
    publish -V mqttv5 -i b -u alice -P 'wrong horse' -t t -m m
    publish -V mqttv311 -i c -u alice -P 'correct horse' -q 1 -t t -m 'let in'
    publish -V mqttv5 -i d -q 1 -t secret -m m
    subscribe -V mqttv5 -i e -q 1 -t secret -E
    wait_for "$subscriber_pid"
    # A protocol level of 9; a first packet that is no CONNECT; a client that goes away and leaves a will.
    dialogue '\x10\x0d\x00\x04MQTT\x09\x02\x00\x3c\x00\x01v' EOF
    dialogue '\xc0\x00' EOF
    subscribe -V mqttv311 -i heir -t will/of/f -C 1
    dialogue '\x10\x1f\x00\x04MQTT\x04\x06\x00\x3c\x00\x01f\x00\x09will/of/f\x00\x05adieu' '\x20\x02\x00\x00'
    wait_for "$subscriber_pid"
    end 9 'the same clients: a wrong password in 3.1.1 and in 5, a right one, a topic that the access list denies; plain socket: an unknown protocol level, PINGREQ before CONNECT, a will that is published' \
        'mqtt.conack.val == 5' 'mqtt.connack.reason_code == 135' 'mqtt.willmsg' 'mqtt.passwd'
}

mqtt_pipelined() {
    begin pipelined.pcap
    # CONNECT, SUBSCRIBE, three PUBLISH, PINGREQ and DISCONNECT in one write.
    dialogue '\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01p\x82\x06\x00\x01\x00\x01a\x01\x30\x06\x00\x01abye\x32\x08\x00\x01a\x00\x07two\x34\x06\x00\x01a\x00\x08\x00\xc0\x00' \
        '\xd0\x00' '\x62\x02\x00\x08' '\x70\x02\x00\x08' '\xe0\x00' EOF
    # A remaining length of two bytes, and a packet cut inside the length of its topic. (tshark 4.0 calls a packet malformed
    # that is cut inside its remaining length.)
    dialogue '\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01q' '\x20\x02' \
        '\x30\x83\x01\x00' '' "\\x01a$(printf 'x%.0s' {1..128})\\xc0\\x00" '\xd0\x00' '\xe0\x00' EOF
    end 2 'plain socket: CONNECT, SUBSCRIBE, PUBLISH at three levels and PINGREQ in one write; a PUBLISH whose remaining length has two bytes and arrives cut inside the length of its topic' \
        'mqtt.msgtype == 12' 'mqtt.len == 131'
}
