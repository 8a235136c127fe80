# shellcheck shell=bash
# `stage` and `port` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# XMPP: prosody with a plain socket as a client, which shows the stanzas in clear text, and slixmpp, which asks for TLS.

xmpp_dissector=xmpp
xmpp_payload_bytes_max=5000

record_xmpp() {
    require "$1" prosody
    choose_port 5222
    certificate
    venv slixmpp==1.8.5
    mkdir "$stage/data-xmpp"
    chown -R prosody "$stage/data-xmpp" "$stage/key.pem"
    cat >"$stage/prosody.cfg.lua" <<CONF
run_as_root = true
pidfile = "$stage/prosody.pid"
data_path = "$stage/data-xmpp"
log = { error = "*console" }
interfaces = { "127.0.0.1" }
c2s_ports = { $port }
legacy_ssl_ports = { }
modules_enabled = { "saslauth", "tls", "disco", "ping", "roster" }
modules_disabled = { "s2s", "http" }
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
ssl = { key = "$stage/key.pem", certificate = "$stage/cert.pem" }
VirtualHost "server.example"
CONF
    prosodyctl --config "$stage/prosody.cfg.lua" register alice server.example 'correct horse' >"$stage/prosodyctl.log" 2>&1 || true
    serve prosody -F --config "$stage/prosody.cfg.lua"
    recorded_with "prosody $(dpkg-query -W -f '${Version}' prosody | sed 's/-.*//'), slixmpp 1.8.5"
    xmpp_clear_text
    xmpp_starttls
}

xmpp_clear_text() {
    local open="<stream:stream to='server.example' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
    begin clear-text.pcap
    dialogue "<?xml version='1.0'?>$open" '</stream:features>' \
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGFsaWNlAGNvcnJlY3QgaG9yc2U=</auth>" '<success' \
        "$open" '</stream:features>' "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>" 'id=.b.' \
        "<presence/><iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq><message to='alice@server.example/r' type='chat'><body>a &lt; b &gt; c <" 'id=.p.' \
        "!-- </message> --></body></message> <iq type='get' id='q'><query xmlns='nothing'/></iq>" 'id=.q.' '</stream:stream>' EOF
    dialogue "$open" '</stream:features>' "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGFsaWNlAHdyb25nIGhvcnNl</auth>" '<failure' '<a></b>' EOF
    dialogue "<stream:stream to='other.example' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>" EOF
    end 3 'plain socket: SASL PLAIN, resource binding, presence, a ping and a message in one write, a message cut inside markup, an error; a wrong password and XML that is not well-formed; an unknown host' \
        'xmpp.iq' 'tcp.payload contains "not-authorized"' 'tcp.payload contains "host-unknown"'
}

xmpp_starttls() {
    begin starttls.pcap
    client "$python" - "$port" <<'PY'
import ssl, sys, slixmpp
class Client(slixmpp.ClientXMPP):
    def __init__(self):
        super().__init__("alice@server.example/s", "correct horse")
        self.ssl_context.check_hostname, self.ssl_context.verify_mode = False, ssl.CERT_NONE
        self.add_event_handler("session_start", lambda event: self.disconnect())
        self.add_event_handler("failed_all_auth", lambda event: self.disconnect())
c = Client()
c.connect(("127.0.0.1", int(sys.argv[1])), use_ssl=False, force_starttls=True, disable_starttls=False)
c.process(forever=False, timeout=10)
PY
    end 1-2 'slixmpp: STARTTLS and then TLS' 'tcp.payload contains "starttls"' 'tcp.payload contains "<proceed"'
}
