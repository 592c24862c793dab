// TCP connections to a server on this machine, and whose they are. Linux only.
import { readdir, readFile, readlink } from 'node:fs/promises';

const LISTEN = '0A';
const TIME_WAIT = '06';

/**
 * Connections to the port that belong to none of the processes, seen from either side, in words; `undefined` where the
 * system does not tell. TIME_WAIT does not count: that is a connection that is closed.
 */
export async function strayConnections(port, pids) {
  if (process.platform !== 'linux') return undefined;
  const owned = new Set((await Promise.all(pids.map(socketsOf))).flat());
  const rows = (await Promise.all([table('tcp'), table('tcp6')])).flat();
  const open = rows.filter(({ state }) => state !== LISTEN && state !== TIME_WAIT);
  const ours = open.filter(row => row.remotePort === port && owned.has(row.inode));
  const ourPorts = new Set(ours.map(({ localPort }) => localPort));
  return open
    .filter(
      row =>
        (row.remotePort === port && !ourPorts.has(row.localPort)) ||
        (row.localPort === port && !ourPorts.has(row.remotePort)),
    )
    .map(({ localPort, remotePort, state }) => `${localPort} to ${remotePort} in state ${state}`);
}

async function table(name) {
  const text = await readFile(`/proc/net/${name}`, 'utf8').catch(() => '');
  return text
    .trim()
    .split('\n')
    .slice(1)
    .map(line => {
      const [, local, remote, state, , , , , , inode] = line.trim().split(/\s+/);
      return { localPort: portOf(local), remotePort: portOf(remote), state, inode };
    });
}

function portOf(address) {
  return Number.parseInt(address.split(':')[1], 16);
}

async function socketsOf(pid) {
  const folder = `/proc/${pid}/fd`;
  const links = await Promise.all(
    (await readdir(folder).catch(() => [])).map(fd => readlink(`${folder}/${fd}`).catch(() => '')),
  );
  return links.flatMap(link => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
}
