# shellcheck shell=bash
# `stage`, `port` and `server_pid` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# POP3: dovecot, with curl, Python's poplib and a plain socket. The functions that start dovecot serve IMAP too.

pop3_dissector=pop
# For the TLS handshake behind STLS.
pop3_payload_bytes_max=3000

record_pop3() {
    require "$1" dovecot curl
    choose_port 110
    dovecot_start pop3
    recorded_with "dovecot $(dovecot --version | sed 's/ .*//'), curl $(curl --version | sed -nE '1s/^curl ([^ ]+).*/\1/p'), Python $(python3 --version | sed 's/Python //')"

    local theme
    for theme in retrieval pipelined errors stls; do
        "pop3_$theme"
    done
    stop "$server_pid"
}

# dovecot_start PROTOCOL: starts dovecot with a user `alice`, whose mailbox holds three messages.
dovecot_start() {
    local base=$stage/dovecot-$1
    certificate
    mkdir -p "$base/mail/new" "$base/mail/cur" "$base/mail/tmp"
    printf 'Subject: one\r\nFrom: a@x.example\r\n\r\nHello.\r\n' >"$base/mail/new/1700000001.M1P1.mail"
    printf 'Subject: dots\r\n\r\n.\r\n..\r\n.hidden\r\nthe end.\r\n' >"$base/mail/new/1700000002.M2P1.mail"
    printf 'Subject: =?utf-8?q?caf=C3=A9?=\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n* caf\xc3\xa9\r\n+ more\r\n' >"$base/mail/new/1700000003.M3P1.mail"
    chown -R nobody "$base/mail"
    printf 'alice:{PLAIN}correct horse:65534:65534::/nonexistent::\n' >"$base/users"
    cat >"$base/dovecot.conf" <<CONF
base_dir = $base/run
state_dir = $base/state
log_path = $base/log
protocols = $1
listen = 127.0.0.1
ssl = yes
ssl_cert = <$stage/cert.pem
ssl_key = <$stage/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
login_greeting = ready
mail_location = maildir:$base/mail
mail_log_prefix = "mail: "
first_valid_gid = 0
service pop3-login {
  inet_listener pop3 {
    port = $port
  }
  inet_listener pop3s {
    port = 0
  }
}
service imap-login {
  inet_listener imap {
    port = $port
  }
  inet_listener imaps {
    port = 0
  }
}
passdb {
  driver = passwd-file
  args = $base/users
}
userdb {
  driver = passwd-file
  args = $base/users
}
CONF
    serve dovecot -F -c "$base/dovecot.conf"
}

pop3_retrieval() {
    local at=pop3://127.0.0.1:$port
    begin retrieval.pcap
    client curl -sS -u 'alice:correct horse' "$at"
    client curl -sS -u 'alice:correct horse' "$at/2"
    client python3 - "$port" <<'PY'
import poplib, sys
p = poplib.POP3("127.0.0.1", int(sys.argv[1]))
p.capa()
p.user("alice")
p.pass_("correct horse")
p.stat()
p.list()
p.list(2)
p.uidl()
p.top(3, 1)
p.retr(3)
p.dele(1)
p.rset()
p.noop()
p.quit()
PY
    end 3 'curl and poplib: LIST, RETR of lines that begin with dots; CAPA, USER and PASS, STAT, LIST, UIDL, TOP, RETR, DELE, RSET, NOOP' \
        'pop.request.command == "TOP"' 'pop.request.command == "UIDL"' 'tcp.payload contains "\r\n..hidden"'
}

pop3_pipelined() {
    begin pipelined.pcap
    dialogue '' '^\+OK' 'USER alice\r\nPASS correct horse\r\n' 'Logged' \
        'STAT\r\nLIST\r\nRETR 1\r\nRETR 9\r\nTOP 2 0\r\nDELE 2\r\nDELE 2\r\nRSET\r\nQUIT\r\n' EOF
    dialogue '' '^\+OK' 'AUTH PLAIN AGFsaWNlAGNvcnJlY3QgaG9yc2U=\r\n' 'Logged' 'LI' '' 'ST 3\r' '' '\nQUIT\r\n' EOF
    end 2 'plain socket: a session in two writes, whose replies of one line, of many lines and errors follow each other; AUTH with an initial response, a command cut in three' \
        'tcp.payload contains "STAT\r\nLIST"' 'tcp.payload contains "-ERR"'
}

pop3_errors() {
    begin errors.pcap
    client curl -sS -u 'alice:wrong horse' "pop3://127.0.0.1:$port"
    dialogue '' '^\+OK' 'STAT\r\n' 'ERR' 'USER alice\r\n' 'OK' 'PASS correct horse\r\n' 'OK' \
        'RETR 9\r\n' 'ERR' 'LIST x\r\n' 'ERR' 'WHAT\r\n' 'ERR' 'AUTH\r\n' 'ERR' 'QUIT\r\n' EOF
    dialogue '' '^\+OK' 'AUTH LOGIN\r\n' '\+ ' 'YWxpY2U=\r\n' '\+ ' '*\r\n' 'ERR' 'QUIT\r\n' EOF
    cut_off 'USER ali'
    end 4 'curl: a wrong password; plain socket: a command too early, no such message, an unknown command, AUTH cancelled; **cut off on purpose**' \
        'pop.response.indicator == "-ERR"' 'tcp.payload contains "WHAT"'
}

pop3_stls() {
    begin stls.pcap
    client curl -sS --ssl-reqd -k -u 'alice:correct horse' "pop3://127.0.0.1:$port"
    dialogue '' '^\+OK' 'STLS\r\nQUIT\r\n' EOF
    end 2 'curl: STLS and then TLS; plain socket: a command behind STLS in one segment' 'pop.request.command == "STLS"' 'tls.handshake.type == 1'
}
