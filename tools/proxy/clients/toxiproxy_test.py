"""The Python client of Toxiproxy, unchanged, against the API of `enjamb proxy`."""

import socket
import sys
import threading
import time

from toxiproxy import Toxiproxy
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists


def echo_server():
    """Starts a server that echoes. Returns its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            client, _ = listener.accept()
            threading.Thread(target=echo, args=(client,), daemon=True).start()

    def echo(client):
        with client:
            try:
                while chunk := client.recv(65536):
                    client.sendall(chunk)
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    return "127.0.0.1:%d" % listener.getsockname()[1]


def connect(proxy):
    host, port = proxy.listen.rsplit(":", 1)
    client = socket.create_connection((host, int(port)), timeout=10)
    client.settimeout(10)
    return client


def exchange(client, text=b"hello\n"):
    """Sends a line, waits for all of it, and returns the time that it took."""
    start = time.monotonic()
    client.sendall(text)
    received = b""
    while len(received) < len(text):
        chunk = client.recv(65536)
        if not chunk:
            raise ConnectionError("closed after %r" % received)
        received += chunk
    assert received == text, received
    return time.monotonic() - start


def refused(error, act):
    try:
        act()
    except error:
        return
    raise AssertionError("%s was expected" % error.__name__)


host, port = sys.argv[1].rsplit(":", 1)
server = Toxiproxy()
server.update_api_consumer(host, int(port))
assert server.running() and b"version" in server.version()

upstream = echo_server()
proxy = server.create(name="echo", upstream=upstream)
refused(ProxyExists, lambda: server.create(name="echo", upstream=upstream))
assert server.get_proxy("echo").upstream == upstream and proxy.enabled

with connect(proxy) as client:
    fast = exchange(client)
    # A toxic reaches connections that are open.
    proxy.add_toxic(type="latency", attributes={"latency": 300, "jitter": 0})
    slow = exchange(client)
    assert slow > 0.3 > fast, (fast, slow)
    proxy.destroy_toxic("latency_downstream")
    assert exchange(client) < 0.3

proxy.add_toxic(type="limit_data", stream="upstream", attributes={"bytes": 3})
with connect(proxy) as client:
    refused(ConnectionError, lambda: exchange(client))
assert list(proxy.toxics()) == ["limit_data_upstream"]
refused(InvalidToxic, lambda: proxy.add_toxic(type="nonsense"))
refused(NotFound, lambda: proxy.destroy_toxic("nothing"))

server.reset()
assert proxy.toxics() == {}
with connect(proxy) as client:
    exchange(client)

made = server.populate([{"name": "echo", "upstream": upstream, "listen": proxy.listen},
                        {"name": "other", "upstream": upstream, "listen": "127.0.0.1:0"}])
assert [proxy.name for proxy in made] == ["other"]
server.destroy_all()
assert server.proxies() == {}
refused(ConnectionRefusedError, lambda: connect(proxy))
print("toxiproxy-python works")
