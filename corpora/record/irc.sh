# shellcheck shell=bash
# `stage` and `port` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# IRC: ngIRCd with plain sockets as clients.

irc_dissector=irc
# The greeting alone takes 700 bytes.
irc_payload_bytes_max=2500

record_irc() {
    require "$1" ngircd
    choose_port 6667
    cat >"$stage/ngircd.conf" <<CONF
[Global]
Name = irc.example.net
Info = test
Listen = 127.0.0.1
Ports = $port
ServerUID = nobody
ServerGID = nogroup
MotdPhrase = hello
[Options]
DNS = no
Ident = no
PAM = no
CloakHost = host
[Operator]
Name = boss
Password = correct horse
CONF
    serve ngircd -n -f "$stage/ngircd.conf"
    recorded_with "ngIRCd $(ngircd --version | sed -nE '1s/^ngIRCd ([0-9.]+).*/\1/p')"
    irc_channel
    irc_errors
}

irc_channel() {
    begin channel.pcap
    client python3 - "$port" <<'PY'
import socket, sys
class Client:
    def __init__(self, nick):
        self.socket = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
        self.lines = self.socket.makefile("rb")
        self.send(f"CAP LS 302\r\nNICK {nick}\r\nUSER {nick} 0 * :Real {nick}\r\nCAP END\r\n")
        self.until(" 376 ")
    def send(self, text):
        self.socket.sendall(text.encode())
    def until(self, part):
        while part.encode() not in self.lines.readline():
            pass
ann, bob = Client("ann"), Client("bob")
ann.send("JOIN #shop\r\n"); ann.until(" 366 ")
bob.send("JOIN #shop\r\nPRIVMSG #shop :caf\u00e9 : and more\r\nTOPIC #shop :books\r\n"); bob.until(" 366 ")
ann.until("PRIVMSG #shop")
ann.send("NOTICE bob :\x01VERSION\x01\r\nMODE #shop +m\r\nPING :token\r\nWHOIS bob\r\n"); ann.until(" 318 ")
bob.until("NOTICE bob")
bob.send("PART #sh"); bob.send("op :bye\r"); bob.send("\nQUIT :gone\r\n"); bob.until("ERROR")
ann.send("QUIT\r\n"); ann.until("ERROR")
PY
    end 2 'plain sockets: two users greet, join, talk in UTF-8, set a topic and a mode, ask WHOIS, leave; several commands in one write, one cut' 'irc.request.command == "JOIN"' 'irc.response.num_command == 376' 'tcp.payload contains ":token"'
}

irc_errors() {
    begin errors.pcap
    dialogue 'JOIN #x\r\n' ' 451 ' 'NICK 0bad\r\n' ' 432 ' 'NICK eve\r\nUSER e 0 * :E\r\n' ' 376 ' 'WHAT\r\n' ' 421 ' 'PRIVMSG nobody :x\r\n' ' 401 ' 'MODE\r\n' ' 461 ' 'OPER boss wrong\r\n' ' 464 |ERROR'
    dialogue "NICK eve\\nUSER e 0 * :E\\n$(printf 'x%.0s' {1..600})\\r\\n" ' 376 |ERROR'
    cut_off 'NICK ev'
    # ngIRCd delays a client that made errors.
    sleep 12
    end 3 'plain socket: not registered, a bad nickname, an unknown command, no such nick, no parameters, a wrong password; a line that is too long; **cut off on purpose**' 'irc.response.num_command == 451' 'irc.response.num_command == 421'
}
