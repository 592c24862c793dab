import { Module } from '@nestjs/common';
import { EmbeddingService } from '../embedding/embedding.service.js';
import { DocumentsController } from './documents.controller.js';
import { IngestService } from './ingest.service.js';
import { ParagraphReader } from './paragraph-reader.js';
import { SearchService } from './search.service.js';

@Module({
  controllers: [DocumentsController],
  providers: [EmbeddingService, IngestService, ParagraphReader, SearchService],
})
export class DocumentsModule {}
