import { readFile } from 'node:fs/promises';

export interface CallbackKeyPlaces {
  readonly sdkAppId: string;
  /** As given in the configuration, or else in the environment. */
  readonly key?: string;
  readonly keyFile?: string;
}

/** What the vendor's console takes. */
export const CALLBACK_KEY = /^[A-Za-z0-9]{1,32}$/;

/**
 * The key with which the vendor signs the callbacks of an application.
 * @throws with a sentence that says what to do; it never holds the key
 */
export async function readCallbackKey({ sdkAppId, key, keyFile }: CallbackKeyPlaces): Promise<string> {
  const found = keyFile === undefined ? key : await readKeyFile(keyFile, sdkAppId);
  if (found === undefined) {
    throw new Error(
      `SdkAppId ${sdkAppId} has no callback key; give trtcCallbacks a keyFile, or set ROOMWATCH_TRTC_CALLBACK_KEY`,
    );
  }
  if (!CALLBACK_KEY.test(found)) {
    throw new Error(
      `the callback key of SdkAppId ${sdkAppId} is not 1 to 32 letters and digits; copy it from the vendor's console`,
    );
  }
  return found;
}

async function readKeyFile(path: string, sdkAppId: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Error(
      `the callback key of SdkAppId ${sdkAppId} cannot be read from ${path} (${error.code}); create the file or correct the path`,
    );
  });
  return text.trim();
}
