# shellcheck shell=bash
# `stage` and `port` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# SMB over TCP: smbd of Samba, with smbclient and a plain socket.

smb_dissector=nbss
smb_payload_bytes_max=8192

record_smb() {
    require "$1" smbd smbclient
    choose_port 445
    mkdir -p "$stage/smb/share" "$stage/smb/state"
    chmod 777 "$stage/smb/share"
    printf 'hello\n' >"$stage/smb/share/hello.txt"
    cat >"$stage/smb.conf" <<CONF
[global]
netbios name = SHOP
server role = standalone server
map to guest = Bad User
guest account = nobody
bind interfaces only = yes
interfaces = 127.0.0.1
load printers = no
printing = bsd
printcap name = /dev/null
disable spoolss = yes
usershare max shares = 0
server min protocol = SMB2
lock directory = $stage/smb/state
state directory = $stage/smb/state
cache directory = $stage/smb/state
pid directory = $stage/smb/state
private dir = $stage/smb/state
ncalrpc dir = $stage/smb/state/ncalrpc
log file = $stage/smbd.log
[box]
path = $stage/smb/share
guest ok = yes
read only = no
CONF
    serve "$(command -v smbd)" --foreground -s "$stage/smb.conf" -p "$port"
    recorded_with "Samba $(smbd --version | sed -E 's/^Version ([0-9.]+).*/\1/')"
    begin files.pcap
    client smbclient -s "$stage/smb.conf" -p "$port" -m SMB2 -N //127.0.0.1/box -c "get hello.txt $stage/got"
    client smbclient -s "$stage/smb.conf" -p "$port" -m SMB3 -N //127.0.0.1/box -c 'get missing.txt'
    client smbclient -s "$stage/smb.conf" -p "$port" -m SMB2 -N //127.0.0.1/nowhere -c ls
    dialogue '\x00\x00\x00\x04abcd' EOF
    end 4 'smbclient: a file as a guest with SMB 2, a file that is not there with SMB 3, a share that is not there; plain socket: a message that is no SMB' 'smb2.cmd == 8' 'smb2.nt_status == 0xc0000034' 'smb2.nt_status == 0xc00000cc'
}
