# shellcheck shell=bash
# `stage` and `port` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# SSH: OpenSSH's server and client, and a plain socket. Few algorithms are offered, so that the exchange of keys is short.

ssh_dissector=ssh
ssh_payload_bytes_max=8192

record_ssh() {
    require "$1" sshd ssh ssh-keygen
    choose_port 2222
    mkdir -p /run/sshd
    ssh-keygen -q -t ed25519 -N '' -C host -f "$stage/host_key"
    ssh-keygen -q -t ed25519 -N '' -C user -f "$stage/user_key"
    cat >"$stage/sshd_config" <<CONF
ListenAddress 127.0.0.1:$port
HostKey $stage/host_key
PidFile none
AuthorizedKeysFile $stage/user_key.pub
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
VersionAddendum none
KexAlgorithms curve25519-sha256
Ciphers chacha20-poly1305@openssh.com,aes128-ctr
MACs hmac-sha2-256
ForceCommand /bin/echo hello
CONF
    serve "$(command -v sshd)" -D -e -f "$stage/sshd_config"
    recorded_with "$(ssh -V 2>&1 | sed -E 's/^OpenSSH_([^ ,]+).*/OpenSSH \1/')"
    ssh_sessions
    ssh_errors
}

# log_in [OPTION...]: runs the client without anybody's configuration, known hosts or agent.
log_in() {
    client ssh -F none -p "$port" -i "$stage/user_key" -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes \
        -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o KexAlgorithms=curve25519-sha256 -T "$@" "$(id -un)@127.0.0.1" </dev/null
}

ssh_sessions() {
    begin sessions.pcap
    log_in
    log_in -c aes128-ctr -m hmac-sha2-256
    log_in -o IdentityFile="$stage/host_key" -l nobody
    end 3 'ssh: the exchange of keys and an encrypted session, with ChaCha20 and with AES and an HMAC; a user who is refused' 'ssh.message_code == 20' 'ssh.message_code == 21'
}

ssh_errors() {
    begin errors.pcap
    log_in -o KexAlgorithms=ecdh-sha2-nistp256
    dialogue '' 'SSH-2.0' 'GET / HTTP/1.0\r\n\r\n' EOF
    dialogue '' 'SSH-2.0' 'SSH-1.5-old\r\n' EOF
    dialogue 'SSH-2.0-x\r\n' 'SSH-2.0' '\x7f\xff\xff\xff\x04\x14\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00' EOF
    cut_off 'SSH-2.'
    end 5 'ssh: no common exchange of keys; plain socket: HTTP, version 1, a packet of 2 GiB, **cut off on purpose**' 'ssh.protocol' 'tcp.payload contains "Invalid SSH identification"'
}
