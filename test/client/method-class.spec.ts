import { describe, expect, it } from '@jest/globals';
import { type MethodClass, methodClass, rpcClass } from '../../lib/client/method-class.js';
import { sdkMethods } from '../../lib/client/sdk-methods.js';

/** Looked at one by one. A method that is missing here came with a later SDK: decide which class it belongs to. */
const known: Record<MethodClass, string> = {
  read: `
    backupRBAC batchDescribeCollections checkCompatibility checkHealth count describeAlias describeCollection
    describeDatabase describeIndex describeResourceGroup describeRole describeSnapshot describeUser get
    getCollectionStatistics getCompactionState getCompactionStateWithPlans getFlushAllState
    getFlushState getImportState getIndexBuildProgress getIndexState getIndexStatistics getLoadingProgress getLoadState
    getMetric getPartitionStatistics getPersistentSegmentInfo getPkField getPkFieldName getPkFieldType
    getQuerySegmentInfo getRefreshExternalCollectionProgress getReplicas getReplicateConfiguration
    getRestoreSnapshotState getVersion hasCollection hasPartition hasRole listAliases listDatabases listFileResources
    listGrants listImportTasks listIndexes listPartitions listPrivilegeGroups listRefreshExternalCollectionJobs
    listResourceGroups listRestoreSnapshotJobs listRoles listSnapshots listUsers query queryIterator runAnalyzer search searchIterator selectGrant
    showCollections`,
  write: 'delete deleteEntities insert upsert',
  wait: 'createCollection flushAllSync flushSync loadCollection loadPartitionsSync',
  admin: `
    addCollectionField addCollectionFields addCollectionFunction addFileResource addFunctionField addPrivilegesToGroup
    addUserToRole alterAlias alterCollectionFieldProperties alterCollectionFunction alterCollectionProperties
    alterCollectionSchema alterDatabase alterIndexProperties alterRole bulkInsert compact createAlias createDatabase
    createIndex createPartition createPrivilegeGroup createResourceGroup createRole createSnapshot createUser deleteUser
    dropAlias dropAllResourceGroups dropAllRoles dropCollection dropCollectionField dropCollectionFunction
    dropCollectionProperties dropDatabase dropDatabaseProperties dropFunctionField dropIndex dropIndexProperties
    dropPartition dropPrivilegeGroup dropResourceGroup dropRole dropSnapshot flush flushAll grantPrivilege
    grantPrivilegeV2 loadBalance loadCollectionAsync loadPartitions pinSnapshotData refreshExternalCollection
    refreshLoad releaseCollection releasePartitions removeFileResource removePrivilegesFromGroup removeUserFromRole
    renameCollection restoreRBAC restoreSnapshot revokePrivilege revokePrivilegeV2 transferNode transferReplica
    truncateCollection unpinSnapshotData updateReplicateConfiguration updateResourceGroups updateUser`,
};

/** A part of the SDK's own methods. */
const internal = 'callAlterCollectionSchema';

const words = (text: string) => text.trim().split(/\s+/);
const listed = Object.entries(known).flatMap(([of, names]) => words(names).map(name => [name, of]));

describe('the class of a method', () => {
  it.each(listed)('of %s is %s', (name, of) => {
    expect(methodClass(name!)).toBe(of);
  });

  it('is known for every method that the SDK has', () => {
    const names = [...listed.map(([name]) => name), ...words(internal)];

    expect([...sdkMethods().keys()].sort()).toEqual(names.sort());
  });

  it.each(['ping', 'isAvailable'])('of our own %s is read', name => {
    expect(methodClass(name)).toBe('read');
  });

  it('of an alias is that of what it stands for', () => {
    expect(methodClass('loadCollectionSync')).toBe('wait');
    expect(methodClass('listCollections')).toBe('read');
    expect(methodClass('drop_collection')).toBe('admin');
  });

  it('is admin, the careful one, for what nobody knows', () => {
    expect(methodClass('reticulateSplines')).toBe('admin');
  });
});

describe('the class of an RPC', () => {
  it.each([
    ['DescribeCollection', 'read'],
    ['GetLoadingProgress', 'read'],
    ['Search', 'read'],
    ['Insert', 'write'],
    ['Delete', 'write'],
    ['CreateIndex', 'admin'],
    ['Flush', 'admin'],
    // As a method each of these waits; as an RPC none does.
    ['LoadCollection', 'admin'],
    ['CreateCollection', 'admin'],
  ])('%s is %s', (rpc, of) => {
    expect(rpcClass(rpc)).toBe(of);
  });
});

describe('the methods that are calls', () => {
  it.each([
    'constructor',
    'connect',
    'use',
    'closeConnection',
    'reconnectToPrimary',
    'session',
    'getTelemetry',
    '_insert',
    '_search',
  ])('do not include %s', name => {
    expect(sdkMethods().has(name)).toBe(false);
  });
});
