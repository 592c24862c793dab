import { cpus } from 'node:os';
import { MilvusClient } from '@zilliz/milvus2-sdk-node';

/** Where figures come from; without it they say little. */
export function machine(): string {
  const [cpu] = cpus();
  return `${cpus().length} × ${cpu?.model.trim()}, Node ${process.version}, SDK ${MilvusClient.sdkInfo.version}; client and server share the machine: read the ratios`;
}
