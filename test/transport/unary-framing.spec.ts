import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { GrpcCode } from '../../lib/transport/grpc-status.js';
import {
  type FramingFault,
  formatGrpcTimeout,
  frameMessage,
  UnaryAnswer,
} from '../../lib/transport/unary-framing.js';

interface Read {
  message?: Buffer;
  fault?: FramingFault;
  /** How many bytes had been handed over when reading was given up. */
  givenUpAfter?: number;
}

/** Reads a stream's data as the transport does. */
async function read(
  chunks: Buffer[],
  { maxBytes = 1_000_000, encoding = undefined as string | undefined } = {},
): Promise<Read> {
  const answer = new UnaryAnswer(maxBytes);
  let bytes = 0;
  for (const chunk of chunks) {
    bytes += chunk.length;
    const fault = answer.push(chunk);
    if (fault) return { fault, givenUpAfter: bytes };
  }
  return new Promise(resolve =>
    answer.finish(encoding, (message, fault) =>
      resolve({ ...(message && { message }), ...(fault && { fault }) }),
    ),
  );
}

function frame(message: Uint8Array, { flag = 0, length = message.length } = {}): Buffer {
  const prefix = Buffer.from([flag, 0, 0, 0, 0]);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
}

/** Cuts bytes at any places, empty pieces included. */
function split(bytes: Buffer, cuts: number[]): Buffer[] {
  const places = [...cuts.map(cut => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return places.map((end, i) => bytes.subarray(i === 0 ? 0 : places[i - 1], end));
}

const anyMessage = fc.uint8Array({ maxLength: 400 });
const anyCuts = fc.array(fc.nat(), { maxLength: 12 });

describe('framing', () => {
  it('puts flag and length before the message', () => {
    expect([...frameMessage(Uint8Array.of(7, 8))]).toEqual([0, 0, 0, 0, 2, 7, 8]);
    expect([...frameMessage(new Uint8Array())]).toEqual([0, 0, 0, 0, 0]);
    expect(frameMessage(Buffer.alloc(0x01_02_03)).subarray(0, 5)).toEqual(Buffer.from([0, 0, 1, 2, 3]));
  });

  it('reads every message whatever pieces it comes in', async () => {
    await fc.assert(
      fc.asyncProperty(anyMessage, anyCuts, async (message, cuts) => {
        expect(await read(split(frameMessage(message), cuts))).toEqual({ message: Buffer.from(message) });
      }),
    );
  });

  it('reads every compressed message whatever pieces it comes in', async () => {
    await fc.assert(
      fc.asyncProperty(anyMessage, anyCuts, async (message, cuts) => {
        const chunks = split(frame(gzipSync(message), { flag: 1 }), cuts);
        expect(await read(chunks, { encoding: 'gzip' })).toEqual({ message: Buffer.from(message) });
      }),
    );
  });

  it('never takes a part of a message for the whole, wherever it ends', async () => {
    await fc.assert(
      fc.asyncProperty(anyMessage, fc.nat(), anyCuts, async (message, end, cuts) => {
        const whole = frameMessage(message);
        const { message: got, fault } = await read(split(whole.subarray(0, end % whole.length), cuts));
        expect([got, fault?.code]).toEqual([undefined, GrpcCode.INTERNAL]);
      }),
    );
  });

  it('takes no two messages, wherever the second begins', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyMessage,
        fc.uint8Array({ minLength: 1, maxLength: 50 }),
        anyCuts,
        async (message, more, cuts) => {
          const { message: got, fault } = await read(
            split(Buffer.concat([frameMessage(message), more]), cuts),
          );
          expect(got).toBeUndefined();
          expect(fault).toEqual({
            code: GrpcCode.INTERNAL,
            message: 'the answer holds more than one message',
          });
        },
      ),
    );
  });

  it('gives no data a name of its own', async () => {
    expect((await read([])).fault?.message).toBe('the answer holds no message');
    expect((await read([Buffer.alloc(0)])).fault?.message).toBe('the answer holds no message');
    expect((await read([Buffer.alloc(1)])).fault?.message).toBe('the answer is cut off');
  });
});

describe('the size limit', () => {
  it('is inclusive', async () => {
    expect((await read([frameMessage(Buffer.alloc(100))], { maxBytes: 100 })).message?.length).toBe(100);
    expect((await read([frameMessage(Buffer.alloc(101))], { maxBytes: 100 })).fault?.code).toBe(
      GrpcCode.RESOURCE_EXHAUSTED,
    );
  });

  it('refuses from the prefix on, before the message itself has come', async () => {
    const prefix = frame(new Uint8Array(), { length: 0xffff_ffff });
    const { fault, givenUpAfter } = await read([prefix.subarray(0, 3), prefix.subarray(3), Buffer.alloc(9)]);
    expect(givenUpAfter).toBe(5);
    expect(fault?.message).toContain('4294967295 bytes is larger than pool.maxReceiveBytes (1000000)');
  });

  it('holds for what a small compressed answer becomes', async () => {
    const bomb = frame(gzipSync(Buffer.alloc(10_000_000)), { flag: 1 });
    expect(bomb.length).toBeLessThan(20_000);
    const { message, fault } = await read([bomb], { encoding: 'gzip' });
    expect([message, fault?.code]).toEqual([undefined, GrpcCode.RESOURCE_EXHAUSTED]);
    expect((await read([bomb], { encoding: 'gzip', maxBytes: 10_000_000 })).message?.length).toBe(10_000_000);
  });
});

describe('a compressed answer', () => {
  it.each([undefined, 'identity', 'deflate', 'snappy'])('is refused in the encoding %s', async encoding => {
    const { fault } = await read([frame(gzipSync('x'), { flag: 1 })], { ...(encoding && { encoding }) });
    expect([fault?.code, fault?.message]).toEqual([
      GrpcCode.INTERNAL,
      `the answer is compressed as "${encoding ?? 'unknown'}", which was not offered`,
    ]);
  });

  it('need not be compressed when only the header says so', async () => {
    expect((await read([frameMessage(Buffer.from('x'))], { encoding: 'gzip' })).message?.toString()).toBe(
      'x',
    );
  });

  it('is a fault, never an exception, when it is not gzip', async () => {
    await fc.assert(
      fc.asyncProperty(anyMessage, async junk => {
        const { message, fault } = await read([frame(junk, { flag: 1 })], { encoding: 'gzip' });
        expect(message).toBeUndefined();
        expect(fault?.code).toBe(GrpcCode.INTERNAL);
      }),
    );
  });

  it('is refused with a flag that gRPC does not know', async () => {
    const { message, fault } = await read([frame(Buffer.from('x'), { flag: 2 })]);
    expect([message, fault?.code]).toEqual([undefined, GrpcCode.INTERNAL]);
  });
});

describe('grpc-timeout', () => {
  it.each([
    [9_000, '9000m'],
    [0.2, '1m'],
    [1.0001, '2m'],
    [0, '1m'],
    [-5, '1m'],
    [99_999_999, '99999999m'],
    [100_000_000, '100000S'],
    [100_000_001, '100001S'],
    [Number.POSITIVE_INFINITY, '99999999S'],
  ])('of %d ms is %s', (timeoutMs, header) => {
    expect(formatGrpcTimeout(timeoutMs)).toBe(header);
  });

  it('is well formed and never shorter than the time given, whatever that is', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 9e10, noNaN: true }), timeoutMs => {
        const header = formatGrpcTimeout(timeoutMs);
        expect(header).toMatch(/^[1-9]\d{0,7}[mS]$/);
        const ms = Number.parseInt(header, 10) * (header.endsWith('S') ? 1_000 : 1);
        expect(ms).toBeGreaterThanOrEqual(timeoutMs);
        expect(ms).toBeLessThan(timeoutMs + (header.endsWith('S') ? 1_001 : 1.1));
      }),
    );
  });
});
