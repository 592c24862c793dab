import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { freePorts } from '../../lib/testing/free-port.js';
import { type ProbeOptions, probe } from '../../lib/testing/grpc-probe.js';
import { type PythonEnvironment, pythonEnvironment } from '../../lib/testing/python-environment.js';
import { ServerProcess, ServerStartError } from '../../lib/testing/server-process.js';
import { TemporaryFolder } from '../../lib/testing/temporary-folder.js';
import { type Certificates, makeCertificates } from './certificates.js';

type ConfigValue = string | number | boolean;

export interface MilvusStandaloneOptions {
  /** Calls need credentials; `root:Milvus` are there. */
  auth?: boolean;
  tls?: 'one-way' | 'mutual';
  /** Names and IP addresses that its certificate is for. */
  serverNames?: string[];
  /** More of milvus.yaml, by dotted name: `{ 'quotaAndLimits.dml.insertRate.max': 0.001 }`. */
  config?: Record<string, ConfigValue>;
  /** Never removed. A temporary folder, removed by `stop()`, when absent. */
  dataDir?: string;
  port?: number;
}

const PROGRAMS = 'milvus';
const DEFAULTS = 'defaults.json';

/**
 * Unpacks the server once, beside its environment; the wheel's own launcher does so into every data folder. Its milvus.yaml (a template) becomes
 * JSON by dotted names: it differs from the defaults within the server, and so much of YAML as it uses is read in a few lines.
 */
const UNPACK = `
import json, lzma, os, re, shutil, sys
from importlib.util import find_spec

data = os.path.join(os.path.dirname(find_spec('milvus').origin), 'data')
target = os.path.join(sys.argv[1], '${PROGRAMS}')
os.makedirs(target)
for name in os.listdir(os.path.join(data, 'bin')):
    if name.endswith('.lzma'):
        file = os.path.join(target, name[:-len('.lzma')])
        with lzma.open(os.path.join(data, 'bin', name)) as packed, open(file, 'wb') as plain:
            shutil.copyfileobj(packed, plain)
        os.chmod(file, 0o755)
shutil.copy(os.path.join(data, 'glog.conf'), target)

def scalar(text):
    text = text.strip()
    if text.startswith("'"):
        return text.strip("'")
    try:
        return json.loads(text)
    except ValueError:
        return text

defaults, path = {}, []
for line in open(os.path.join(data, 'config.yaml.template'), encoding='utf-8'):
    entry = re.match(r'( *)(\\w+):(?: +(.*))?$', re.sub(r'(^| )#.*', '', line.rstrip()))
    if entry:
        indent, key, value = entry.groups()
        path[len(indent) // 2:] = [key]
        if value and value.strip() and '{{' not in value:
            defaults['.'.join(path)] = scalar(value)
with open(os.path.join(target, '${DEFAULTS}'), 'w', encoding='utf-8') as file:
    json.dump(defaults, file, indent=2)
`;

const MILVUS = { packages: ['milvus==2.3.5'], size: '330 MB on disk', afterInstall: UNPACK };

/**
 * Becomes the server, and leaves a process behind that ends it when standard input ends, that is when the parent is gone.
 * Arguments: data folder, 'temporary' or 'kept', the executable.
 */
const RUN = `
import os, shutil, signal, sys, time

data_dir, fate, executable = sys.argv[1:]
server = os.getpid()
if os.fork() == 0:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    while os.read(0, 4096):
        pass
    if os.getppid() == server:
        os.kill(server, signal.SIGKILL)
        while os.getppid() == server:
            time.sleep(0.01)
        if fate == 'temporary':
            shutil.rmtree(data_dir, ignore_errors=True)
    leftover = f'/tmp/milvus/server_id_{server}'
    if os.path.exists(leftover):
        os.remove(leftover)
    os._exit(0)

os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.dup2(os.open('logs/stdout.log', os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
os.execv(executable, [executable, 'run', 'standalone'])
`;

/** It is there in 3 s, or on a machine that stalls its parts lose each other for good. */
const START_TIMEOUT_MS = 40_000;
const START_ATTEMPTS = 3;
const PORT_TAKEN = /address already in use/;

/** Those with an address and a port in milvus.yaml. */
const COMPONENTS = [
  'proxy',
  'rootCoord',
  'queryCoord',
  'queryNode',
  'indexCoord',
  'indexNode',
  'dataCoord',
  'dataNode',
] as const;

const PORT_NAMES = [...COMPONENTS, 'proxyInternal', 'etcd', 'etcdPeer', 'metrics'] as const;

type Ports = Record<(typeof PORT_NAMES)[number], number>;

/**
 * The real Milvus 2.3.5 in one process, from PyPI: what Milvus Lite lacks (authentication, TLS, databases, rate limits). Linux x86-64 and
 * macOS. Several run beside each other.
 */
export class MilvusStandalone {
  private readonly server: ServerProcess;
  private readonly sessions: EtcdSessions;
  private made: Certificates | undefined;

  private constructor(
    readonly dataDir: string,
    private readonly ports: Ports,
    private readonly programs: string,
    private readonly options: MilvusStandaloneOptions,
    { python }: PythonEnvironment,
    temporaryFolder?: TemporaryFolder,
  ) {
    this.sessions = new EtcdSessions(ports.etcd);
    const libraries = process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH';
    this.server = new ServerProcess({
      name: `Milvus on port ${this.port}`,
      command: python,
      args: ['-I', '-c', RUN, dataDir, temporaryFolder ? 'temporary' : 'kept', join(programs, 'milvus')],
      cwd: dataDir,
      env: {
        ...process.env,
        [libraries]: programs,
        DEPLOY_MODE: 'STANDALONE',
        METRICS_PORT: String(ports.metrics),
        // Else the reason of a panic is pushed out by the stacks of a thousand goroutines.
        GOTRACEBACK: 'single',
      },
      prepare: () => this.writeFiles(),
      isReady: () => this.isHealthy(),
      startTimeoutMs: START_TIMEOUT_MS,
      stopSignal: 'SIGKILL',
      ...(temporaryFolder && { temporaryFolder }),
    });
  }

  static async start(options: MilvusStandaloneOptions = {}): Promise<MilvusStandalone> {
    const environment = await installed();
    for (let attempt = 1; ; attempt++) {
      const ports = await choosePorts(options.port);
      const temporaryFolder = options.dataDir === undefined ? new TemporaryFolder('milvus-') : undefined;
      const folder = temporaryFolder?.path ?? resolve(options.dataDir as string);
      const programs = join(environment.folder, PROGRAMS);
      const milvus = new MilvusStandalone(folder, ports, programs, options, environment, temporaryFolder);
      try {
        await milvus.server.start();
        return milvus;
      } catch (error) {
        await temporaryFolder?.remove();
        if (!(error instanceof ServerStartError) || attempt === START_ATTEMPTS) throw error;
        // With a folder of its own a new one is as good; else only another port may help.
        if (!temporaryFolder && !PORT_TAKEN.test(error.output)) throw error;
      }
    }
  }

  /** Installs it if it is not there yet, before the clock of a test runs. */
  static async install(): Promise<void> {
    await installed();
  }

  get port(): number {
    return this.ports.proxy;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.server.pid;
  }

  /** Only with the option `tls`. */
  get certificates(): Certificates {
    if (!this.made) throw new Error('This Milvus was started without `tls`: it has no certificates.');
    return this.made;
  }

  /** Kills it as `kill()` does, because it would take more than a minute to end by itself, and removes a temporary data folder. */
  stop(): Promise<void> {
    return this.server.stop();
  }

  kill(): Promise<void> {
    return this.server.kill();
  }

  /** Starts it again on the same ports, with its data unless `stop()` has removed it. */
  restart(): Promise<void> {
    return this.server.restart();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private async writeFiles(): Promise<void> {
    const { tls, serverNames } = this.options;
    const configs = join(this.dataDir, 'configs');
    for (const folder of [configs, this.logFolder]) await mkdir(folder, { recursive: true });
    if (tls) this.made ??= await makeCertificates(configs, serverNames);
    await copyFile(join(this.programs, 'glog.conf'), join(configs, 'glog.conf'));
    // JSON is YAML.
    await writeFile(join(configs, 'milvus.yaml'), JSON.stringify(nested(await this.config()), undefined, 2));
    await writeFile(this.etcdConfigFile, JSON.stringify(this.etcdConfig(), undefined, 2));
  }

  private get logFolder(): string {
    return join(this.dataDir, 'logs');
  }

  private get etcdConfigFile(): string {
    return join(this.dataDir, 'configs', 'etcd.yaml');
  }

  private async config(): Promise<Record<string, ConfigValue>> {
    const { ports, made } = this;
    const { auth = false, tls, config } = this.options;
    const local: Record<string, ConfigValue> = {};
    for (const component of COMPONENTS) {
      local[`${component}.ip`] = '127.0.0.1';
      local[`${component}.port`] = ports[component];
    }
    const defaults = JSON.parse(await readFile(join(this.programs, DEFAULTS), 'utf8')) as Record<
      string,
      ConfigValue
    >;
    return {
      ...defaults,
      ...local,
      'proxy.internalPort': ports.proxyInternal,
      'proxy.http.enabled': true,
      'indexCoord.address': `127.0.0.1:${ports.indexCoord}`,
      'etcd.endpoints': `127.0.0.1:${ports.etcd}`,
      'etcd.use.embed': true,
      'etcd.config.path': this.etcdConfigFile,
      'etcd.data.dir': join(this.dataDir, 'data', 'etcd'),
      'etcd.log.path': join(this.logFolder, 'etcd.log'),
      'localStorage.path': join(this.dataDir, 'data'),
      'mq.type': 'rocksmq',
      'rocksmq.path': join(this.dataDir, 'data', 'rocksmq'),
      'log.file.rootPath': this.logFolder,
      'common.storageType': 'local',
      'common.security.authorizationEnabled': auth,
      ...(made && {
        'common.security.tlsMode': tls === 'mutual' ? 2 : 1,
        'tls.serverPemPath': made.server.cert.file,
        'tls.serverKeyPath': made.server.key.file,
        'tls.caPemPath': made.ca.file,
      }),
      // Its parts look each other up while they start, and by default wait up to 10 s before they look again.
      'grpc.client.initialBackOff': 0.1,
      'grpc.client.maxBackoff': 0.5,
      'grpc.client.maxMaxAttempts': 60,
      ...config,
    };
  }

  private etcdConfig(): Record<string, string | number | boolean> {
    const client = `http://127.0.0.1:${this.ports.etcd}`;
    const peer = `http://127.0.0.1:${this.ports.etcdPeer}`;
    return {
      name: 'default',
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': `default=${peer}`,
      'enable-grpc-gateway': true,
      // It votes alone. A tenth of the default, so that it need not wait a second for other voters at each start.
      'heartbeat-interval': 10,
      'election-timeout': 100,
    };
  }

  private async isHealthy(): Promise<boolean> {
    await this.sessions.endFormer();
    const { status, body } = await probe(this.address, 'CheckHealth', {
      credentials: 'root:Milvus',
      timeoutMs: 500,
      ...(this.made && { tls: identify(this.made, this.options.serverNames) }),
    });
    if (status !== 0 || !saysHealthy(body)) return false;
    await this.sessions.remember();
    return true;
  }
}

/**
 * The parts of a Milvus hold sessions in its etcd, and after a SIGKILL a new process waits until those of the old one expire (34 s). Here
 * the old process is known to be dead, so its sessions are ended at once: a restart takes 3 s.
 */
class EtcdSessions {
  private leases: string[] = [];

  constructor(private readonly port: number) {}

  async remember(): Promise<void> {
    const { leases = [] } = (await this.ask('leases')) as { leases?: { ID: string }[] };
    this.leases = leases.map(lease => lease.ID);
  }

  /** Rejects while etcd does not answer yet. */
  async endFormer(): Promise<void> {
    for (const ID of [...this.leases]) {
      await this.ask('revoke', { ID });
      this.leases = this.leases.filter(lease => lease !== ID);
    }
  }

  private async ask(what: string, body: object = {}): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.port}/v3/lease/${what}`, {
      method: 'POST',
      headers: { connection: 'close' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(1000),
    });
    const answer = await response.json();
    // 404: it has expired meanwhile.
    if (!response.ok && response.status !== 404) throw new Error(JSON.stringify(answer));
    return answer;
  }
}

/** What a client needs to reach a server with these certificates, in either TLS mode. */
function identify({ ca, client }: Certificates, [servername]: string[] = []): ProbeOptions['tls'] {
  return { ca: ca.pem, cert: client.cert.pem, key: client.key.pem, ...(servername && { servername }) };
}

/** CheckHealthResponse: field 1 is a message (the status), field 2 the boolean `isHealthy`; a `false` is left out. */
function saysHealthy(body: Buffer): boolean {
  const STATUS = 0x0a;
  const IS_HEALTHY = 0x10;
  const afterStatus = body[0] === STATUS ? 2 + (body[1] ?? 0) : 0;
  return body[afterStatus] === IS_HEALTHY && body[afterStatus + 1] === 1;
}

async function choosePorts(proxy: number | undefined): Promise<Ports> {
  const ports = await freePorts(PORT_NAMES.length);
  const named = Object.fromEntries(PORT_NAMES.map((name, index) => [name, ports[index]])) as Ports;
  return { ...named, ...(proxy !== undefined && { proxy }) };
}

/** `{ 'a.b': 1 }` as `{ a: { b: 1 } }`. A key that is also a group (`insertRate.max`, `insertRate.collection.max`) is two names, no clash. */
function nested(flat: Record<string, ConfigValue>): object {
  const root: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(flat)) {
    const groups = path.split('.');
    const key = groups.pop() as string;
    let group = root;
    for (const name of groups) {
      group[name] ??= {};
      group = group[name] as Record<string, unknown>;
    }
    group[key] = value;
  }
  return root;
}

function installed(): Promise<PythonEnvironment> {
  const { platform, arch } = process;
  if (platform !== 'darwin' && !(platform === 'linux' && arch === 'x64')) {
    throw new Error(
      `Milvus 2.3.5 from PyPI is made for Linux x86-64 and macOS; this is ${platform} ${arch}.`,
    );
  }
  return pythonEnvironment(MILVUS, { log: line => process.stderr.write(`${line}\n`) });
}
