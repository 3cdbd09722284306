/**
 * Every key of a service carries the hash tag `{service}`, so that a cluster keeps a service in one slot and a
 * script may touch all of them. A service's name holds no brace (SERVICE_PATTERN).
 */
export interface Keys {
  readonly storeId: string;
  readonly services: string;
  readonly ping: string;
  epoch(producerId: string): string;
  cursors(service: string): string;
  revisions(service: string): string;
  page(service: string, page: number): string;
  callbacks(service: string, page: number): string;
  origins(service: string, hour: number): string;
  ledger(service: string): string;
  outbox(service: string): string;
  order(service: string): string;
  settled(service: string): string;
  journal(topic: string): string;
}

/** @param prefix before every key, so that several programs can share a Redis */
export function keysUnder(prefix: string): Keys {
  const of = (service: string, rest: string) => `${prefix}{${service}}:${rest}`;
  return {
    storeId: `${prefix}store-id`,
    services: `${prefix}services`,
    ping: `${prefix}ping`,
    epoch: (producerId) => `${prefix}epoch:{${producerId}}`,
    cursors: (service) => of(service, 'cursors'),
    revisions: (service) => of(service, 'revisions'),
    page: (service, page) => of(service, `page:${page}`),
    callbacks: (service, page) => of(service, `callbacks:${page}`),
    origins: (service, hour) => of(service, `origins:${hour}`),
    ledger: (service) => of(service, 'ledger'),
    outbox: (service) => of(service, 'outbox'),
    order: (service) => of(service, 'order'),
    settled: (service) => of(service, 'settled'),
    journal: (topic) => `${prefix}journal:{${topic}}`,
  };
}
