import { createRequire } from 'node:module';

/** The package's version; its package.json lies one folder above this room, in the source and in the build. */
export const VERSION: string = (createRequire(import.meta.url)('../package.json') as { version: string })
  .version;
