# shellcheck shell=bash
# `stage`, `port` and `server_pid` are set in stage.sh, `dovecot_start` in pop3.sh.
# shellcheck disable=SC2034,SC2154
#
# IMAP: dovecot, with curl, Python's imaplib and a plain socket.

imap_dissector=imap
# For the TLS handshake behind STARTTLS, and since dovecot lists its capabilities three times.
imap_payload_bytes_max=3500

record_imap() {
    require "$1" dovecot curl
    choose_port 143
    dovecot_start imap
    recorded_with "dovecot $(dovecot --version | sed 's/ .*//'), curl $(curl --version | sed -nE '1s/^curl ([^ ]+).*/\1/p'), Python $(python3 --version | sed 's/Python //')"

    local theme
    for theme in reading literals idle errors starttls; do
        "imap_$theme"
    done
    stop "$server_pid"
}

imap_reading() {
    local at=imap://127.0.0.1:$port
    begin reading.pcap
    client curl -sS -u 'alice:correct horse' "$at/INBOX;MAILINDEX=1"
    client curl -sS -u 'alice:correct horse' "$at/INBOX?SUBJECT%20dots"
    client curl -sS -u 'alice:correct horse' "$at" -X 'STATUS INBOX (MESSAGES UNSEEN)'
    client python3 - "$port" <<'PY'
import imaplib, sys
m = imaplib.IMAP4("127.0.0.1", int(sys.argv[1]))
m.login("alice", "correct horse")
m.select()
m.fetch("1:3", "(FLAGS RFC822.SIZE ENVELOPE)")
m.store("2", "+FLAGS", r"(\Flagged)")
m.uid("SEARCH", None, "FLAGGED")
m.noop()
m.close()
m.logout()
PY
    end 4 'curl and imaplib: a message as a literal, SEARCH, STATUS; FETCH of several with ENVELOPE, STORE, UID SEARCH, CLOSE' \
        'imap.request.command == "FETCH"' 'imap.request.command == "STORE"' 'tcp.payload contains "* SEARCH"'
}

imap_literals() {
    begin literals.pcap
    printf 'Subject: up\r\n\r\n* OK not a reply\r\n' >"$stage/up.mail"
    client curl -sS -u 'alice:correct horse' "imap://127.0.0.1:$port/INBOX" -T "$stage/up.mail"
    dialogue '' '^\* OK' 'a LOGIN {5}\r\n' '^\+' 'alice {13}\r\n' '^\+' 'correct horse\r\n' '^a OK' \
        'b APPEND INBOX {29+}\r\nSubject: x\r\n\r\n* 1 EXISTS\r\nb\r\n\r\nc NOOP\r\nd LOGOUT\r\n' EOF
    dialogue '' '^\* OK' 'a LOGIN {5+}\r\nalice {13+}\r\ncorrect horse\r\nb EXAMINE INBOX\r\nc FETCH 3 BODY[]\r\nd FETCH 2 (BODY[HEADER] BODY[TEXT])\r\ne LOGOUT\r\n' EOF
    dialogue '' '^\* OK' 'a LOGIN alice "correct horse"\r\n' '^a OK' 'b SELECT INBOX\r\n' '^b OK' 'c FETCH 3 BODY.PEEK[]<0.9>\r\n' '^c OK' \
        'd SEARCH CHARSET UTF-8 BODY {5}\r\n' '^\+' 'caf\xc3\xa9\r\n' '^d OK' 'e FETCH 1 BINARY[1]\r\n' '^e OK' 'f LOGOUT\r\n' EOF
    end 4 'curl: APPEND; plain socket: synchronising and non-synchronising literals, whose lines look like replies, in one write with other commands; BODY, parts of it, BINARY' \
        'imap.request.command == "APPEND"' 'tcp.payload contains "{29+}"' 'tcp.payload contains "{13}"'
}

imap_idle() {
    begin idle.pcap
    timeout 20 python3 - "$port" >>"$stage/clients.log" 2>&1 <<'PY' &
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 15)
f = s.makefile("rwb", 0)
def until(start):
    while not f.readline().startswith(start):
        pass
until(b"* OK")
f.write(b"a LOGIN alice \"correct horse\"\r\n"); until(b"a OK")
f.write(b"b SELECT INBOX\r\n"); until(b"b OK")
f.write(b"c IDLE\r\n"); until(b"+ ")
print("idling", flush=True)
while b"EXISTS" not in f.readline():
    pass
f.write(b"DONE\r\n"); until(b"c OK")
f.write(b"d LOGOUT\r\n"); until(b"d OK")
PY
    local idler=$!
    running+=("$idler")
    until_true 'the client to idle' grep -q idling "$stage/clients.log"
    client curl -sS -u 'alice:correct horse' "imap://127.0.0.1:$port/INBOX" -T "$stage/up.mail"
    wait_for "$idler"
    end 2 'plain socket: IDLE, EXISTS and RECENT pushed when another client appends, DONE' 'imap.request.command == "IDLE"' 'tcp.payload contains "DONE"'
}

imap_errors() {
    begin errors.pcap
    client curl -sS -u 'alice:wrong horse' --login-options 'AUTH=PLAIN' "imap://127.0.0.1:$port"
    dialogue '' '^\* OK' 'a SELECT INBOX\r\n' '^a ' 'b AUTHENTICATE PLAIN\r\n' '^\+' '*\r\n' '^b ' 'c LOGIN alice "correct horse"\r\n' '^c OK' \
        'd SELECT Nowhere\r\n' '^d NO' 'e WHAT\r\n' '^e BAD' 'f FETCH x y\r\n' '^f BAD' 'nonsense\r\n' 'BAD' 'g LOGOUT\r\n' EOF
    cut_off 'a LOGIN {5}\r\nal'
    end 3 'curl: a wrong password; plain socket: a command too early, AUTHENTICATE cancelled, NO and BAD; **cut off on purpose**' \
        'tcp.payload contains "d NO"' 'tcp.payload contains "e BAD"'
}

imap_starttls() {
    begin starttls.pcap
    client curl -sS --ssl-reqd -k -u 'alice:correct horse' "imap://127.0.0.1:$port" -X NOOP
    dialogue '' '^\* OK' 'a STARTTLS\r\nb NOOP\r\n' '^a OK' '' ''
    end 2 'curl: STARTTLS and then TLS; plain socket: a command behind STARTTLS in one segment' 'imap.request.command == "STARTTLS"' 'tls.handshake.type == 1'
}
