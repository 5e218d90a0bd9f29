// API composition in Node: asks two services at once, makes sure that both documents are JSON, and puts their text together.
//
// Usage: node compose.mjs PORT ORDER-PORT INVENTORY-PORT

import http from "node:http";

const [port, orderPort, inventoryPort] = process.argv.slice(2).map(Number);
const services = {
  order: { port: orderPort, agent: new http.Agent({ keepAlive: true }) },
  inventory: { port: inventoryPort, agent: new http.Agent({ keepAlive: true }) },
};

function call(name, path) {
  const { port, agent } = services[name];
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path, agent, headers: { host: name }, timeout: 5000 };
    const request = http.get(options, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode !== 200) {
          reject(new Error(`${name} answers ${response.statusCode}`));
          return;
        }
        const text = (chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)).toString();
        try {
          JSON.parse(text);
          resolve(text);
        } catch (error) {
          reject(error);
        }
      });
    });
    request.on("timeout", () => request.destroy(new Error(`${name} is late`)));
    request.on("error", reject);
  });
}

const server = http.createServer(async (request, response) => {
  try {
    const [order, inventory] = await Promise.all([call("order", request.url), call("inventory", request.url)]);
    const body = Buffer.from(`{"order":${order},"inventory":${inventory}}`);
    response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
    response.end(body);
  } catch (error) {
    response.writeHead(502, { "content-type": "text/plain" });
    response.end(`${error}\n`);
  }
});
// The load generator keeps its connections for as long as it runs, and may pause between runs.
server.keepAliveTimeout = 0;
server.listen(port, "127.0.0.1");
