import { BadRequestException, Injectable, type PipeTransform } from '@nestjs/common';

const MODES = ['hybrid', 'text', 'vector'] as const;
const MAX_LIMIT = 50;
const MAX_QUERY_LENGTH = 500;

export type SearchMode = (typeof MODES)[number];

export interface SearchQuery {
  q: string;
  mode: SearchMode;
  limit: number;
}

/** Makes a search of the query string, or answers 400 with everything that is wrong with it. */
@Injectable()
export class SearchQueryPipe implements PipeTransform<Record<string, unknown>, SearchQuery> {
  transform({ q, mode = 'hybrid', limit = '5' }: Record<string, unknown>): SearchQuery {
    const faults: string[] = [];
    const text = typeof q === 'string' ? q.trim() : '';
    if (text === '') faults.push('q: say what to search for, e.g. /search?q=graceful+shutdown');
    if (text.length > MAX_QUERY_LENGTH) faults.push(`q: at most ${MAX_QUERY_LENGTH} characters`);
    if (!MODES.includes(mode as SearchMode)) faults.push(`mode: one of ${MODES.join(', ')}`);
    const count = Number(limit);
    if (!Number.isInteger(count) || count < 1 || count > MAX_LIMIT) {
      faults.push(`limit: an integer from 1 to ${MAX_LIMIT}`);
    }
    if (faults.length > 0) throw new BadRequestException(faults);
    return { q: text, mode: mode as SearchMode, limit: count };
  }
}
