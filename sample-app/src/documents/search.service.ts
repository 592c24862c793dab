import { Injectable } from '@nestjs/common';
import { RRFRanker } from '@zilliz/milvus2-sdk-node';
import { InjectMilvus, PooledMilvusClient } from 'nestjs-milvus';
import { EmbeddingService } from '../embedding/embedding.service.js';
import { DOCUMENTS } from './documents.collection.js';
import type { SearchMode, SearchQuery } from './search-query.pipe.js';

export interface SearchHit {
  package: string;
  file: string;
  text: string;
  /** Higher is better; comparable within one answer only. */
  score: number;
}

export interface SearchAnswer {
  query: string;
  mode: SearchMode;
  tookMs: number;
  hits: SearchHit[];
}

@Injectable()
export class SearchService {
  constructor(
    @InjectMilvus('search') private readonly milvus: PooledMilvusClient,
    private readonly embedding: EmbeddingService,
  ) {}

  async search({ q, mode, limit }: SearchQuery): Promise<SearchAnswer> {
    const startedAt = performance.now();
    const { results } = await this.ask(q, mode, limit);
    return {
      query: q,
      mode,
      tookMs: Math.round(performance.now() - startedAt),
      hits: results.map(hit => ({
        package: hit['package'],
        file: hit['file'],
        text: hit['text'],
        // Milvus Lite gives BM25 scores a minus sign.
        score: Math.abs(hit.score),
      })),
    };
  }

  private ask(q: string, mode: SearchMode, limit: number) {
    const request = { collection_name: DOCUMENTS, limit, output_fields: ['package', 'file', 'text'] };
    const byText = { anns_field: 'sparse', data: q, metric_type: 'BM25', params: {} };
    const byVector = {
      anns_field: 'dense',
      data: this.embedding.embed(q),
      metric_type: 'COSINE',
      params: {},
    };
    switch (mode) {
      case 'text':
        return this.milvus.search({ ...request, ...byText });
      case 'vector':
        return this.milvus.search({ ...request, ...byVector });
      case 'hybrid':
        return this.milvus.hybridSearch({ ...request, data: [byText, byVector], rerank: RRFRanker() });
    }
  }
}
