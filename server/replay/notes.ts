import type { Refusals, ReplayCounts } from './replay-books.ts';

/** Reasons that are named one by one; there are hardly more. */
const REASONS_SHOWN = 20;
const MESSAGE_CHARACTERS = 300;

/** What a person should know about records that are not in the reading; one line each, most often none. */
export function replayNotes(
  { counts, refusals }: { readonly counts: ReplayCounts; readonly refusals: readonly Refusals[] },
  {
    service,
    month,
    idMemory,
  }: { readonly service: string; readonly month: string; readonly idMemory: string },
): string[] {
  const notes: string[] = [];
  for (const { code, field, count, firstAt, firstMessage } of refusals.slice(0, REASONS_SHOWN)) {
    const name = field === '' ? code : `${code} ${field}`;
    const message = firstMessage.slice(0, MESSAGE_CHARACTERS);
    notes.push(`${records(count)} refused, ${name}; the first at ${firstAt}: ${message}`);
  }
  if (refusals.length > REASONS_SHOWN) notes.push(`and ${refusals.length - REASONS_SHOWN} more reasons`);
  const { otherServices, outsideMonth, afterNow, repeated, saturated, idsForgottenEarly } = counts;
  if (repeated > 0)
    notes.push(`${records(repeated)} left out: the id was reported before, within ${idMemory}`);
  if (otherServices > 0) notes.push(`${records(otherServices)} left out: of other services`);
  if (outsideMonth > 0) notes.push(`${records(outsideMonth)} left out: not in ${month}`);
  if (afterNow > 0) notes.push(`${records(afterNow)} left out: at or after --now`);
  if (saturated > 0) {
    notes.push(
      `${records(saturated)} cut short: a minute holds at most 4,294,967,295 attempts; check the counts`,
    );
  }
  if (idsForgottenEarly > 0) {
    const count = idsForgottenEarly.toLocaleString('en-US');
    notes.push(
      `${count} ids were forgotten before ${idMemory} had passed, as the memory for ids is bounded; ` +
        'a record that repeats one of them is counted again (a shorter --id-memory avoids it)',
    );
  }
  if (counts.counted === 0) {
    notes.push(`no outcome of ${service} in ${month}; check --service, --month and the files`);
  }
  return notes;
}

function records(count: number): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? 'record' : 'records'}`;
}
