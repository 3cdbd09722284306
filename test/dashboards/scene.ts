import { monthAt, serviceMonth } from '../../sla/month.ts';
import { presetTerms } from '../../sla/terms.ts';
import { type Random, seededRandom } from '../support/random.ts';
import type { MinutePast, Past } from './books.ts';

/** A failure of the vendor, as its users met it. */
interface Outage {
  /** Contract date of the month and time of day, UTC+8. */
  readonly day: number;
  readonly at: string;
  readonly minutes: number;
  /** Share of the entries that failed. */
  readonly share: number;
}

interface Character {
  readonly service: string;
  /** Entries in the busiest minute. */
  readonly busiest: number;
  readonly outages: readonly Outage[];
  /** Nobody was watching: day, time and minutes. */
  readonly blind?: Omit<Outage, 'share'>;
  /** Nobody calls between these hours. */
  readonly closed?: readonly [number, number];
}

/** A plausible fleet: most months are well, one is near its line, one has crossed it. */
const CHARACTERS: readonly Character[] = [
  {
    service: 'classroom',
    busiest: 420,
    outages: [
      { day: 3, at: '14:31', minutes: 7, share: 0.12 },
      { day: 11, at: '09:58', minutes: 12, share: 0.34 },
      { day: 19, at: '20:04', minutes: 4, share: 0.05 },
    ],
    blind: { day: 7, at: '03:20', minutes: 95 },
  },
  {
    service: 'live-shopping',
    busiest: 900,
    outages: [
      { day: 2, at: '20:10', minutes: 18, share: 0.5 },
      { day: 12, at: '21:00', minutes: 31, share: 0.08 },
    ],
  },
  {
    service: 'telehealth',
    busiest: 160,
    outages: [{ day: 9, at: '10:42', minutes: 3, share: 0.2 }],
    closed: [0, 6],
  },
  { service: 'voice-rooms', busiest: 640, outages: [{ day: 15, at: '23:11', minutes: 9, share: 0.06 }] },
  { service: 'helpdesk', busiest: 90, outages: [], closed: [22, 8] },
  { service: 'karaoke', busiest: 310, outages: [{ day: 5, at: '19:44', minutes: 16, share: 0.3 }] },
];

/** The months so far of the fleet, from the first of the contract's month to `nowMs`; the same for the same seed. */
export function fleetPasts(nowMs: number, seed = 20_261_123): Past[] {
  const terms = presetTerms('trtc');
  const found = serviceMonth(monthAt(nowMs, terms), terms);
  if (!found.ok) throw new Error(found.message);
  const { firstMinute } = found.month;
  return CHARACTERS.map((character, index) => ({
    service: character.service,
    fromMinute: firstMinute,
    toMinute: Math.floor(nowMs / 60_000),
    minute: minuteOf(character, firstMinute, seededRandom(seed + index)),
  }));
}

function minuteOf(character: Character, firstMinute: number, random: Random) {
  const spanOf = ({ day, at, minutes }: Omit<Outage, 'share'>) => {
    const [hour = 0, minute = 0] = at.split(':').map(Number);
    const from = firstMinute + (day - 1) * 1440 + hour * 60 + minute;
    return { from, to: from + minutes };
  };
  const outages = character.outages.map((outage) => ({ ...spanOf(outage), share: outage.share }));
  const blind = character.blind && spanOf(character.blind);
  // Some hours are worse than others, without an outage: a slow part of the vendor, a bad route.
  let strain = 0;
  return (minute: number): MinutePast | null => {
    const load = loadAt((minute - firstMinute) % 1440, character.closed);
    const attempts = Math.round(character.busiest * load * (0.85 + 0.3 * random.next()));
    if (random.next() < 0.002) strain = random.next() * 0.003;
    strain *= 0.985;
    if (blind && minute >= blind.from && minute < blind.to) return null;
    const outage = outages.find(({ from, to }) => minute >= from && minute < to);
    // What an outage leaves is mostly time-outs.
    const unknown = Math.floor(attempts * (outage ? outage.share * 0.8 : 0));
    const provider = some(attempts * (outage ? outage.share * 0.2 : strain + 0.000_1), random);
    const customer = some(attempts * 0.004, random);
    const network = some(attempts * 0.002, random);
    return { attempts, failures: { provider, unknown, customer, network } };
  };
}

/** A whole number near an expected one, right on average. */
function some(expected: number, random: Random): number {
  const whole = Math.floor(expected);
  return whole + (random.next() < expected - whole ? 1 : 0);
}

/** Share of the busiest minute: low at night, two humps, nothing while closed. */
function loadAt(minuteOfDay: number, closed?: readonly [number, number]): number {
  const hour = minuteOfDay / 60;
  if (closed) {
    const [from, to] = closed;
    if (from < to ? hour >= from && hour < to : hour >= from || hour < to) return 0;
  }
  const hump = (at: number, width: number) => Math.exp(-(((hour - at) / width) ** 2));
  return Math.min(1, 0.12 + 0.6 * hump(10.5, 3) + 0.85 * hump(20.5, 2.6) + 0.4 * hump(15, 3));
}
