# shellcheck shell=bash
# `stage` and `port` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# LDAP: slapd, with OpenLDAP's command line clients and a plain socket.

ldap_dissector=ldap
# For the TLS handshake behind StartTLS.
ldap_payload_bytes_max=3000

record_ldap() {
    require "$1" slapd ldapsearch ldapmodify
    choose_port 389
    certificate
    mkdir "$stage/data-ldap"
    cat >"$stage/slapd.conf" <<CONF
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile $stage/slapd.pid
TLSCertificateFile $stage/cert.pem
TLSCertificateKeyFile $stage/key.pem
database mdb
suffix dc=x
rootdn cn=admin,dc=x
rootpw "correct horse"
directory $stage/data-ldap
sizelimit 2
CONF
    serve slapd -h "ldap://127.0.0.1:$port" -f "$stage/slapd.conf" -d 0
    recorded_with "OpenLDAP $(slapd -VV 2>&1 | sed -nE 's/.*slapd ([0-9.]+).*/\1/p')"

    local theme
    for theme in changes searches errors starttls pipelined; do
        "ldap_$theme"
    done
}

# ldap PROGRAM [OPTION...]: runs one of the clients. It does not read the system's configuration.
ldap() {
    LDAPNOINIT=1 LDAPTLS_REQCERT=never client "$1" -x -H "ldap://127.0.0.1:$port" "${@:2}"
}

ldap_changes() {
    local -a admin=(-D cn=admin,dc=x -w 'correct horse')
    begin changes.pcap
    printf 'dn: dc=x\nobjectClass: domain\ndc: x\n\ndn: cn=Ann,dc=x\nobjectClass: person\ncn: Ann\nsn: Caf\xc3\xa9\nuserPassword: old horse\n\ndn: cn=Bob,dc=x\nobjectClass: person\ncn: Bob\nsn: B\n' | ldap ldapadd "${admin[@]}"
    printf 'dn: cn=Ann,dc=x\nchangetype: modify\nreplace: sn\nsn: Ansel\n-\nadd: description\ndescription: tall\n\ndn: cn=Cid,dc=x\nchangetype: add\nobjectClass: person\ncn: Cid\nsn: C\n' | ldap ldapmodify "${admin[@]}"
    ldap ldapmodrdn "${admin[@]}" -r cn=Cid,dc=x cn=Dan
    ldap ldapcompare "${admin[@]}" cn=Ann,dc=x sn:Ansel
    ldap ldappasswd "${admin[@]}" -s 'new horse' cn=Ann,dc=x
    ldap ldapdelete "${admin[@]}" cn=Dan,dc=x cn=Nobody,dc=x
    ldap ldapwhoami "${admin[@]}"
    end 7 'OpenLDAP: simple bind, add, modify, modify RDN, compare, delete of an entry and of none, two extended operations (password, who am I)' \
        'ldap.protocolOp == 8' 'ldap.protocolOp == 6' 'ldap.protocolOp == 12' 'ldap.protocolOp == 14' 'ldap.protocolOp == 23'
}

ldap_searches() {
    begin searches.pcap
    ldap ldapsearch -b dc=x '(sn=Ansel)'
    ldap ldapsearch -b dc=x -s one -LLL '(|(cn=A*n)(!(sn>=B))(&(objectClass=*)(sn~=x)))' cn
    ldap ldapsearch -b dc=x '(objectClass=*)' 1.1
    ldap ldapsearch -b dc=x -E pr=1/noprompt '(cn=*)' sn
    ldap ldapsearch -b '' -s base '(objectClass=*)' namingContexts
    end 5 'ldapsearch: filters, several entries, the size limit, pages of one entry (a control), the root entry' \
        'ldap.protocolOp == 3' 'ldap.resultCode == 4' 'ldap.protocolOp == 4'
}

ldap_errors() {
    begin errors.pcap
    ldap ldapsearch -D cn=Ann,dc=x -w 'wrong horse' -b dc=x
    ldap ldapsearch -b dc=nowhere
    printf 'dn: cn=Eve,dc=x\nobjectClass: person\ncn: Eve\n' | ldap ldapadd -D cn=admin,dc=x -w 'correct horse'
    printf 'dn: cn=Eve,dc=x\nobjectClass: person\ncn: Eve\nsn: E\n' | ldap ldapadd -D cn=Ann,dc=x -w 'new horse'
    # An unknown extended operation; LDAP version 2; a message of 2 GiB.
    dialogue '\x30\x0a\x02\x01\x01\x77\x05\x80\x031.2' '\x78'
    dialogue '\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x02\x04\x00\x80\x00' '\x61' '\x30\x05\x02\x01\x02\x42\x00' EOF
    dialogue '\x30\x84\x7f\xff\xff\xff\x02\x01\x01' EOF
    cut_off '\60\14\2\1'
    end 8 'OpenLDAP: a wrong password, no such object, an object class violated, no write access; plain socket: an unknown extended operation, version 2, a length of 2 GiB, **cut off on purpose**' \
        'ldap.resultCode == 49' 'ldap.resultCode == 32' 'ldap.resultCode == 65' 'ldap.resultCode == 2'
}

ldap_starttls() {
    begin starttls.pcap
    ldap ldapwhoami -ZZ -D cn=Ann,dc=x -w 'new horse'
    end 1 'OpenLDAP: StartTLS and then TLS' 'ldap.requestName == "1.3.6.1.4.1.1466.20037"' 'tls.handshake.type == 1'
}

ldap_pipelined() {
    begin pipelined.pcap
    # Bind, two searches for the root entry, one for nothing, abandon and unbind in one write.
    local search='\x30\x25\x02\x01%s\x63\x20\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00\x87\x0bobjectClass\x30\x00'
    dialogue "\\x30\\x0c\\x02\\x01\\x01\\x60\\x07\\x02\\x01\\x03\\x04\\x00\\x80\\x00${search/\%s/\\x02}${search/\%s/\\x03}"'\x30\x06\x02\x01\x04\x50\x01\x02' '\x65.*\x65' \
        '\x30' '' '\x05\x02\x01\x05\x42\x00' EOF
    end 1 'plain socket: bind, two searches and abandon in one write; unbind that is cut behind its first byte' 'ldap.messageID == 3' 'ldap.protocolOp == 16'
}
