import { Controller, Get, Param } from '@nestjs/common';
import { ConsistencyLevelEnum } from '@zilliz/milvus2-sdk-node';
import { InjectMilvus, type PooledMilvusClient } from 'nestjs-milvus';

const ROWS = [
  { id: 1, vector: [1, 0, 0, 0], title: 'north' },
  { id: 2, vector: [0, 1, 0, 0], title: 'east' },
  { id: 3, vector: [0.8, 0.6, 0, 0], title: 'north by east' },
];

/** Writes with one client and finds with the other. */
@Controller('round-trip')
export class RoundTripController {
  constructor(
    @InjectMilvus('ingest') private readonly ingest: PooledMilvusClient,
    @InjectMilvus('search') private readonly search: PooledMilvusClient,
  ) {}

  @Get(':collection')
  async run(@Param('collection') collection_name: string) {
    await this.ingest.createCollection({
      collection_name,
      dimension: 4,
      metric_type: 'COSINE',
      index_params: { index_type: 'AUTOINDEX', metric_type: 'COSINE' },
    });
    const { insert_cnt } = await this.ingest.insert({ collection_name, data: ROWS });
    const { results } = await this.search.search({
      collection_name,
      data: [1, 0, 0, 0],
      limit: 2,
      metric_type: 'COSINE',
      output_fields: ['id', 'title'],
      consistency_level: ConsistencyLevelEnum.Strong,
    });
    return { inserted: Number(insert_cnt), found: results.map(({ id, title }) => [Number(id), title]) };
  }
}
