# shellcheck shell=bash
# `stage`, `port` and `python` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# FTP, the control connection only: pyftpdlib, with curl, Python's ftplib and a plain socket.

ftp_dissector=ftp
# For the TLS handshake behind AUTH TLS.
ftp_payload_bytes_max=3000

record_ftp() {
    require "$1" curl
    choose_port 21
    certificate
    venv pyftpdlib==2.2.0 pyopenssl
    mkdir -p "$stage/ftp/box"
    printf 'hello\n' >"$stage/ftp/hello.txt"
    cat >"$stage/ftpd.py" <<'PY'
import sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.servers import FTPServer
authorizer = DummyAuthorizer()
authorizer.add_user("alice", "correct horse", sys.argv[2] + "/ftp", perm="elradfmwMT")
authorizer.add_anonymous(sys.argv[2] + "/ftp")
class Handler(TLS_FTPHandler):
    certfile, keyfile = sys.argv[2] + "/cert.pem", sys.argv[2] + "/key.pem"
    banner = "Welcome to this server, whose greeting is so long that it takes more than one line."
    auth_failed_timeout = 0
Handler.authorizer = authorizer
FTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
PY
    serve "$python" "$stage/ftpd.py" "$port" "$stage"
    recorded_with "pyftpdlib 2.2.0, curl $(curl --version | sed -nE '1s/^curl ([^ ]+).*/\1/p'), Python $(python3 --version | sed 's/Python //')"

    local theme
    for theme in transfers pipelined errors auth_tls; do
        "ftp_$theme"
    done
}

ftp_transfers() {
    local at=ftp://127.0.0.1:$port
    begin transfers.pcap
    client curl -sS "$at/hello.txt"
    client curl -sS --disable-epsv -l -u 'alice:correct horse' "$at/"
    client curl -sS -u 'alice:correct horse' -T "$stage/ftp/hello.txt" -Q '-RNFR up.txt' -Q '-RNTO box/up.txt' -Q '-DELE box/up.txt' "$at/up.txt"
    client curl -sS -P 127.0.0.1 -C 2 "$at/hello.txt"
    client python3 - "$port" <<'PY'
import ftplib, sys
f = ftplib.FTP()
f.connect("127.0.0.1", int(sys.argv[1]))
f.login("alice", "correct horse")
f.sendcmd("FEAT")
f.mkd('a "quoted" name')
f.rmd('a "quoted" name')
f.voidcmd("TYPE I")
f.size("hello.txt")
f.sendcmd("MDTM hello.txt")
f.sendcmd("STAT")
list(f.mlsd("box"))
f.quit()
PY
    end 5 'curl and ftplib: anonymous RETR with EPSV, NLST with PASV, STOR and RNFR, RNTO, DELE, RETR with EPRT and REST; FEAT, quotes in a path, SIZE, STAT (replies of many lines), MLSD' \
        'ftp.response.code == 227' 'ftp.response.code == 229' 'ftp.request.command == "EPRT"' 'ftp.response.code == 350'
}

ftp_pipelined() {
    begin pipelined.pcap
    dialogue '' '^220 ' 'USER alice\r\nPASS correct horse\r\nPWD\r\nHELP\r\nNOOP\r\nQUIT\r\n' EOF
    dialogue '' '^220 ' 'USER alice\r\nPA' '331' 'SS correct horse\r' '' '\nSYST\nTYPE I\r\nQUIT\r\n' EOF
    end 2 'plain socket: a session in one write, HELP among it with a reply of many lines; commands cut and with a bare LF' 'tcp.payload contains "PWD\r\nHELP"'
}

ftp_errors() {
    begin errors.pcap
    client curl -sS -u 'alice:wrong horse' "ftp://127.0.0.1:$port/"
    client curl -sS "ftp://127.0.0.1:$port/missing.txt"
    client curl -sS -T "$stage/ftp/hello.txt" "ftp://127.0.0.1:$port/denied.txt"
    dialogue '' '^220 ' 'LIST\r\n' '530' 'WHAT\r\n' '500' 'USER\r\n' '501' 'PASS x\r\n' '503' 'USER anonymous\r\n' '331' 'PASS\r\n' '230' \
        'TYPE X\r\n' '504' 'RNTO x\r\n' '550' 'CWD nowhere\r\n' '550' 'PORT 1,2\r\n' '501' 'ABOR\r\n' '225' 'QUIT\r\n' EOF
    cut_off 'USER ali'
    end 5 'curl: a wrong password, no such file, an upload denied; plain socket: an unknown command, arguments missing, commands out of order; **cut off on purpose**' \
        'ftp.response.code == 530' 'ftp.response.code == 550' 'ftp.response.code == 503'
}

ftp_auth_tls() {
    begin auth-tls.pcap
    client curl -sS --ssl-reqd -k -u 'alice:correct horse' "ftp://127.0.0.1:$port/" -Q 'NOOP' -I
    client "$python" - "$port" <<'PY'
import ftplib, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
f = ftplib.FTP_TLS(context=context)
f.connect("127.0.0.1", int(sys.argv[1]))
f.login("alice", "correct horse")
f.quit()
PY
    end 2 'curl: AUTH SSL and then TLS; ftplib: AUTH TLS' 'ftp.request.command == "AUTH"' 'tls.handshake.type == 1'
}
