import { gunzip } from 'node:zlib';
import { GrpcCode } from './grpc-status.js';

/** 1 byte "compressed?", 4 bytes length, big endian. */
const PREFIX_BYTES = 5;

/** Why an answer's bytes are not one well-formed gRPC message. */
export interface FramingFault {
  code: number;
  message: string;
}

/** Puts the gRPC length prefix before a serialized request. */
export function frameMessage(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

/** The `grpc-timeout` header: at most 8 digits and a unit. Rounded up, so that the server never gives up before us. */
export function formatGrpcTimeout(timeoutMs: number): string {
  const ms = Math.max(1, Math.ceil(timeoutMs));
  return ms <= 99_999_999 ? `${ms}m` : `${Math.min(99_999_999, Math.ceil(ms / 1000))}S`;
}

/** Collects the data frames of a unary answer. Refuses an answer over the limit as soon as its length is known. */
export class UnaryAnswer {
  private readonly chunks: Buffer[] = [];
  private received = 0;
  private expected?: number;
  private compressed = false;

  constructor(private readonly maxBytes: number) {}

  /** @returns the fault that makes reading on pointless, if there is one */
  push(chunk: Buffer): FramingFault | undefined {
    this.chunks.push(chunk);
    this.received += chunk.length;
    if (this.expected === undefined && this.received >= PREFIX_BYTES) {
      const prefix = this.chunks.length === 1 ? chunk : Buffer.concat(this.chunks, this.received);
      if (prefix[0]! > 1) return { code: GrpcCode.INTERNAL, message: 'the answer is not a gRPC message' };
      this.compressed = prefix[0] === 1;
      this.expected = PREFIX_BYTES + prefix.readUInt32BE(1);
      if (this.expected - PREFIX_BYTES > this.maxBytes) return this.tooLarge(this.expected - PREFIX_BYTES);
    }
    if (this.expected !== undefined && this.received > this.expected) {
      return { code: GrpcCode.INTERNAL, message: 'the answer holds more than one message' };
    }
    return undefined;
  }

  /** Hands over the message, decompressed, once the stream has ended. Called exactly once. */
  finish(
    encoding: string | undefined,
    done: (message: Buffer | undefined, fault?: FramingFault) => void,
  ): void {
    if (this.expected === undefined || this.received < this.expected) {
      const what = this.received === 0 ? 'the answer holds no message' : 'the answer is cut off';
      return done(undefined, { code: GrpcCode.INTERNAL, message: what });
    }
    const whole = this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks, this.received);
    const body = whole.subarray(PREFIX_BYTES);
    if (!this.compressed) return done(body);
    if (encoding !== 'gzip') {
      return done(undefined, {
        code: GrpcCode.INTERNAL,
        message: `the answer is compressed as "${encoding ?? 'unknown'}", which was not offered`,
      });
    }
    gunzip(body, { maxOutputLength: this.maxBytes }, (error, message) => {
      if (!error) done(message);
      else if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
        done(undefined, this.tooLarge());
      else
        done(undefined, {
          code: GrpcCode.INTERNAL,
          message: `the answer is not valid gzip: ${error.message}`,
        });
    });
  }

  private tooLarge(bytes?: number): FramingFault {
    const size = bytes === undefined ? 'The answer' : `The answer of ${bytes} bytes`;
    return {
      code: GrpcCode.RESOURCE_EXHAUSTED,
      message: `${size} is larger than pool.maxReceiveBytes (${this.maxBytes}). Ask for less or raise the limit`,
    };
  }
}
