import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { type AnyFunction, watched, watchMethod } from '../../../agent/browser/watched.ts';

function watch<F extends AnyFunction>(fn: F) {
  const ends: unknown[] = [];
  let begun = 0;
  const begin = () => {
    begun += 1;
    return (end: { thrown: unknown } | undefined) => ends.push(end ? end.thrown : 'ok');
  };
  return { fn: watched(fn, begin), ends, begun: () => begun, begin };
}

describe('a watched function', () => {
  it('gets the same this and arguments, and gives the same value', async () => {
    const room = {
      name: 'a',
      async enter(this: { name: string }, ...rooms: string[]) {
        return [this.name, ...rooms];
      },
    };
    const { fn, ends } = watch(room.enter);
    expect(await fn.call(room, 'x', 'y')).toEqual(['a', 'x', 'y']);
    expect(ends).toEqual(['ok']);
  });

  it('throws what it threw, at once or later', async () => {
    const [now, later] = [new Error('now'), new Error('later')];
    const sync = watch(() => {
      throw now;
    });
    expect(() => sync.fn()).toThrow(now);
    const async = watch(() => Promise.reject(later));
    await expect(async.fn()).rejects.toBe(later);
    expect([sync.ends, async.ends]).toEqual([[now], [later]]);
  });

  it('may be thrown nothing at all', async () => {
    const { fn, ends } = watch(() => Promise.reject(undefined));
    await expect(fn()).rejects.toBe(undefined);
    expect(ends).toEqual([undefined]);
  });

  it('may return no promise', () => {
    const { fn, ends } = watch(() => 7);
    expect(fn()).toBe(7);
    expect(ends).toEqual(['ok']);
  });

  it('keeps its name, its length and what hangs on it', () => {
    async function enter(_a: string, _b: string) {}
    const { fn } = watch(Object.assign(enter, { version: 5 }));
    expect([fn.name, fn.length, fn.version]).toEqual(['enter', 2, 5]);
  });

  it('hands a promise with something of its own on as it is', async () => {
    const promise = Object.assign(Promise.resolve(1), { cancel: () => 'cancelled' });
    class Later extends Promise<number> {}
    const later = Later.resolve(2);
    const one = watch(() => promise);
    const two = watch(() => later);
    expect(one.fn()).toBe(promise);
    expect(two.fn()).toBe(later);
    await Promise.all([promise, later]);
    expect([one.ends, two.ends]).toEqual([['ok'], ['ok']]);
  });

  it('has a thenable that is no promise do its work only when the application wants it, and is not told of', async () => {
    let runs = 0;
    const lazy = {
      // biome-ignore lint/suspicious/noThenProperty: what is tested
      then(fulfilled: (value: number) => void) {
        runs += 1;
        fulfilled(1);
      },
    };
    const { fn, ends } = watch(() => lazy);
    expect(fn()).toBe(lazy);
    await Promise.resolve();
    expect(runs).toBe(0);
    expect(await fn()).toBe(1);
    expect([runs, ends]).toEqual([1, []]);
  });

  it('hears the promises of another page, too', async () => {
    const { fn, ends } = watch(() => runInNewContext('Promise.resolve(7)') as Promise<number>);
    expect(await fn()).toBe(7);
    expect(ends).toEqual(['ok']);
  });

  it('is left alone in a call that is none of ours', () => {
    const fn = () => Promise.resolve();
    const promise = Promise.resolve();
    expect(
      watched(
        () => promise,
        () => undefined,
      )(),
    ).toBe(promise);
    expect(watched(fn, () => undefined).name).toBe('fn');
  });
});

describe('a watched method', () => {
  class Room {
    readonly calls: unknown[] = [];
    enter(room: number): Promise<void> {
      this.calls.push(room);
      return Promise.resolve();
    }
  }

  it('is put back as it was: on the prototype', async () => {
    const room = new Room();
    const { begin, begun } = watch(() => {});
    const end = watchMethod(room, 'enter', begin);
    await room.enter(1);
    end();
    await room.enter(2);
    expect([room.calls, begun()]).toEqual([[1, 2], 1]);
    expect(Object.hasOwn(room, 'enter')).toBe(false);
  });

  it('is put back as it was: its own', () => {
    const enter = () => Promise.resolve();
    const room = { enter };
    watchMethod(room, 'enter', () => undefined)();
    expect(room.enter).toBe(enter);
  });

  it('is not watched any more under a function that was put over it', async () => {
    const room = new Room();
    const { begin, begun } = watch(() => {});
    const end = watchMethod(room, 'enter', begin);
    const below = room.enter;
    const over = (n: number) => below.call(room, n);
    room.enter = over;
    end();
    expect(room.enter).toBe(over);
    await room.enter(1);
    expect([room.calls, begun()]).toEqual([[1], 0]);
  });

  it('is one object’s alone', async () => {
    const [one, other] = [new Room(), new Room()];
    const { begin, begun } = watch(() => {});
    watchMethod(one, 'enter', begin);
    await other.enter(1);
    expect(begun()).toBe(0);
  });
});
