"""Calls of Python's own XML-RPC client."""

import sys
import threading
import xmlrpc.client

URL = f"http://127.0.0.1:{sys.argv[1]}/"
server = xmlrpc.client.ServerProxy(URL)

assert server.add(2, 3) == 5
assert server.add(2.5, 1) == 3.5
assert server.add() == 0
assert server.upper("grüße <&> \"'") == "GRÜSSE <&> \"'"
assert server.system.listMethods() == ["add", "echo", "sleep", "system.listMethods", "upper"]
for value in [1, -5, 2.5, True, "", "a\nb", [], [1, [2, ["three"]]], {}, {"a": [1], "b": {"c": "d"}}, "x" * 100_000]:
    assert server.echo(value) == value, value
for call in [lambda: server.nothing(), lambda: server.add("two"), lambda: server.echo(1, 2)]:
    try:
        call()
        raise SystemExit("no fault")
    except xmlrpc.client.Fault as fault:
        assert fault.faultCode == 1 and fault.faultString, fault
try:
    server.echo("x" * 2_000_000)
    raise SystemExit("no refusal")
except (xmlrpc.client.ProtocolError, ConnectionError) as error:
    assert getattr(error, "errcode", 413) == 413, error
# Calls that take long do not hold others up.
slow = [threading.Thread(target=lambda: xmlrpc.client.ServerProxy(URL).sleep(0.3)) for _ in range(20)]
for thread in slow:
    thread.start()
assert server.add(1, 1) == 2
for thread in slow:
    thread.join()
print("every call was answered")
