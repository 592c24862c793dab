// What stands between the load and the instances: a reverse proxy that learns of their readiness by asking, as in
// Kubernetes, keeps its connections to them alive, and repeats nothing: what an instance does not answer is a failure.
//
// Every other client connection has each request sent to the next instance that is ready, as an ingress does it. The rest
// stay with the instance they once got, ready or not, until it ends their connection, as clients of a Service do.
import { Agent, createServer, get, request as send } from 'node:http';

const READINESS = '/health/ready';
const ASK_EVERY_MS = 100;
const ASK_LIMIT_MS = 5_000;
/** Shorter than the 5 s after which Node's HTTP server ends an idle connection: otherwise requests meet that end. */
const IDLE_MS = 2_500;
const NOT_FORWARDED = new Set(['connection', 'keep-alive', 'transfer-encoding']);

export class ReadinessProxy {
  /** What went wrong, in words. */
  failures = [];
  /** Answers with a status of 2xx that were passed on. */
  served = 0;
  #backends = new Set();
  #turn = 0;
  #clients = new Map();
  #clientsEver = 0;
  #server = createServer((request, response) => this.#forward(request, response));

  /** Resolves with its URL. */
  async listen() {
    await new Promise((resolve, reject) => {
      this.#server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** Takes an instance in, and resolves when requests go to it. */
  add(name, url) {
    return new Promise(resolve => {
      const backend = { name, url, ready: false, agent: keepAliveAgent() };
      this.#backends.add(backend);
      this.#follow(backend, () => resolve(backend));
    });
  }

  /** For an instance that has ended. */
  remove(backend) {
    this.#backends.delete(backend);
    backend.agent.destroy();
  }

  close() {
    for (const backend of this.#backends) this.remove(backend);
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #follow(backend, whenReady) {
    while (this.#backends.has(backend)) {
      backend.ready = await isReady(backend.url);
      if (backend.ready) whenReady();
      await new Promise(resolve => setTimeout(resolve, ASK_EVERY_MS));
    }
  }

  /** The next instance in turn that is ready; `undefined` when none is. */
  #next() {
    const ready = [...this.#backends].filter(each => each.ready);
    return ready[this.#turn++ % ready.length];
  }

  /** Where a client's request goes, and over which connections. */
  #route(socket) {
    const client = this.#clients.get(socket) ?? this.#admit(socket);
    if (!client.stays) {
      const backend = this.#next();
      return { backend, agent: backend?.agent };
    }
    // An instance that wants a client to go says `Connection: close`, and the agent keeps no such connection.
    const keptAlive = Object.keys(client.agent.freeSockets).length > 0;
    if (!keptAlive) client.backend = this.#next();
    return client;
  }

  #admit(socket) {
    this.#clientsEver += 1;
    const client = { stays: this.#clientsEver % 2 === 0, backend: undefined, agent: keepAliveAgent(1) };
    this.#clients.set(socket, client);
    socket.once('close', () => {
      this.#clients.delete(socket);
      client.agent.destroy();
    });
    return client;
  }

  #forward(request, response) {
    const { backend, agent } = this.#route(request.socket);
    if (!backend) {
      this.failures.push(`${request.url}: no instance was ready`);
      response.writeHead(503).end();
      return;
    }
    const forwarded = send(backend.url + request.url, {
      agent,
      method: request.method,
      headers: endToEnd(request.headers),
    });
    const fail = what => {
      // Whoever asked has gone: the load has ended.
      if (response.destroyed) return;
      this.failures.push(`${request.url} to ${describe(backend)}: ${what}`);
      if (response.headersSent) response.destroy();
      else response.writeHead(502).end();
    };
    const failed = error =>
      fail(`${error.code ?? error.message} on a ${forwarded.reusedSocket ? 'kept-alive' : 'new'} connection`);
    forwarded.once('error', failed);
    forwarded.once('response', answer => {
      if (answer.statusCode < 200 || answer.statusCode > 299) {
        this.failures.push(`${request.url} to ${describe(backend)}: answered ${answer.statusCode}`);
      }
      answer.once('error', failed);
      answer.once('end', () => {
        if (answer.statusCode >= 200 && answer.statusCode <= 299) this.served += 1;
      });
      response.writeHead(answer.statusCode, endToEnd(answer.headers));
      answer.pipe(response);
    });
    response.once('close', () => forwarded.destroy());
    request.pipe(forwarded);
  }
}

function keepAliveAgent(maxSockets) {
  return new Agent({ keepAlive: true, timeout: IDLE_MS, ...(maxSockets && { maxSockets }) });
}

function isReady(url) {
  return new Promise(resolve => {
    // A connection of its own each time, as a kubelet asks.
    const asked = get(url + READINESS, { agent: false, timeout: ASK_LIMIT_MS }, answer => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => resolve(false));
    asked.once('close', () => resolve(false));
  });
}

function endToEnd(headers) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !NOT_FORWARDED.has(name)));
}

function describe({ name, ready, toldToEndAt }) {
  const state = ready ? 'ready' : 'not ready any more';
  if (toldToEndAt === undefined) return `${name} (${state})`;
  return `${name} (${state}, ${Math.round(performance.now() - toldToEndAt)} ms after SIGTERM)`;
}
