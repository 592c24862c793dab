import { MilvusClient } from '@zilliz/milvus2-sdk-node';

/**
 * These are no calls: they make no RPC, or they hand out something that makes calls of its own later and must therefore
 * keep the client itself, not the view of one call.
 */
const notCalls = new Set([
  'constructor',
  'connect',
  'use',
  'closeConnection',
  'reconnectToPrimary',
  'getTelemetry',
  'session',
  // Not for callers, and synchronous or without an RPC.
  'applyServerInfo',
  'createChannelPool',
  'createTelemetryClient',
  'disposeChannelPool',
  'getCollectionInfoCacheKey',
  'invalidateCollectionInfo',
  'isLifecycleCurrent',
  'metadataListener',
  'normalizeFieldOps',
  'replaceTelemetryClient',
  'sendTelemetryHeartbeat',
]);

/** These hand out pages, each of them a call. */
export function isIterator(name: string): boolean {
  return name === 'queryIterator' || name === 'searchIterator';
}

export type SdkMethod = (this: unknown, ...args: unknown[]) => unknown;

/** The SDK's methods that make calls, from its prototypes at load, so that a later SDK's are there too. */
export function sdkMethods(): Map<string, SdkMethod> {
  const methods = new Map<string, SdkMethod>();
  let prototype = MilvusClient.prototype as object;
  while (prototype !== Object.prototype) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      const isCall = typeof value === 'function' && !name.startsWith('_') && !notCalls.has(name);
      if (isCall && !methods.has(name)) methods.set(name, value);
    }
    prototype = Object.getPrototypeOf(prototype);
  }
  return methods;
}
