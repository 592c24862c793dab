// One line for each check. After the first failure nothing more is printed: the others fail because they are ended.
let failed = false;

export function failure() {
  return failed;
}

/** For an end that somebody asked for. */
export function mute() {
  failed = true;
}

function note(line) {
  if (!failed) console.log(line);
}

export async function check(name, work) {
  if (failed) throw new Error('ended, because another check failed');
  const started = performance.now();
  const seconds = () => `(${((performance.now() - started) / 1000).toFixed(1)} s)`;
  try {
    const result = await work();
    note(`ok    ${name} ${seconds()}`);
    return result;
  } catch (error) {
    if (!failed) console.error(`FAIL  ${name} ${seconds()}\n${error.message}`);
    failed = true;
    throw error;
  }
}
