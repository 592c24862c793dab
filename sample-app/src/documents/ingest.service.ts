import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectMilvus, PooledMilvusClient } from 'nestjs-milvus';
import { EmbeddingService } from '../embedding/embedding.service.js';
import { DOCUMENTS, prepareDocuments } from './documents.collection.js';
import { type Paragraph, ParagraphReader } from './paragraph-reader.js';

export interface IngestReport {
  /** Paragraphs read from the packages. */
  paragraphs: number;
  packages: number;
  /** Paragraphs sent to Milvus: none when they were all there. */
  stored: number;
  tookMs: number;
}

const BATCH_SIZE = 250;

@Injectable()
export class IngestService implements OnApplicationBootstrap {
  private readonly logger = new Logger(IngestService.name);
  private running: Promise<IngestReport> | undefined;

  constructor(
    @InjectMilvus('ingest') private readonly milvus: PooledMilvusClient,
    private readonly embedding: EmbeddingService,
    private readonly reader: ParagraphReader,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await prepareDocuments(this.milvus);
  }

  /** Asked again while it runs, it gives the report of the run that goes on. */
  ingest(): Promise<IngestReport> {
    this.running ??= this.run().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async run(): Promise<IngestReport> {
    const startedAt = performance.now();
    const paragraphs = await this.reader.read();
    const missing = (await this.count()) < paragraphs.length ? paragraphs : [];
    for (let start = 0; start < missing.length; start += BATCH_SIZE) {
      await this.store(missing.slice(start, start + BATCH_SIZE));
    }
    const report: IngestReport = {
      paragraphs: paragraphs.length,
      packages: new Set(paragraphs.map(paragraph => paragraph.package)).size,
      stored: missing.length,
      tookMs: Math.round(performance.now() - startedAt),
    };
    this.logger.log(
      `Stored ${report.stored} of ${report.paragraphs} paragraphs of ${report.packages} packages in ${report.tookMs} ms`,
    );
    return report;
  }

  private async count(): Promise<number> {
    const { data } = await this.milvus.count({ collection_name: DOCUMENTS });
    return data;
  }

  /** Upsert, so that an ingest that broke off can be run again. */
  private async store(paragraphs: Paragraph[]): Promise<void> {
    const data = paragraphs.map(paragraph => ({ ...paragraph, dense: this.embedding.embed(paragraph.text) }));
    await this.milvus.upsert({ collection_name: DOCUMENTS, data });
  }
}
