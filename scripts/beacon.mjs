// Makes the beacon for browsers one small file: node scripts/beacon.mjs FILE
import { dirname, join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const script = fileURLToPath(import.meta.url);

export async function bundleBeacon(file) {
  await build({
    input: join(dirname(dirname(script)), 'agent/browser/index.ts'),
    platform: 'browser',
    // What browsers understand since 2020.
    transform: { target: 'es2020' },
    logLevel: 'warn',
    // Marks for a bundler that removes what is not used: of one function nothing is.
    output: { file, format: 'esm', minify: true, comments: { annotation: false } },
  });
}

if (argv[1] === script) await bundleBeacon(argv[2]);
