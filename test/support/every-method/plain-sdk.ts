import { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { milvusService } from '../stub-answers.js';
import { type Method, outcomeOf, type Run } from './runs.js';
import type { Scene } from './scenes.js';

type Channel = Record<string, Method> & { close(): void };
type WithMetadata = { metadata: Map<string, string> };

/** The SDK as it is, over grpc-js: the reference. */
export class PlainSdk {
  private constructor(
    readonly client: MilvusClient,
    private readonly channel: Channel,
    private readonly SceneChannel: ReturnType<typeof channelOfScenes>,
  ) {}

  static async start(address: string): Promise<PlainSdk> {
    const client = new MilvusClient({
      address,
      __SKIP_CONNECT__: true,
      pool: { min: 0, max: 1 },
      maxRetries: 0,
      telemetry: { enabled: false },
      logLevel: 'error',
    } as ConstructorParameters<typeof MilvusClient>[0]);
    // All runs share it: the SDK's own pool would make them wait for each other.
    const channel = (await client.channelPool.acquire()) as unknown as Channel;
    return new PlainSdk(client, channel, channelOfScenes(client, channel));
  }

  /**
   * Calls one method. A result that is missing afterwards would never have come.
   *
   * @param goodRpcs what the method sends on a good day; much more than that is for ever
   */
  async run(scene: Scene, method: string, args: unknown[], goodRpcs?: readonly string[]): Promise<Run> {
    const startedAt = performance.now();
    const channel = new this.SceneChannel(scene, goodRpcs);
    const view: MilvusClient = Object.assign(Object.create(this.client), {
      metadata: new Map([['dbname', scene.database]]),
      channelPool: { acquire: async () => channel, release() {} },
    });
    const outcome = await outcomeOf(view, method, args);
    const { rpcs, faults } = scene;
    return { ...(!channel.endless && { outcome }), rpcs, faults, ms: performance.now() - startedAt };
  }

  stop(): void {
    this.channel.close();
  }
}

interface SceneChannel {
  endless: boolean;
}

/** The SDK's channel, with the database of one scene in the metadata of every RPC. */
function channelOfScenes(
  client: MilvusClient,
  channel: Channel,
): new (
  scene: Scene,
  goodRpcs?: readonly string[],
) => SceneChannel {
  const { metadata } = client as unknown as WithMetadata;
  class ChannelOfScene implements SceneChannel {
    endless = false;
    readonly sent = new Map<string, number>();
    constructor(
      readonly scene: Scene,
      readonly goodRpcs?: readonly string[],
    ) {}
  }
  for (const rpc of Object.keys(milvusService)) {
    const value = function (this: ChannelOfScene, ...args: unknown[]): void {
      const sent = (this.sent.get(rpc) ?? 0) + 1;
      this.sent.set(rpc, sent);
      if (this.goodRpcs && sent > mostOf(rpc, this.goodRpcs)) {
        this.endless = true;
        throw new Error('the test has seen enough');
      }
      // The SDK's interceptor reads it before the call returns.
      metadata.set('dbname', this.scene.database);
      channel[rpc]!(...args);
    };
    Object.defineProperty(ChannelOfScene.prototype, rpc, { value });
  }
  return ChannelOfScene;
}

/** Once more than on a good day; one that is not sent on a good day stands for another that failed. */
function mostOf(rpc: string, goodRpcs: readonly string[]): number {
  return (goodRpcs.filter(each => each === rpc).length || goodRpcs.length) + 1;
}
