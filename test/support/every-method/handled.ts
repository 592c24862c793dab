import type { MethodCase } from './cases.js';
import type { Step } from './scenes.js';
import type { Shape } from './shapes.js';

/** A failure that is no failure of the method. */
interface Handled {
  because: string;
  methods: string[];
  shapes: string[];
  /** The one RPC that may fail so; without it, all may. */
  rpc?: string;
  /** What the method then gives. */
  gives(result: unknown): boolean;
}

const noCollection = ['code 100 CollectionNotExists', 'code 100 alone', 'CollectionNotExists without a code'];
const isFalse = (result: unknown) => (result as { value?: unknown }).value === false;
const succeeds = () => true;

const handled: Handled[] = [
  {
    because: 'it asks whether there is one',
    methods: ['hasCollection'],
    shapes: noCollection,
    gives: isFalse,
  },
  {
    because: 'it asks whether there is one',
    methods: ['hasPartition'],
    shapes: [...noCollection, 'code 200 of a partition'],
    gives: isFalse,
  },
  {
    because: 'it creates what is not there',
    methods: ['createCollection'],
    shapes: noCollection,
    rpc: 'DescribeCollection',
    gives: succeeds,
  },
  {
    because: 'it creates the index that is not there',
    methods: ['createCollection'],
    shapes: ['code 700 IndexNotExist'],
    rpc: 'DescribeIndex',
    gives: succeeds,
  },
  {
    because: 'it reads the schema again, once',
    methods: ['insert'],
    shapes: ['code 109 SchemaMismatch'],
    rpc: 'Insert',
    gives: succeeds,
  },
  {
    because: 'it reads the schema again, once',
    methods: ['upsert'],
    shapes: ['code 109 SchemaMismatch'],
    rpc: 'Upsert',
    gives: succeeds,
  },
  {
    because: 'older servers have AddCollectionField instead',
    methods: ['addCollectionField', 'addCollectionFields'],
    shapes: ['gRPC 12 UNIMPLEMENTED'],
    rpc: 'AlterCollectionSchema',
    gives: succeeds,
  },
];

/** Whether this failure belongs to what the method does, and what it then gives. */
export function handledFailure({ method }: MethodCase, shape: Shape, step?: Step): Handled | undefined {
  return handled.find(
    ({ methods, shapes, rpc }) =>
      methods.includes(method) && shapes.includes(shape.name) && (!rpc || rpc === step?.rpc),
  );
}
