/** Untrusted text: what may be taken, and how it is repeated in a message. */

/** Text of at most `most` UTF-16 units without control characters, which would break labels, mails and logs. */
export function isPlainText(value: unknown, most: number): value is string {
  // The length first: a megabyte of text must cost nothing.
  if (typeof value !== 'string' || value.length > most) return false;
  for (let i = 0; i < value.length; i += 1) {
    if (isControl(value.charCodeAt(i))) return false;
  }
  return true;
}

/** Whether a code point is a control character: of C0, DEL, or of C1. */
export function isControl(point: number): boolean {
  return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

/** Characters of an untrusted value that a message may repeat. */
const QUOTED_MAX = 80;

/** An untrusted value as it may stand in a message: JSON, one line, at most 80 characters. */
export function quote(value: unknown): string {
  if (typeof value === 'string') {
    // Cut before escaping: a megabyte of text must not be copied for one log line.
    const whole = value.length <= QUOTED_MAX;
    return shorten(JSON.stringify(whole ? value : value.slice(0, QUOTED_MAX)), whole);
  }
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return shorten(String(value), true);
}

function shorten(text: string, whole: boolean): string {
  return whole && text.length <= QUOTED_MAX ? text : `${text.slice(0, QUOTED_MAX - 3)}...`;
}
