import { type Alert, SEVERITIES } from './alert.ts';
import { type Fact, factsOf } from './facts.ts';
import { htmlOf } from './html.ts';
import { countdown, firstLine, headline, nameOf, OBSERVED, titleOf } from './words.ts';

/** What is sent: one alert, or several that came together for the same receiver. */
export interface Item {
  readonly alert: Alert;
  /** The receiver never got the firing of this resolved episode: it hears both at once. */
  readonly wasUndelivered: boolean;
  /** The receiver that refused it, when this one hears it in its place. */
  readonly insteadOf: string | null;
}

export interface Message {
  /** One line without control characters. */
  readonly subject: string;
  readonly firstLine: string;
  readonly text: string;
  readonly html: string;
}

export interface RenderOptions {
  readonly nowMs: number;
  /** Base of the daemon's page, without a trailing slash; '' leaves the links out. */
  readonly externalUrl: string;
  /** Where this team keeps what to do; '' leaves it out. */
  readonly runbookUrl: string;
  /** Content id of the picture in the HTML part, null when there is none. */
  readonly pictureCid: string | null;
}

/** Alerts told in full in one message; the rest are named in a line each. */
export const FULL_ITEMS = 20;

/** An alert told in full. */
export interface Section {
  readonly item: Item;
  readonly facts: readonly Fact[];
}

/** Renders one message for one or more alerts; the gravest that still fires speaks first. */
export function render(items: readonly Item[], options: RenderOptions): Message {
  const ordered = [...items].sort((a, b) => weight(b) - weight(a) || a.alert.firedAtMs - b.alert.firedAtMs);
  const lead = ordered[0];
  if (!lead) throw new Error('MESSAGE_EMPTY: render() needs at least one alert');
  const first = `${nameOf(lead.alert)}: ${firstLine(lead.alert, options.nowMs)}`;
  const sections = ordered.slice(0, FULL_ITEMS).map((item) => ({ item, facts: factsOf(item, options) }));
  const rest = ordered.slice(FULL_ITEMS).map((item) => headline(item.alert, item.wasUndelivered));
  return {
    subject: subjectOf(ordered),
    firstLine: first,
    text: textOf(sections, rest, options),
    html: htmlOf(sections, rest, options),
  };
}

function weight({ alert }: Item): number {
  return alert.kind === 'resolved' ? -1 : SEVERITIES.indexOf(alert.severity);
}

function subjectOf(ordered: readonly Item[]): string {
  const lead = ordered[0]!;
  if (ordered.length === 1) return headline(lead.alert, lead.wasUndelivered);
  const services = new Set(ordered.map((item) => item.alert.service));
  const firing = ordered.filter((item) => item.alert.kind !== 'resolved').length;
  const counts = [
    firing > 0 ? `${firing} firing` : '',
    ordered.length > firing ? `${ordered.length - firing} resolved` : '',
  ];
  const who = services.size === 1 ? nameOf(lead.alert) : `${services.size} services`;
  return `[${counts.filter(Boolean).join(', ')}] ${who}: ${titleOf(lead.alert)}`;
}

function textOf(sections: readonly Section[], rest: readonly string[], options: RenderOptions): string {
  const parts = sections.map(({ item, facts }) => {
    const width = Math.max(...facts.map((fact) => fact.name.length)) + 2;
    return [
      firstLine(item.alert, options.nowMs),
      '',
      headline(item.alert, item.wasUndelivered),
      ...countdown(item.alert, options.nowMs),
      '',
      ...facts.map((fact) => `${fact.name.padEnd(width)}${fact.value}`),
    ].join('\n');
  });
  return [...parts, ...(rest.length > 0 ? [['And:', ...rest].join('\n')] : []), `-- \n${OBSERVED}\n`].join(
    '\n\n',
  );
}
