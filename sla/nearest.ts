/** The word of `words` that `typed` was probably meant to be; undefined when none is near. */
export function nearestWord(typed: string, words: readonly string[]): string | undefined {
  // An absurdly long key is not a slip of the finger, and the distance is quadratic.
  if (typed.length > 64) return undefined;
  let nearest: string | undefined;
  let least = Math.max(1, Math.floor(typed.length / 3)) + 1;
  for (const word of words) {
    const isBeginning = typed.length > 2 && word.startsWith(typed);
    const distance = isBeginning ? 1 : editDistance(typed.toLowerCase(), word.toLowerCase());
    if (distance < least) {
      least = distance;
      nearest = word;
    }
  }
  return nearest;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substituted = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
