/*
 * Keys are bytes: a service's name (whose alphabet has no zero byte), a zero byte, then the rest. All keys of a
 * service thus lie together, numbers in their order.
 */

export function serviceKey(service: string): Buffer {
  return Buffer.from(service);
}

export function numberKey(name: string, n: number): Buffer {
  const prefix = Buffer.from(`${name}\0`);
  const key = Buffer.alloc(prefix.length + 8);
  prefix.copy(key);
  key.writeBigUInt64BE(BigInt(n), prefix.length);
  return key;
}

export function textKey(name: string, text: string): Buffer {
  return Buffer.from(`${name}\0${text}`);
}

/** The keys of `name`, for ranges. */
export function keysOf(name: string): { readonly start: Buffer; readonly end: Buffer } {
  return { start: Buffer.from(`${name}\0`), end: Buffer.from(`${name}\x01`) };
}

export function numberOf(key: Buffer): number {
  return Number(key.readBigUInt64BE(key.length - 8));
}
