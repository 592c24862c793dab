import { AsyncLocalStorage } from 'node:async_hooks';

type Databases = ReadonlyMap<object, string>;

/** What `use()` chose, for the asynchronous context that called it; one storage serves all clients. */
const chosen = new AsyncLocalStorage<Databases>();

/** From here on, and in everything that this asynchronous context starts, `client` uses this database. */
export function chooseDatabase(client: object, database: string): void {
  chosen.enterWith(new Map([...(chosen.getStore() ?? []), [client, database]]));
}

/** The database that this asynchronous context chose for `client`. */
export function chosenDatabase(client: object): string | undefined {
  return chosen.getStore()?.get(client);
}
