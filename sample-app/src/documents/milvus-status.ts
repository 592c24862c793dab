import type { ResStatus } from '@zilliz/milvus2-sdk-node';

/** The SDK resolves also when Milvus says no; what it said stands in the status. */
export function assertAccepted(what: string, { error_code, code = 0, reason }: ResStatus): void {
  if (error_code === 'Success' && code === 0) return;
  throw new Error(`Milvus refused ${what}: ${reason || error_code}`);
}
