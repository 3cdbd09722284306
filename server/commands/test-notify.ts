import { openReceivers } from '../../alerts/notify/open.ts';
import { type TestResult, testNotify } from '../../alerts/test-notify.ts';
import { nearestWord } from '../../sla/nearest.ts';
import { quote } from '../../sla/text.ts';
import { faultText } from '../config/faults.ts';
import { loadConfig } from '../config/load.ts';
import { type Command, type CommandIo, EXIT, type ExitCode } from './command.ts';
import { noPositionals, parseOptions, UsageFault, withFaults, write } from './usage.ts';

const USAGE = `Usage: roomwatch test-notify --config FILE [--receiver NAME]

Sends a message marked TEST through the real senders of the configuration, to every receiver
or to one, and says what became of each. It passes by routes, silences and the outbox.

  --config FILE     the daemon's configuration
  --receiver NAME   only this receiver

Exit codes: 0 every receiver took it, 1 one did not, 2 bad usage or configuration.
`;

const OPTIONS = { config: { type: 'string' }, receiver: { type: 'string' } } as const;

export const testNotifyCommand: Command = {
  name: 'test-notify',
  summary: 'send a test message through the real senders',
  usage: USAGE,
  run: (args, io) => withFaults(io, () => runTestNotify(args, io)),
};

async function runTestNotify(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const { values, positionals } = parseOptions(args, OPTIONS);
  noPositionals(positionals);
  const loaded = loadConfig({ file: values.config ?? null, env: io.env, cwd: process.cwd() });
  if (!loaded.ok) throw new UsageFault('CONFIG_INVALID', loaded.faults.map(faultText).join('\n'));
  const { alerting } = loaded.config;
  const names = alerting.receivers.map(({ name }) => name);
  if (names.length === 0) {
    const message =
      'the configuration has no receiver; add one under alerting.receivers, and name the file by --config';
    throw new UsageFault('RECEIVER_MISSING', message);
  }
  const { receiver } = values;
  const receivers = openReceivers(alerting);
  try {
    const results = await testNotify(receivers, {
      ...(receiver === undefined ? {} : { receiver }),
      nowMs: io.now(),
      timeoutMs: alerting.sendTimeoutMs,
    });
    if (results.length === 0) throw unknownReceiver(receiver ?? '', names);
    for (const result of results) await write(io.stdout, `${resultText(result)}\n`);
    return results.every(({ outcome }) => outcome.status === 'sent') ? EXIT.done : EXIT.no;
  } finally {
    for (const one of receivers) if (one.kind === 'message') one.notifier.close();
  }
}

function resultText({ receiver, outcome }: TestResult): string {
  if (outcome.status === 'sent') return `${receiver}: sent`;
  const verdict = outcome.status === 'refused' ? 'refused' : 'not sent, may be tried again';
  return `${receiver}: ${verdict} (${outcome.reason}): ${outcome.detail}`;
}

function unknownReceiver(name: string, names: readonly string[]): UsageFault {
  const near = nearestWord(name, names);
  const fix = near === undefined ? `known are ${names.join(', ')}` : `did you mean ${near}?`;
  return new UsageFault('RECEIVER_UNKNOWN', `--receiver ${quote(name)} is not configured; ${fix}`);
}
