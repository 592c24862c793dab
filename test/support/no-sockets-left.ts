import { MilvusStandalone } from './milvus-standalone.js';
import { socketsAtServer } from './sockets-at-server.js';

// Fails a test file that stops a real server to which clients of the package still have connections: they are closed
// first, and leave nothing. A server that is to go away under its clients is killed.

interface Server {
  readonly address: string;
  readonly port: number;
  stop(): Promise<void>;
}

function watch(prototype: Server): void {
  const { stop } = prototype;
  prototype.stop = async function (this: Server): Promise<void> {
    const left = await socketsAtServer(this.port);
    await stop.call(this);
    if (left.length > 0) {
      throw new Error(`Clients had left ${left.length} connections to the server at ${this.address}`);
    }
  };
}

watch(MilvusStandalone.prototype);

// Not by importing it: a test replaces what it is made of. The transform of lib/ tells of each class when it is loaded.
type Announcement = (loaded: { name: string; prototype: Server }) => void;
const announced = globalThis as { [name: symbol]: Announcement | undefined };
const listening = Symbol.for('nestjs-milvus.secret-witness');
const witness = announced[listening];
announced[listening] = loaded => {
  witness?.(loaded);
  if (loaded.name === 'MilvusLite') watch(loaded.prototype);
};
