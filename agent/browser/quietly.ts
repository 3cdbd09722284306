/** Runs what may fail: a fault is the window's to hear of, never the application's to catch. */
export function quietly<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    (globalThis as { reportError?: (error: unknown) => void }).reportError?.(error);
    return undefined;
  }
}
