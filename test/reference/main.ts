import { writeFileSync } from 'node:fs';
import { referenceFiles } from './files.ts';

/** Usage: npm run reference, from the top of the checkout. */
for (const [path, text] of referenceFiles()) {
  writeFileSync(path, text);
  process.stdout.write(`${path}\n`);
}
