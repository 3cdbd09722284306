import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/**
 * Runs the benchmarks of this folder one after the other; each prints ratios against a baseline of the same run.
 *     npm run bench                      all of them
 *     npm run bench -- --quick           with fewer cycles
 *     npm run bench -- frames idle       these
 *     npm run bench -- --list            their names
 */
const folder = dirname(fileURLToPath(import.meta.url));
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, list: { type: 'boolean', default: false } },
});
const known = readdirSync(folder)
  .filter((file) => file.endsWith('.js') && file !== 'main.js')
  .map((file) => basename(file, '.js'))
  .sort();
const unknown = positionals.filter((name) => !known.includes(name));
if (values.list || unknown.length > 0) {
  for (const name of unknown) console.error(`no benchmark is called ${name}`);
  console.log(
    `usage: npm run bench -- [NAME...] [--quick]\n\n${known.map((name) => `  ${name}`).join('\n')}`,
  );
  process.exit(unknown.length > 0 ? 2 : 0);
}
const chosen = positionals.length === 0 ? known : positionals;
let failed = 0;
for (const name of chosen) {
  console.log(`\n== ${name}`);
  const args = [join(folder, `${name}.js`), ...(values.quick ? ['--quick'] : [])];
  const child = spawn(process.execPath, args, { stdio: 'inherit' });
  const code = await new Promise<number>((resolve) => child.on('exit', (status) => resolve(status ?? 1)));
  if (code !== 0) failed += 1;
}
process.exit(failed > 0 ? 1 : 0);
