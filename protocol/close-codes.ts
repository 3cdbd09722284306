/**
 * Why a connection was closed. 1000-1015 have their RFC 6455 meaning; 4xxx are ours.
 * `retry`: 'backoff' = reconnect as usual; 'minute' = wait at least a minute (it will not mend by itself soon).
 */
export const CLOSE_CODES = {
  goingAway: { code: 1001, retry: 'backoff', meaning: 'the peer is leaving' },
  tooBig: { code: 1009, retry: 'minute', meaning: 'a message exceeded the frame limit' },
  restart: { code: 1012, retry: 'backoff', meaning: 'the daemon is restarting' },
  overload: { code: 1013, retry: 'backoff', meaning: 'the daemon cannot take more' },
  badFrame: { code: 4400, retry: 'minute', meaning: 'a frame was not valid; the reason says which field' },
  forbidden: {
    code: 4403,
    retry: 'minute',
    meaning: 'the token covers no service of the agent, or was withdrawn',
  },
  helloTimeout: { code: 4408, retry: 'backoff', meaning: 'no hello in time' },
  fenced: { code: 4409, retry: 'minute', meaning: 'a newer connection of the same producer took over' },
  conflict: { code: 4410, retry: 'backoff', meaning: 'the books hold another batch under the same seq' },
  creditExceeded: { code: 4429, retry: 'backoff', meaning: 'more batches in flight than the credit allows' },
  deadPeer: { code: 4499, retry: 'backoff', meaning: 'heartbeats were missed' },
} as const satisfies Record<string, { code: number; retry: 'backoff' | 'minute'; meaning: string }>;

export type CloseName = keyof typeof CLOSE_CODES;
