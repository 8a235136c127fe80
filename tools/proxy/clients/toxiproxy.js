// The Node client of Toxiproxy, unchanged, against the API of `enjamb proxy`.

const assert = require("node:assert");
const net = require("node:net");
const { Toxiproxy } = require("toxiproxy-node-client");

function echoServer() {
  return new Promise((resolve) => {
    const server = net.createServer((socket) => {
      socket.on("error", () => {});
      socket.pipe(socket);
    });
    server.listen(0, "127.0.0.1", () => {
      server.unref();
      resolve(`127.0.0.1:${server.address().port}`);
    });
  });
}

// Sends a line and waits for it. Returns the time that it took, or the way in which it ended.
function exchange(listen, text = "hello\n") {
  const [host, port] = listen.split(":");
  const start = Date.now();
  return new Promise((resolve) => {
    const socket = net.connect(Number(port), host, () => socket.write(text));
    let received = "";
    socket.setTimeout(10000, () => socket.destroy(new Error("timeout")));
    socket.on("data", (chunk) => {
      received += chunk;
      if (received.length >= text.length) {
        assert.strictEqual(received, text);
        socket.destroy();
        resolve({ millis: Date.now() - start });
      }
    });
    socket.on("error", (error) => resolve({ error: error.code || error.message }));
    socket.on("end", () => resolve({ ended: received }));
  });
}

async function main() {
  const toxiproxy = new Toxiproxy(`http://${process.argv[2]}`);
  assert.match(String(await toxiproxy.getVersion()), /\d+\.\d+/);
  const upstream = await echoServer();

  const proxies = await toxiproxy.populate([
    { name: "echo", listen: "127.0.0.1:0", upstream, enabled: true },
    { name: "off", listen: "127.0.0.1:0", upstream, enabled: false },
  ]);
  assert.deepStrictEqual(Object.keys(proxies), ["echo", "off"]);
  assert.strictEqual(proxies.off.enabled, false);
  const proxy = await toxiproxy.get("echo");
  assert.ok((await exchange(proxy.listen)).millis < 300);

  const toxic = await proxy.addToxic({
    name: "slow", type: "latency", stream: "downstream", toxicity: 1, attributes: { latency: 300, jitter: 0 },
  });
  assert.ok((await exchange(proxy.listen)).millis >= 300);
  toxic.attributes.latency = 600;
  await toxic.update(toxic.toJson());
  assert.ok((await exchange(proxy.listen)).millis >= 600);
  assert.strictEqual((await proxy.getToxic("slow")).attributes.latency, 600);
  await toxic.remove();
  assert.ok((await exchange(proxy.listen)).millis < 300);

  await proxy.addToxic({ name: "rst", type: "reset_peer", stream: "upstream", toxicity: 1, attributes: { timeout: 0 } });
  assert.strictEqual((await exchange(proxy.listen)).error, "ECONNRESET");
  const down = await proxy.update({ enabled: false, listen: proxy.listen, upstream: proxy.upstream });
  assert.strictEqual(down.enabled, false);
  assert.strictEqual((await exchange(proxy.listen)).error, "ECONNREFUSED");

  await toxiproxy.reset();
  const all = await toxiproxy.getAll();
  assert.ok(all.echo.enabled && all.off.enabled);
  assert.ok((await exchange(proxy.listen)).millis < 300, "the address stays");
  for (const name of Object.keys(all)) await all[name].remove();
  assert.deepStrictEqual(await toxiproxy.getAll(), {});
  await assert.rejects(toxiproxy.get("echo"));
  console.log("toxiproxy-node-client works");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
