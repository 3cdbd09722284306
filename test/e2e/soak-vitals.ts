/** Loaded into a program ahead of its own code: answers its parent with the memory it uses. */
export interface Vitals {
  readonly rssBytes: number;
  /** Objects, those included that wait to be collected. */
  readonly heapBytes: number;
  /** Buffers and the like. */
  readonly externalBytes: number;
}

process.on('message', () => {
  const { rss, heapUsed, external } = process.memoryUsage();
  process.send?.({ rssBytes: rss, heapBytes: heapUsed, externalBytes: external } satisfies Vitals);
});
// The program ends when it is done, whoever still listens.
process.channel?.unref();
