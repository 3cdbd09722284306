import type { MinuteFacts } from '../../sla/facts.ts';
import type { ServiceMonth } from '../../sla/month.ts';
import { nearestWord } from '../../sla/nearest.ts';
import type { Terms } from '../../sla/terms.ts';
import { quote } from '../../sla/text.ts';
import { type Config, termsOf } from '../config/config.ts';
import { faultText } from '../config/faults.ts';
import { loadConfig } from '../config/load.ts';
import { ExclusionBook, type ExclusionEntry } from '../exclusions.ts';
import { StoreFault } from '../store/errors.ts';
import { openStore } from '../store/open-store.ts';
import { type Store, StoreUnavailable } from '../store/store.ts';
import type { CommandIo } from './command.ts';
import { UsageFault, write } from './usage.ts';

/** The books of one service, opened beside a running daemon for the time of one command. */
export interface ServiceBooks {
  readonly terms: Terms;
  /** Everything that was ever entered, of whatever service. */
  readonly entries: readonly ExclusionEntry[];
  /** The minutes of a month and the hour before it. */
  factsOf(month: ServiceMonth): Promise<MinuteFacts>;
}

const LEAD_MINUTES = 60;
const SERVICES_NAMED = 10;

/**
 * Opens the store that a configuration names, reads, and closes it again.
 * @param file  undefined = the defaults of `roomwatch serve`
 * @throws UsageFault when the configuration is not valid, the store cannot be read, or it has no such service
 */
export async function withBooks<T>(
  { file, service }: { readonly file: string | undefined; readonly service: string },
  io: CommandIo,
  read: (books: ServiceBooks) => Promise<T>,
): Promise<T> {
  const loaded = loadConfig({ file: file ?? null, env: io.env, cwd: process.cwd() });
  if (!loaded.ok) throw new UsageFault('CONFIG_INVALID', loaded.faults.map(faultText).join('\n'));
  const { config } = loaded;
  try {
    const store = await openToRead(config, io);
    try {
      return await read(await booksOf(store, config, service));
    } finally {
      await store.close();
    }
  } catch (error) {
    if (error instanceof StoreFault || error instanceof StoreUnavailable) {
      throw new UsageFault(error.code, error.message, { cause: error });
    }
    throw error;
  }
}

function openToRead({ store }: Config, io: CommandIo): Promise<Store> {
  const onWarning = (message: string) => void write(io.stderr, `${message}\n`);
  // Redis serves any number of readers; a data directory has one owner, beside which others only read.
  return openStore('url' in store ? { ...store, onWarning } : { ...store, readOnly: true });
}

async function booksOf(store: Store, config: Config, service: string): Promise<ServiceBooks> {
  const services = await store.facts.services();
  if (!services.includes(service)) throw unknownService(service, services);
  const book = new ExclusionBook(store.journal, () => {});
  book.useFiles(config.exclusions);
  await book.refresh();
  return {
    terms: termsOf(config, service),
    entries: book.entries(),
    factsOf: ({ firstMinute, minuteCount }) =>
      store.facts.readMinutes(service, firstMinute - LEAD_MINUTES, firstMinute + minuteCount),
  };
}

function unknownService(service: string, services: readonly string[]): UsageFault {
  const near = nearestWord(service, services);
  const list = services.slice(0, SERVICES_NAMED).join(', ');
  const more = services.length > SERVICES_NAMED ? `, and ${services.length - SERVICES_NAMED} more` : '';
  const known = services.length === 0 ? 'the store knows none yet' : `the store knows ${list}${more}`;
  const fix = near === undefined ? known : `did you mean ${near}?`;
  return new UsageFault('SERVICE_UNKNOWN', `no agent ever reported for ${quote(service)}; ${fix}`);
}
