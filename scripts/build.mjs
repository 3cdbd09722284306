// Builds dist/ from the rooms: tsc, the beacon for browsers as one file, then the files that tsc does not copy. Prints nothing on stdout.
// With --if-stale it first compares the newest source with the last build's stamp.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const rooms = ['sla', 'protocol', 'agent', 'server', 'alerts', 'dashboards', 'test'];
const assets = /\.(lua|json|html|css|js|yml|svg)$/;
const stamp = join(root, 'dist', '.built');

function* files(folder) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else yield path;
  }
}

function newestSourceMs() {
  const alone = ['package.json', 'tsconfig.json', 'tsconfig.build.json'].map((name) => join(root, name));
  const sources = [...rooms, 'scripts'].flatMap((room) => [...files(join(root, room))]);
  return Math.max(...[...alone, ...sources].map((path) => statSync(path).mtimeMs));
}

if (process.argv.includes('--if-stale') && existsSync(stamp) && statSync(stamp).mtimeMs > newestSourceMs()) {
  process.exit(0);
}

const startedAt = new Date();
let tsc;
let bundleBeacon;
try {
  tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
  ({ bundleBeacon } = await import('./beacon.mjs'));
} catch {
  process.stderr.write('TypeScript and rolldown are not installed; run `npm install` first.\n');
  process.exit(2);
}
// Into a folder of its own, then swapped in: a program that runs from dist/ never sees half a build.
const fresh = join(root, `dist.${process.pid}`);
process.on('exit', () => rmSync(fresh, { recursive: true, force: true }));
function compile(...options) {
  const compiled = spawnSync(process.execPath, [tsc, ...options, '--outDir', fresh], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (compiled.status !== 0) process.exit(1);
}
compile('-p', 'tsconfig.build.json');
// Checked against a browser's types, not Node's; pages load one small file.
compile('-p', 'agent/browser', '--emitDeclarationOnly');
await bundleBeacon(join(fresh, 'agent/browser/index.js'));
// tsc writes './x.js' for './x.ts' in scripts and not in declarations, where TypeScript 4 does not take it.
for (const path of files(fresh)) {
  if (!path.endsWith('.d.ts')) continue;
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replace(/(\bfrom |\bimport\(|\bimport )(['"])(\.[^'"]*)\.ts\2/g, '$1$2$3.js$2'));
}
for (const room of rooms) {
  for (const path of files(join(root, room))) {
    if (!assets.test(path) || path.endsWith('tsconfig.json')) continue;
    const target = join(fresh, path.slice(root.length + 1));
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(path, target);
  }
}
copyFileSync(join(root, 'package.json'), join(fresh, 'package.json'));
writeFileSync(join(fresh, '.built'), '');
// Sources that changed while tsc ran are newer than the stamp, so the next run builds again.
utimesSync(join(fresh, '.built'), startedAt, startedAt);
const old = `${fresh}.old`;
if (existsSync(join(root, 'dist'))) renameSync(join(root, 'dist'), old);
renameSync(fresh, join(root, 'dist'));
rmSync(old, { recursive: true, force: true });
