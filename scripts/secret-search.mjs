// Fails when a token or password that tests use stands in the output of a run, in plain or as authorization header:
// `node scripts/secret-search.mjs <file>`
import { readFile } from 'node:fs/promises';
import { stripVTControlCharacters } from 'node:util';
import { SECRETS_OF_TESTS } from '../test/support/secret-witness-list.mjs';

const [file] = process.argv.slice(2);
if (!file) {
  console.error('Usage: node scripts/secret-search.mjs <file>');
  process.exit(2);
}

const base64 = text => Buffer.from(text, 'utf8').toString('base64');
const searched = SECRETS_OF_TESTS.flatMap(secret => [
  secret,
  encodeURIComponent(secret),
  base64(secret),
  base64(`root:${secret}`),
]);

/** Jest quotes sources and names of tests, which hold the secrets: `> 12 | code`, `● a test`. */
const QUOTED = /^\s*(>?\s*\d*\s*\||●|✓|✕|LOGGING RETRY ERRORS)/;

const lines = stripVTControlCharacters(await readFile(file, 'utf8')).split('\n');
const faults = lines.flatMap((line, index) => {
  if (QUOTED.test(line) || !searched.some(text => line.includes(text))) return [];
  const hidden = searched.reduce((shown, text) => shown.replaceAll(text, '***'), line);
  return [`  line ${index + 1}: ${hidden.trim().slice(0, 200)}`];
});

if (faults.length > 0) {
  console.error(`A token or password of the tests was printed:\n${faults.join('\n')}`);
  process.exit(1);
}
console.log(`None of ${SECRETS_OF_TESTS.length} tokens and passwords in ${lines.length} lines of output`);
