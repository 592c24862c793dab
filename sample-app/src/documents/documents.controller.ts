import { Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import { type IngestReport, IngestService } from './ingest.service.js';
import { type SearchAnswer, SearchService } from './search.service.js';
import { type SearchQuery, SearchQueryPipe } from './search-query.pipe.js';

@Controller()
export class DocumentsController {
  constructor(
    private readonly ingestService: IngestService,
    private readonly searchService: SearchService,
  ) {}

  @Post('ingest')
  @HttpCode(200)
  ingest(): Promise<IngestReport> {
    return this.ingestService.ingest();
  }

  @Get('search')
  search(@Query(SearchQueryPipe) query: SearchQuery): Promise<SearchAnswer> {
    return this.searchService.search(query);
  }
}
