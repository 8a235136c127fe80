# shellcheck shell=bash
# `stage`, `port` and `python` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# SMTP: exim and aiosmtpd, with curl, Python's smtplib and a plain socket.
#
# Exim accepts mail for one domain and drops it. It announces SIZE, 8BITMIME, PIPELINING, CHUNKING (BDAT), AUTH and STARTTLS.

smtp_dissector=smtp
# For the TLS handshake behind STARTTLS.
smtp_payload_bytes_max=3000

record_smtp() {
    require "$1" exim4 curl
    choose_port 25
    certificate
    smtp_configuration >"$stage/exim.conf"
    mkdir "$stage/spool"
    chown Debian-exim "$stage/spool" "$stage/key.pem"
    serve exim4 -C "$stage/exim.conf" -bdf -oX "127.0.0.1.$port"
    recorded_with "exim $(exim4 -bV | sed -nE '1s/^Exim version ([^ ]+).*/\1/p'), aiosmtpd 1.4.6, curl $(curl --version | sed -nE '1s/^curl ([^ ]+).*/\1/p'), Python $(python3 --version | sed 's/Python //')"

    local theme
    for theme in delivery authentication pipelined chunking starttls errors aiosmtpd; do
        "smtp_$theme"
    done
}

smtp_configuration() {
    cat <<CONF
primary_hostname = mail.example
daemon_smtp_ports = $port
spool_directory = $stage/spool
log_file_path = $stage/spool/%slog
host_lookup =
rfc1413_hosts =
queue_only = true
smtp_banner = mail.example ESMTP
tls_advertise_hosts = *
tls_certificate = $stage/cert.pem
tls_privatekey = $stage/key.pem
chunking_advertise_hosts = *
message_size_limit = 5000
smtp_accept_max_per_host = 20
acl_smtp_mail = accept
acl_smtp_rcpt = to
acl_smtp_vrfy = accept
begin acl
to:
  deny local_parts = later
       message = no such user here
  defer local_parts = busy
       message = mailbox is busy
  accept domains = mail.example
  accept authenticated = *
  deny message = relay not permitted
begin routers
all:
  driver = redirect
  data = :blackhole:
begin transports
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and {{eq{\$auth2}{alice}}{eq{\$auth3}{correct horse}}}}
  server_set_id = \$auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = \${if and {{eq{\$auth1}{alice}}{eq{\$auth2}{correct horse}}}}
  server_set_id = \$auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = correct horse
  server_set_id = \$auth1
CONF
}

# mail [OPTION...]: sends a message from standard input with curl.
mail() {
    client curl -sS -A c --url "smtp://127.0.0.1:$port/me.example" --mail-from a@x.example -T - "$@"
}

smtp_delivery() {
    begin delivery.pcap
    printf 'Subject: one\r\n\r\nHello.\r\n' | mail --mail-rcpt b@mail.example
    printf 'Subject: dots\r\n\r\n.\r\n..\r\n.hidden\r\nthe end.\r\n' | mail --mail-rcpt b@mail.example --mail-rcpt c@mail.example
    client curl -sS "smtp://127.0.0.1:$port/me.example" --mail-rcpt b -X VRFY
    client curl -sS "smtp://127.0.0.1:$port/me.example" -X HELP
    client python3 - "$port" <<'PY'
import smtplib, sys
with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), "me.example") as s:
    s.helo("me.example")
    s.sendmail("", ["b@mail.example"], "Subject: bounce\r\n\r\nOld HELO, null sender.\r\n")
    s.rset()
    s.noop()
    s.sendmail("d@x.example", ["e@mail.example"], "Subject: second\r\n\r\nSame connection.\r\n")
PY
    end 5 'curl and smtplib to exim: a message, one whose lines begin with dots to two recipients, VRFY, HELP; HELO, the null sender, RSET, NOOP, two messages on a connection' \
        'smtp.req.command == "EHLO"' 'smtp.req.command == "helo"' 'smtp.req.command == "VRFY"' 'smtp.response.code == 354' 'tcp.payload contains "\r\n..hidden"'
}

smtp_authentication() {
    begin authentication.pcap
    for mechanism in PLAIN LOGIN CRAM-MD5; do
        printf 'Subject: %s\r\n\r\nx\r\n' "$mechanism" |
            mail --mail-rcpt far@y.example -u 'alice:correct horse' --login-options "AUTH=$mechanism"
    done
    printf 'Subject: no\r\n\r\nx\r\n' | mail --mail-rcpt far@y.example -u 'alice:wrong horse' --login-options AUTH=PLAIN
    dialogue '' '220 ' 'EHLO me\r\n' '250 HELP' 'AUTH PLAIN\r\n' '334' '*\r\n' '501' \
        'AUTH PLAIN AGFsaWNlAGNvcnJlY3QgaG9yc2U=\r\n' '235' 'AUTH PLAIN\r\n' '503' 'QUIT\r\n' EOF
    end 5 'curl to exim: AUTH PLAIN, LOGIN and CRAM-MD5 granted, PLAIN refused; plain socket: an exchange that the client cancels, an initial response, AUTH twice' \
        'smtp.response.code == 235' 'smtp.response.code == 535' 'smtp.response.code == 334'
}

smtp_pipelined() {
    begin pipelined.pcap
    dialogue '' '220 ' 'EHLO me\r\n' '250 HELP' \
        'MAIL FROM:<a@x.example>\r\nRCPT TO:<b@mail.example>\r\nRCPT TO:<later@mail.example>\r\nRCPT TO:<busy@mail.example>\r\nDATA\r\n' '354 ' \
        'Subject: p\r\n\r\nQUIT\r\n.\r\nRSET\r\nNOOP\r\nQUIT\r\n' EOF
    dialogue '' '220 ' 'EHLO me\r\n' '250 HELP' \
        'MAIL FROM:<a@x.example>\r\nRCPT TO:<later@mail.example>\r\nDATA\r\n' '503|554' 'QUIT\r\n' EOF
    dialogue '' '220 ' 'EHLO me\r\n' '250 HELP' 'MAIL FROM:<a@x.example>\r\nRCPT TO:<b@mail.example>\r\nDATA\r\n' '354 ' \
        'cut\r\n.\r' '' '\nQUIT\r\n' EOF
    end 3 'plain socket to exim: MAIL, three RCPT (one refused, one deferred) and DATA in one write, the end of the message and three commands in another; DATA refused; an end cut at its CR' \
        'smtp.response.code == 451' 'smtp.response.code == 550' 'tcp.payload contains "DATA\r\n"'
}

smtp_chunking() {
    begin chunking.pcap
    dialogue '' '220 ' 'EHLO me\r\n' '250 HELP' 'MAIL FROM:<a@x.example> SIZE=40\r\nRCPT TO:<b@mail.example>\r\n' '250 [^\n]*\n250 ' \
        'BDAT 14\r\nSubject: b\r\n\r\n' '250' 'BDAT 11\r\nQUIT\r\n.\r\n\r\n' '250' 'BDAT 0 LAST\r\n' '250' 'QUIT\r\n' EOF
    dialogue '' '220 ' 'EHLO me\r\n' '250 HELP' \
        'MAIL FROM:<a@x.example>\r\nRCPT TO:<b@mail.example>\r\nBDAT 18 LAST\r\nSubject: b\r\n\r\n\x00\xff\r\nRSET\r\nQUIT\r\n' EOF
    dialogue '' '220 ' 'EHLO me\r\n' '250 HELP' 'BDAT 6 LAST\r\nlost\r\n' '503' 'QUIT\r\n' EOF
    end 3 'plain socket to exim: BDAT in three chunks, one of which looks like commands; a whole message pipelined, binary; BDAT without a transaction, whose bytes still follow' \
        'tcp.payload contains "BDAT 0 LAST"' 'tcp.payload contains "BDAT 18 LAST"'
}

smtp_starttls() {
    begin starttls.pcap
    printf 'Subject: s\r\n\r\nx\r\n' | mail --mail-rcpt b@mail.example --ssl-reqd -k --tls-max 1.2 --ciphers ECDHE-ECDSA-AES128-GCM-SHA256
    printf 'Subject: s\r\n\r\nx\r\n' | mail --mail-rcpt b@mail.example --ssl-reqd -k
    printf 'Subject: s\r\n\r\nx\r\n' | mail --mail-rcpt b@mail.example --ssl-reqd
    # A command in the segment of STARTTLS: exim drops it.
    dialogue '' '220 ' 'EHLO me\r\n' '250 HELP' 'STARTTLS\r\nRSET\r\n' '220 '
    end 4 'curl to exim: STARTTLS to TLS 1.2 and to TLS 1.3, and one that ends since the certificate is not trusted; plain socket: a command behind STARTTLS in one segment' \
        'tcp.payload contains "STARTTLS\r\n"' 'tls.handshake.type == 1' 'tcp.payload contains "STARTTLS\r\nRSET"'
}

smtp_errors() {
    begin errors.pcap
    printf 'Subject: e\r\n\r\nx\r\n' | mail --mail-rcpt far@y.example
    printf 'Subject: e\r\n\r\nx\r\n' | mail --mail-rcpt later@mail.example
    printf 'Subject: big\r\n\r\n%s\r\n' x | mail --mail-rcpt b@mail.example -H 'x: y' --mail-from 'a@x.example> SIZE=99999 BODY=8BITMIME <'
    dialogue '' '220 ' 'WHAT is this\r\n' '500' 'RCPT TO:<b@mail.example>\r\n' '503' 'DATA\r\n' '503' 'EHLO me\r\n' '250 HELP' 'MAIL FROM:<a@x.example> SIZE=99999\r\n' '552' 'MAIL TO:\r\n' '501' 'QUIT\r\n' EOF
    cut_off 'EHLO me\r\nMAI'
    end 5 'curl to exim: relaying refused, no such user, a bad sender; plain socket: an unknown command, commands out of order, a SIZE over the limit, a syntax error; **cut off on purpose**' \
        'smtp.response.code == 550' 'smtp.response.code == 500' 'smtp.response.code == 503' 'smtp.response.code == 552'
}

smtp_aiosmtpd() {
    local exim_port=$port exim=$server_pid
    choose_port 2525
    venv aiosmtpd==1.4.6
    serve "$python" -m aiosmtpd -n -l "127.0.0.1:$port" -c aiosmtpd.handlers.Sink
    begin aiosmtpd.pcap
    printf 'Subject: one\r\n\r\nHello.\r\n' | mail --mail-rcpt b@mail.example
    dialogue '' '220 ' 'EHLO me\nMAIL FROM:<a@x.example> BODY=8BITMIME\r\nRCPT TO:<"b b"@mail.example>\r\nDATA\r\n' '354 ' \
        'bare LF\n.\nstill\r\n.\r\nQUIT\r\n' EOF
    dialogue '' '220 ' 'HELO\r\n' '501' 'STARTTLS\r\n' '\n' 'AUTH PLAIN =\r\n' '\n' 'EXPN x\r\n' '502' 'QUIT\r\n' EOF
    end 3 'curl and a plain socket to aiosmtpd: a message; commands that end with LF or CRLF, a quoted mailbox, a dot between LFs that does not end the message; errors' \
        'smtp.response.code == 502' 'tcp.payload contains "bare LF"'
    stop "$server_pid"
    server_pid=$exim port=$exim_port
}
