import { constants } from 'node:http2';
import { failure, type Message, success } from '../stub-answers.js';
import { answer, answerRaw, type Behaviour, badFraming, hang, rst, status } from '../stub-behaviours.js';
import { failedAnswer } from './answers.js';

/** One way in which an RPC goes wrong. */
export interface Shape {
  name: string;
  kind: 'status' | 'grpc' | 'reset' | 'garbage' | 'empty' | 'hang';
  play: Behaviour;
  /** Milvus's status, in the shapes that are one. */
  status?: { code: number; error_code: string | number; reason: string };
  /** What the failure is as a gRPC code, in the shapes that end the RPC with one. */
  grpcCode?: number;
  /** Also lets single RPCs of a method fail, while the others succeed. */
  singly?: boolean;
  /** Of no interest for the others. */
  methods?: string[];
}

type Extras = Pick<Shape, 'singly' | 'methods'>;
const singly: Extras = { singly: true };

function refusal(name: string, code: number, error_code: string | number, extras: Extras = {}): Shape {
  const reason = `the stub says no: ${name}`;
  const said = { ...failure(code, undefined, reason), error_code } as Message;
  return {
    name,
    kind: 'status',
    status: { code, error_code, reason },
    play: call => answer(failedAnswer(call.rpc, said))(call),
    ...extras,
  };
}

/** One of several answers in one: the whole is a success. */
function refusalOfOne(name: string, code: number, error_code: string, methods: string[]): Shape {
  const whole = refusal(name, code, error_code, { methods });
  const responses = [{ status: whole.status as Message }];
  return { ...whole, play: answer({ status: success, responses }) };
}

function grpcError(name: string, grpcCode: number, extras: Extras = {}, trailersOnly = true): Shape {
  const play = status(grpcCode, `the stub says ${name}`, { trailersOnly });
  return { name: `gRPC ${grpcCode} ${name}`, kind: 'grpc', grpcCode, play, ...extras };
}

function reset(name: string, code: number, grpcCode: number, extras: Extras = {}): Shape {
  return { name: `RST_STREAM ${name}`, kind: 'reset', grpcCode, play: rst(code), ...extras };
}

/** Field 1000 of a wire type that protobuf does not have. */
const noProtobuf = Buffer.from([0xc7, 0x3e]);

export const shapes: Shape[] = [
  refusal('code 100 CollectionNotExists', 100, 'CollectionNotExists', singly),
  refusal('code 65535 UnexpectedError', 65535, 'UnexpectedError', singly),
  refusal('code 8 RateLimit', 8, 'RateLimit', singly),
  refusal('code 700 IndexNotExist', 700, 'IndexNotExist', singly),
  // As Milvus Lite says it.
  refusal('code 100 alone', 100, 'Success', singly),
  refusal('code 8 alone', 8, 'Success'),
  // As servers before 2.3 say it.
  refusal('CollectionNotExists without a code', 0, 'CollectionNotExists', singly),
  refusal('UnexpectedError without a code', 0, 'UnexpectedError', singly),
  refusal('code 2200 and a name that the SDK does not know', 2200, 9999),
  refusal('code 109 SchemaMismatch', 109, 'SchemaMismatch', { singly: true, methods: ['insert', 'upsert'] }),
  refusalOfOne('code 100 of one collection', 100, 'CollectionNotExists', ['batchDescribeCollections']),
  refusal('code 200 of a partition', 200, 'UnexpectedError', { methods: ['hasPartition'] }),
  grpcError('CANCELLED', 1),
  grpcError('UNKNOWN', 2),
  grpcError('INVALID_ARGUMENT', 3),
  grpcError('DEADLINE_EXCEEDED', 4),
  grpcError('NOT_FOUND', 5),
  grpcError('PERMISSION_DENIED', 7),
  grpcError('RESOURCE_EXHAUSTED', 8),
  grpcError('UNIMPLEMENTED', 12, singly),
  grpcError('INTERNAL', 13, {}, false),
  grpcError('UNAVAILABLE', 14, singly),
  grpcError('UNAUTHENTICATED', 16),
  reset('REFUSED_STREAM', constants.NGHTTP2_REFUSED_STREAM, 14),
  reset('INTERNAL_ERROR', constants.NGHTTP2_INTERNAL_ERROR, 13, singly),
  reset('CANCEL', constants.NGHTTP2_CANCEL, 1),
  {
    name: 'bytes that are no protobuf',
    kind: 'garbage',
    grpcCode: 13,
    play: answerRaw(noProtobuf),
    ...singly,
  },
  { name: 'bytes that are no gRPC frame', kind: 'garbage', play: badFraming('garbage') },
  { name: 'an answer of no bytes', kind: 'empty', play: answerRaw(Buffer.alloc(0)), ...singly },
  { name: 'no answer at all', kind: 'hang', grpcCode: 4, play: hang(), ...singly },
];
