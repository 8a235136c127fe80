# shellcheck shell=bash
# `stage`, `port`, `server_pid` and `python` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# Thrift: thriftpy2 at both ends, framed, with the binary and the compact protocol.

thrift_dissector=thrift

record_thrift() {
    require "$1" python3
    choose_port 9090
    venv thriftpy2==0.5.2
    cat >"$stage/shop.thrift" <<'IDL'
struct Book { 1: i32 id, 2: string title, 3: optional double price, 4: list<string> tags, 5: map<string, i64> stock }
exception Missing { 1: string what }
service Shop { Book find(1: i32 id) throws (1: Missing missing), void add(1: Book book), oneway void note(1: string text), binary echo(1: binary bytes) }
IDL
    cat >"$stage/thrift.py" <<'PY'
import sys, thriftpy2, thriftpy2.rpc, thriftpy2.thrift
from thriftpy2.protocol import TBinaryProtocolFactory, TCompactProtocolFactory
from thriftpy2.transport import TFramedTransportFactory
shop = thriftpy2.load(sys.argv[4], module_name="shop_thrift")
options = dict(proto_factory=(TCompactProtocolFactory if sys.argv[2] == "compact" else TBinaryProtocolFactory)(), trans_factory=TFramedTransportFactory())
book = shop.Book(id=1, title="caf\u00e9", price=5.5, tags=["a", "b"], stock={"x": 1 << 40})
class Handler:
    def find(self, id):
        if id == 2:
            raise shop.Missing(what="book 2")
        return book
    def add(self, book): pass
    def note(self, text): pass
    def echo(self, bytes): return bytes
if sys.argv[1] == "server":
    thriftpy2.rpc.make_server(shop.Shop, Handler(), "127.0.0.1", int(sys.argv[3]), **options).serve()
with thriftpy2.rpc.client_context(shop.Shop, "127.0.0.1", int(sys.argv[3]), **options) as c:
    c.find(1)
    c.add(book)
    c.note("no answer")
    c.echo(bytes(range(40)))
    try:
        c.find(2)
    except shop.Missing:
        pass
    c._service.thrift_services.append("gone")
    c._service.gone_args, c._service.gone_result = c._service.note_args, c._service.add_result
    try:
        c._req("gone", "x")
    except thriftpy2.thrift.TApplicationException:
        pass
PY
    recorded_with "thriftpy2 0.5.2"
    local kind
    for kind in binary compact; do
        serve "$python" "$stage/thrift.py" server "$kind" "$port" "$stage/shop.thrift"
        begin "$kind.pcap"
        client "$python" "$stage/thrift.py" client "$kind" "$port" "$stage/shop.thrift"
        end 1 "thriftpy2, framed, $kind protocol: calls with structures, lists and maps, one way, binary, a declared exception, an unknown method" 'thrift.method == "find"' 'thrift.mtype == 4' 'thrift.mtype == 3'
        stop "$server_pid"
    done
}
