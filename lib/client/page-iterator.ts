import type { MilvusClient } from '@zilliz/milvus2-sdk-node';
import type { Call } from './call.js';
import { assignCall, type Caller, type CallView, callOf, DATABASE_KEY } from './call-view.js';
import { callRequest } from './sdk-call.js';
import type { SdkMethod } from './sdk-methods.js';

type Page = IteratorResult<unknown, unknown>;

/** What the SDK's `queryIterator` and `searchIterator` give. */
interface Pages {
  [Symbol.asyncIterator](): AsyncIterator<unknown, unknown>;
}

interface FoundPage {
  results: unknown[];
  /** Where the next page begins. */
  search_iterator_v2_results?: object | null;
}

const TOO_OLD = 'Milvus did not say where the next page begins: this server is too old for search iterators';

/**
 * Opens one of the SDK's iterators. Opening it is one call, and so is each of its pages; an error of a page, which the
 * SDK takes for the end, is thrown. Nothing is held between two pages but memory.
 */
export async function openPages(
  caller: Caller,
  name: string,
  method: SdkMethod,
  args: unknown[],
): Promise<Pages> {
  const [request, ...rest] = args;
  const source = new PageSource(caller, name, request);
  const pages = (await source.run(view => method.apply(view, [source.watched(request), ...rest]))) as Pages;
  return { ...pages, [Symbol.asyncIterator]: () => new PageIterator(source, pages[Symbol.asyncIterator]()) };
}

/** The view that the SDK's iterator keeps for ever: it belongs to one page's call after the other. */
class PageSource {
  private readonly view: CallView;
  /** What the page that is under way met, and the SDK takes for the end. */
  private readonly swallowed: unknown[] = [];
  /** Every page comes from the database that the iterator was opened in. */
  private readonly database: string;

  constructor(
    private readonly caller: Caller,
    private readonly name: string,
    private readonly request: unknown,
  ) {
    this.database = callRequest(caller, name, request).metadata[DATABASE_KEY]!;
    this.view = Object.create(caller.root) as CallView;
    const { search } = caller.root;
    Object.assign(this.view, { search: (request: never) => this.search(search, request) });
  }

  /** The request, with a filter function whose errors are not lost. */
  watched(request: unknown): unknown {
    const filter = (request as { external_filter_fn?: (row: unknown) => unknown } | null)?.external_filter_fn;
    if (typeof filter !== 'function') return request;
    const external_filter_fn = (row: unknown): unknown => {
      try {
        return filter(row);
      } catch (error) {
        this.swallowed.push(error);
        return false;
      }
    };
    return { ...(request as object), external_filter_fn };
  }

  /** @param began gets the call, so that it can be ended */
  run<Result>(
    work: (view: CallView) => Result | Promise<Result>,
    began: (call: Call) => void = () => {},
  ): Promise<Result> {
    const metadata = this.caller.metadata(this.database);
    const request = { ...callRequest(this.caller, this.name, this.request), metadata, strict: true };
    return this.caller.runtime.call(request, async call => {
      began(call);
      this.swallowed.length = 0;
      assignCall(this.view, this.caller, call);
      const result = await work(this.view);
      if (this.swallowed.length > 0) throw this.swallowed[0];
      return result;
    });
  }

  /** The SDK prints an error of `search` and takes it for the last page; this keeps it instead. */
  private async search(search: MilvusClient['search'], request: never): Promise<unknown> {
    try {
      const found = (await search.call(this.view, request)) as FoundPage;
      const place = found.search_iterator_v2_results;
      if (found.results.length > 0 && !place) throw new Error(TOO_OLD);
      if (callOf(this.view).failures.length === 0)
        return { ...found, search_iterator_v2_results: place ?? {} };
    } catch (error) {
      this.swallowed.push(error);
    }
    return { results: [], search_iterator_v2_results: {} };
  }
}

class PageIterator implements AsyncIterableIterator<unknown, unknown> {
  private over = false;
  /** Of the page that is under way, or was last. */
  private call?: Call;
  /** Pages are asked for one after the other, however fast the caller asks. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly source: PageSource,
    private readonly pages: AsyncIterator<unknown, unknown>,
  ) {}

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Page> {
    const page = this.last.then(() => this.nextPage());
    this.last = page.catch(() => {});
    return page;
  }

  /** The caller wants no more; a page that is under way is cancelled. */
  async return(value?: unknown): Promise<Page> {
    this.over = true;
    this.call?.end(new Error('The iteration was ended'));
    await this.last;
    return { done: true, value };
  }

  private async nextPage(): Promise<Page> {
    if (this.over) return { done: true, value: undefined };
    try {
      const page = await this.source.run(
        () => this.pages.next(),
        call => {
          this.call = call;
        },
      );
      if (page.done) this.over = true;
      return page;
    } catch (error) {
      if (this.over) return { done: true, value: undefined };
      this.over = true;
      throw error;
    }
  }
}
