#!/usr/bin/env node
import { basename } from 'node:path';
import { runAgent } from './cli.ts';

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // Whoever asks twice does not want to wait; what was accepted is on disk.
    if (stop.signal.aborted) process.exit(1);
    stop.abort();
  });
}
// A terminal that goes away says so twice, by its shell and by itself: that is no impatience. Node forgets that nohup had
// this signal ignored, but shells name the command that they started, and it was meant to outlive them.
const isNohup = basename(process.env._ ?? '') === 'nohup';
process.on('SIGHUP', () => {
  if (!isNohup) stop.abort();
});
// A reader of our output that went away ends us, quietly.
process.stdout.on('error', () => process.exit(1));
// One of our log does not: what comes in is still to be kept.
process.stderr.on('error', () => {});

process.exitCode = await runAgent(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  signal: stop.signal,
});
// A standard input that is still open must not keep a program that is done.
process.exit();
