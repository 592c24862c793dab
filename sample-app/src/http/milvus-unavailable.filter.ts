import { type ArgumentsHost, Catch, Logger, ServiceUnavailableException } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { MilvusDeadlineExceededError, MilvusUnavailableError } from 'nestjs-milvus';

type Unavailable = MilvusUnavailableError | MilvusDeadlineExceededError;

/** Milvus cannot be reached, or is too slow: 503, which clients and load balancers understand, instead of 500. */
@Catch(MilvusUnavailableError, MilvusDeadlineExceededError)
export class MilvusUnavailableFilter extends BaseExceptionFilter<Unavailable> {
  private readonly logger = new Logger(MilvusUnavailableFilter.name);

  override catch(error: Unavailable, host: ArgumentsHost): void {
    this.logger.warn(error.message);
    const answer = new ServiceUnavailableException('Milvus is not available now, please try again later');
    super.catch(answer as never, host);
  }
}
