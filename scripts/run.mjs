// Runs a program of this checkout, built first if a source is newer than the last build.
//   node scripts/run.mjs server/main.js ARGS
import { spawn, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const [program, ...args] = process.argv.slice(2);
const built = spawnSync(process.execPath, [join(here, 'build.mjs'), '--if-stale'], {
  stdio: ['ignore', 2, 2],
});
if (built.status !== 0) process.exit(built.status ?? 1);

const child = spawn(process.execPath, [join(here, '..', 'dist', program), ...args], { stdio: 'inherit' });
// A terminal sends Ctrl-C to the whole group; a supervisor signals only this process. Either way the program
// decides when it is done.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
process.on('SIGHUP', () => child.kill('SIGHUP'));
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
