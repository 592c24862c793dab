import type { Repeatability } from '../resilience/setback.js';

/** Changes nothing: safe to send again. */
const READS = `
  Connect GetVersion CheckHealth GetComponentStates Dummy RegisterLink RunAnalyzer CalcDistance ComputePhraseMatchSlop
  ListFileResources HasCollection DescribeCollection BatchDescribeCollection ShowCollections GetCollectionStatistics
  DescribeAlias ListAliases GetCompactionState GetCompactionStateWithPlans GetReplicas GetLoadingProgress GetLoadState
  Search HybridSearch Query GetMetrics GetFlushState GetFlushAllState GetQuerySegmentInfo GetPersistentSegmentInfo
  ListIndexedSegment DescribeSegmentIndexData ListImportTasks GetImportState ListDatabases DescribeDatabase DescribeIndex
  GetIndexState GetIndexBuildProgress GetIndexStatistics HasPartition ShowPartitions GetPartitionStatistics
  GetReplicateConfiguration GetReplicateInfo ListResourceGroups DescribeResourceGroup ListCredUsers SelectRole SelectUser
  SelectGrant ListPrivilegeGroups BackupRBAC GetUserTags ListUsersWithTag ListRowPolicies DescribeNamespace
  ListNamespaces HasNamespace GetNamespaceStats DescribePrewarmTask AllocTimestamp ListSnapshots DescribeSnapshot
  GetRestoreSnapshotState ListRestoreSnapshotJobs GetRefreshExternalCollectionProgress
  ListRefreshExternalCollectionJobs`;

/** Sets a state: sent again it leaves the same one. */
const SETTERS = `
  CreateCollection LoadCollection ReleaseCollection CreateAlias AlterCollection AlterCollectionField CreateIndex
  AlterIndex CreatePartition LoadPartitions ReleasePartitions AlterDatabase UpdateResourceGroups Flush FlushAll
  ManualCompaction UpdateReplicateConfiguration Prewarm`;

/** As those; but where the first try was executed, the second is told that it exists already. */
const CREATORS = `
  CreateDatabase CreateNamespace CreateResourceGroup AddCollectionField AddCollectionStructField AddCollectionFunction
  AlterCollectionSchema AlterCollectionFunction`;

/**
 * Milvus would do it twice, or undo what somebody did meanwhile: rows stored twice (it does not compare keys), rows deleted
 * that were inserted again, things dropped that were made anew.
 */
const ONCE = `
  Insert Upsert Delete
  DropCollection DropDatabase DropIndex DropPartition DropAlias DropRole DropResourceGroup DropNamespace
  DropPrivilegeGroup DropRowPolicy DropSnapshot DropCollectionFunction
  RenameCollection AlterAlias TruncateCollection Import LoadBalance TransferNode TransferReplica
  CreateCredential UpdateCredential DeleteCredential
  CreateRole AlterRole OperateUserRole OperatePrivilege OperatePrivilegeV2 CreatePrivilegeGroup OperatePrivilegeGroup
  CreateRowPolicy AddUserTags DeleteUserTags RestoreRBAC
  CreateSnapshot ExportSnapshot RestoreSnapshot RestoreExternalSnapshot PinSnapshotData UnpinSnapshotData
  BatchUpdateManifest ReplicateMessage RefreshExternalCollection AddFileResource RemoveFileResource`;

const words = (text: string) => text.trim().split(/\s+/);

const creators: ReadonlySet<string> = new Set(words(CREATORS));

/** Every RPC that somebody has looked at. */
export const rpcCatalogue: ReadonlyMap<string, Repeatability> = new Map([
  ...words(READS).map(rpc => [rpc, 'read'] as const),
  ...words(`${SETTERS} ${CREATORS}`).map(rpc => [rpc, 'repeatable'] as const),
  ...words(ONCE).map(rpc => [rpc, 'once'] as const),
]);

/** What becomes of an RPC that Milvus executes twice. One that nobody has looked at is sent once. */
export function repeatabilityOf(rpc: string): Repeatability {
  return rpcCatalogue.get(rpc) ?? 'once';
}

/** Of one request: the same RPC adds fields and drops them, and whatever drops is sent once. */
export function repeatabilityOfRequest(
  { name, repeatability }: { name: string; repeatability: Repeatability },
  request: { action?: { drop_request?: unknown } | null },
): Repeatability {
  return name === 'AlterCollectionSchema' && request.action?.drop_request ? 'once' : repeatability;
}

/** Whether "it exists already" may be the answer to the second of two equal requests. */
export function answersExists(rpc: string): boolean {
  return creators.has(rpc);
}
