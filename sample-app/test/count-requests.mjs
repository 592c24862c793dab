// Loaded into the application under test with `--import`: counts the requests that its HTTP servers accepted, which
// from outside nobody can know. Writes the count to the file named in REQUEST_COUNT_FILE when the process exits.
import { subscribe } from 'node:diagnostics_channel';
import { writeFileSync } from 'node:fs';

const counts = { accepted: 0, answered: 0 };

subscribe('http.server.request.start', () => {
  counts.accepted += 1;
});
subscribe('http.server.response.finish', () => {
  counts.answered += 1;
});
process.once('exit', () => writeFileSync(process.env['REQUEST_COUNT_FILE'], JSON.stringify(counts)));
