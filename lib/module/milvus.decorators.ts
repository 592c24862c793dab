import { Inject } from '@nestjs/common';

/** Name of a client that was given none. */
export const DEFAULT_CLIENT = 'default';

/**
 * The injection token of a named client, for factories and for tests.
 *
 * @example
 * Test.createTestingModule({ imports: [AppModule] }).overrideProvider(getMilvusToken('search')).useValue(fake);
 */
export function getMilvusToken(name: string = DEFAULT_CLIENT): string {
  return `MilvusClient:${name}`;
}

/**
 * Injects a named {@link PooledMilvusClient}.
 *
 * @example
 * constructor(@InjectMilvus('search') private readonly milvus: PooledMilvusClient) {}
 */
export function InjectMilvus(name: string = DEFAULT_CLIENT): PropertyDecorator & ParameterDecorator {
  return Inject(getMilvusToken(name));
}
