// Tells the secret witness (secret-witness.ts) of each class of lib/ when its module is loaded: so a test file pays for no
// module that it does not load itself, and a class may move to another file.
import { join } from 'node:path';
import swc from '@swc/jest';

const lib = join(import.meta.dirname, '..', '..', 'lib');

function announcing(source, file) {
  if (!file.startsWith(lib)) return source;
  const names = [...source.matchAll(/^export (?:abstract )?class (\w+)/gm)].map(([, name]) => name);
  const tell = name => `globalThis[Symbol.for('nestjs-milvus.secret-witness')]?.(${name});`;
  // Behind the source: no line moves.
  return `${source}\n${names.map(tell).join('\n')}\n`;
}

export default {
  createTransformer(options) {
    const transformer = swc.createTransformer(options);
    const announced =
      method =>
      (source, file, ...rest) =>
        transformer[method](announcing(source, file), file, ...rest);
    return {
      ...transformer,
      process: announced('process'),
      processAsync: announced('processAsync'),
      getCacheKey: announced('getCacheKey'),
    };
  },
};
