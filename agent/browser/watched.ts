import { quietly } from './quietly.ts';

/** Any function: every list of parameters accepts `never`. */
export type AnyFunction = (...args: never[]) => unknown;

/** How a call that began went on; called at most once. */
export type Ended = (end?: { readonly thrown: unknown }) => void;

/**
 * A function that does, returns and throws what `fn` does, and tells how each call ended.
 * @param begin  called before each call; its answer is called at the end, which for a promise is when it settles,
 *               and for another thenable never;
 *               undefined = this call is none of ours. What it throws is the window's. The answer may not throw.
 */
export function watched<F extends AnyFunction>(fn: F, begin: () => Ended | undefined): F {
  return new Proxy(fn, {
    apply(target, self, args) {
      const ended = quietly(begin);
      let result: unknown;
      try {
        result = Reflect.apply(target, self, args);
      } catch (thrown) {
        ended?.({ thrown });
        throw thrown;
      }
      if (!ended) return result;
      if (!isPromise(result)) {
        // Another thenable may begin its work when its `then` is called, and anew each time.
        if (!(result as { then?: unknown } | null | undefined)?.then) ended();
        return result;
      }
      const fulfilled = (value: unknown) => {
        ended();
        return value;
      };
      const rejected = (thrown: unknown) => {
        ended({ thrown });
        throw thrown;
      };
      // A rejection that the application does not catch must stay uncaught, so a plain promise is chained.
      if (result.constructor === Promise && !Object.keys(result).length)
        return result.then(fulfilled, rejected);
      // One with something of its own, such as `cancel`, is handed on as it is.
      result.then(fulfilled, (thrown) => ended({ thrown }));
      return result;
    },
  });
}

/**
 * Puts a watched function in a method's place.
 * @returns puts the method back, or, when somebody has put another one over it since, lets calls through unwatched
 */
export function watchMethod<K extends string>(
  target: Record<K, AnyFunction>,
  name: K,
  begin: () => Ended | undefined,
): () => void {
  const original = target[name];
  const own = Object.getOwnPropertyDescriptor(target, name);
  let isOn = true;
  const mine = watched(original, () => (isOn ? begin() : undefined));
  target[name] = mine;
  return () => {
    isOn = false;
    if (target[name] !== mine) return;
    if (own) Object.defineProperty(target, name, own);
    else delete (target as Partial<typeof target>)[name];
  };
}

/** Also of another frame, and of libraries that put their own in its place. */
function isPromise(value: unknown): value is Promise<unknown> {
  return (value as Partial<Promise<unknown>> | null | undefined)?.[Symbol.toStringTag] === 'Promise';
}
