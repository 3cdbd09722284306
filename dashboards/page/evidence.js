// The month's statement, in each of its formats.

import { call, servicePath, token } from './api.js';
import { longDate } from './contract-time.js';
import { byId, element, fill } from './element.js';

/** @import { Reading } from '../../sla/reading.ts' */

/** The daemon's names of the formats, and how their files end. */
const FORMATS = { html: 'html', json: 'json', csv: 'csv', text: 'txt' };

/** @param {Reading} reading @param {(error: unknown) => void} onFailure */
export function showEvidence({ service, month, claim }, onFailure) {
  const words = `Every window with its counts, the exclusions and a hash that shows any later change. A claim for this month can be made from ${longDate(claim.opens)} to ${longDate(claim.deadline)}, in the support ticket system of the provider (clause 3.2).`;
  fill(byId('statement-words'), words);
  const links = Object.entries(FORMATS).map(([format, ending]) => {
    const href = servicePath(service, `statement?month=${month}&format=${format}`);
    const download = `roomwatch-${service}-${month}.${ending}`;
    const onclick = (/** @type {MouseEvent} */ event) => fetchFirst(event, href, download, onFailure);
    return element('a', { class: 'button', href, download, onclick }, `Statement as ${format}`);
  });
  fill(byId('statements'), ...links);
}

/**
 * A link cannot carry a token; where one is set, the page fetches the file and hands it over.
 * @param {MouseEvent} event
 * @param {string} path
 * @param {string} name
 * @param {(error: unknown) => void} onFailure
 */
async function fetchFirst(event, path, name, onFailure) {
  if (token.read() === '') return;
  event.preventDefault();
  try {
    const file = URL.createObjectURL(await (await call(path)).blob());
    element('a', { href: file, download: name }).click();
    URL.revokeObjectURL(file);
  } catch (error) {
    onFailure(error);
  }
}
