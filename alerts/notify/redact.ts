const HIDDEN = '[redacted]';
const DETAIL_CHARACTERS = 300;

/**
 * Makes a text from outside (an answer's body, a library's error) fit for logs and results: every secret of the
 * receiver is taken out, in the forms in which a library may repeat it, and the rest is one short line.
 */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const forms = [...new Set(secrets.filter((secret) => secret !== '').flatMap(formsOf))]
    // The longest first: a secret inside of another one must not leave the rest of it standing.
    .sort((a, b) => b.length - a.length);
  return (text) => {
    let clean = text;
    for (const form of forms) clean = clean.replaceAll(form, HIDDEN);
    return clean.replace(/[\p{Cc}\p{Cf}]+/gu, ' ').slice(0, DETAIL_CHARACTERS);
  };
}

/** Paths, segments and parameters that long are keys; shorter ones are words, whose absence would garble a reason. */
const KEY_CHARACTERS = 8;

/** What of an address is secret when having the address is all that it takes to post: all but the host. */
export function secretsIn(url: string): string[] {
  const { pathname, search, searchParams, href } = new URL(url);
  const path = pathname.slice(1);
  const parts = [
    `${path}${search}`,
    path,
    path.replace(/^services\//, ''),
    ...path.split('/'),
    ...searchParams.values(),
  ];
  return [url, href, ...parts.filter((part) => part.length >= KEY_CHARACTERS && part !== 'services')];
}

function formsOf(secret: string): string[] {
  return [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    Buffer.from(secret).toString('base64'),
    Buffer.from(secret).toString('base64url'),
  ];
}
