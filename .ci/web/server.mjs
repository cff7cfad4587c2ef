// A server on the demo model for the checks.
import { spawn } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');
export const demo = join(root, 'demo');

/** A new folder for a server. */
export const fresh = () => mkdtemp(join(tmpdir(), 'wayword-page-'));

/** Starts `wayword serve`; gives its address and what ends it. */
export async function start(out) {
  const folder = out ?? await fresh();
  const program = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'release/wayword');
  const base = join(demo, 'wayword-mini.safetensors');
  const server = spawn(program, ['serve', '--port', '0', '--base', base, '--models', demo,
    '--pictures', join(demo, 'concepts'), '--out', join(folder, 'out')], {
    stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, HOME: folder, XDG_CACHE_HOME: join(folder, 'cache') },
  });
  const address = await new Promise((told, failed) => {
    server.on('exit', (code) => failed(new Error(`the server ended with ${code}`)));
    server.stdout.on('data', (text) => { const found = /http:\S+/.exec(text); if (found) told(found[0]); });
  });
  return {
    address, folder, process: server,
    end: () => new Promise((over) => {
      server.removeAllListeners('exit');
      server.on('exit', over);
      server.kill('SIGINT');
    }),
  };
}

let checks = 0;
/** One thing that must be so. */
export function check(what, holds, about = '') {
  checks += 1;
  if (!holds) throw new Error(`${what}: not so ${about}`);
  console.log(`ok ${checks} ${what}`);
}
