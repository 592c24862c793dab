import protoLoader from '@grpc/proto-loader';
import protobuf from 'protobufjs';

/**
 * Each client of the SDK parses the same three definitions anew: 180 ms under jest, for hundreds of clients. Here they
 * are parsed once for each test file.
 */
const parsed = new Map<unknown, unknown>();

function once<Json, Result>(parse: (json: Json, ...rest: never[]) => Result) {
  return (json: Json, ...rest: never[]): Result => {
    if (!parsed.has(json)) parsed.set(json, parse(json, ...rest));
    return parsed.get(json) as Result;
  };
}

protobuf.Root.fromJSON = once(protobuf.Root.fromJSON) as typeof protobuf.Root.fromJSON;
Object.assign(protoLoader, { fromJSON: once(protoLoader.fromJSON as never) });
