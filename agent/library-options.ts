import { z } from 'zod';
import { isOneToken, settingsSchema, TWO_TOKENS } from './settings.ts';
import { faultsOf, sayFault } from './settings-faults.ts';

/** What an application gave to `createAgent` cannot be what it means. */
export class AgentOptionsError extends Error {
  override readonly name = 'AgentOptionsError';
  readonly code = 'AGENT_OPTIONS_INVALID';

  constructor(sentences: readonly string[]) {
    super(`AGENT_OPTIONS_INVALID: ${sentences.join('. ')}`);
  }
}

const { services, server, token, tokenFile, service, agentId, origins, spool } = settingsSchema.shape;

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

function isLog(log: unknown): boolean {
  if (typeof log !== 'object' || log === null) return false;
  return LEVELS.every((level) => typeof (log as Record<string, unknown>)[level] === 'function');
}

/** The library's options by the rules of the configuration file, under the library's names. */
const optionsSchema = z
  .strictObject({
    services: services.removeDefault(),
    server,
    token,
    tokenFile,
    spoolDirectory: spool.unwrap().shape.directory,
    log: z
      .custom(isLog, { error: 'is no log; give debug, info, warn and error, or leave it out' })
      .optional(),
    // The rest of these is for those who know the inside, and keeps its types.
    agent: z.looseObject({ services, server, defaultService: service, agentId, origins }).optional(),
  })
  .refine(isOneToken, TWO_TOKENS);

/**
 * Looks at options before anything is started, as the program does with its configuration: an agent that runs with
 * options it cannot use would be refused by the daemon, or try for ever, while the application believes it reports.
 * @throws AgentOptionsError with a sentence for every fault
 */
export function checkLibraryOptions(options: unknown): void {
  const parsed = optionsSchema.safeParse(options, { error: sayFault });
  if (parsed.success) return;
  throw new AgentOptionsError(
    faultsOf(parsed.error).map(({ keys, sentence }) =>
      keys.length === 0
        ? "the options are missing; write an object such as { services: ['acme'] }"
        : sentence,
    ),
  );
}
