import { ConnectionState, Room } from 'livekit-client';
import { type Beacon, type BeaconOptions, createBeacon, type Drop } from 'roomwatch/browser';
import type { TRTC } from 'trtc-sdk-v5';
import { type ErrorFacts, TrtcStandIn } from './trtc.ts';

let beacon: Beacon;
const drops: Drop[] = [];
const params = { sdkAppId: 1_400_000_123, userId: 'ann', userSig: 'signed', roomId: 8_888 };

/** The real SDKs' objects are accepted as they are; this is compiled, not run. */
export const watchesReal = (trtc: TRTC, room: Room) => [beacon.watchTrtc(trtc), beacon.watchLiveKit(room)];

/** The part of a LiveKit Room that has to do with connecting, and where every attempt goes well. */
class LiveKitStandIn implements Pick<Room, 'connect' | 'state'> {
  state = ConnectionState.Disconnected;
  #connecting: Promise<void> | undefined;
  connect = async (): Promise<void> => {
    // The real one waits for a lock, and is still called disconnected meanwhile.
    await Promise.resolve();
    if (this.state === ConnectionState.Connected) return;
    this.#connecting ??= new Promise((resolve) => {
      this.state = ConnectionState.Connecting;
      setTimeout(() => {
        this.state = ConnectionState.Connected;
        resolve();
      });
    });
    return this.#connecting;
  };
}

function failureOf(thrown: unknown): string {
  const { name, code } = thrown as { name?: string; code?: number };
  return `${name} ${code}`;
}

const scenarios = {
  open(options: BeaconOptions) {
    beacon = createBeacon({ ...options, onDrop: (drop) => drops.push(drop) });
  },
  flush: () => beacon.flush(),
  state: () => ({ waiting: beacon.waiting, dropped: beacon.dropped, drops }),
  record: (count: number, fields: object = {}) => {
    for (let i = 0; i < count; i++) beacon.record({ result: 'ok', platform: 'web-v5', ...fields });
  },

  /** @returns what the application sees of each entry */
  async enterTrtc(endings: readonly (ErrorFacts | null)[], afterMs = 0) {
    const trtc = new TrtcStandIn();
    const end = beacon.watchTrtc(trtc);
    beacon.watchTrtc(trtc);
    const seen: string[] = [];
    for (const ending of endings) {
      trtc.next = ending ?? undefined;
      trtc.afterMs = afterMs;
      seen.push(await trtc.enterRoom(params).then(() => 'entered', failureOf));
    }
    end();
    trtc.next = undefined;
    await trtc.enterRoom(params);
    return { seen, entered: trtc.entered.length };
  },
  async failAfterEntry() {
    const trtc = new TrtcStandIn();
    const errors: string[] = [];
    trtc.on('error' as Parameters<typeof trtc.on>[0], (...args: unknown[]) =>
      errors.push(failureOf(args[0])),
    );
    beacon.watchTrtc(trtc);
    await trtc.enterRoom(params);
    trtc.emitError({ code: 5500, extraCode: 5501 });
    trtc.emitError({ code: 5500, extraCode: 5502 });
    return errors;
  },
  async switchRoom() {
    const trtc = new TrtcStandIn();
    beacon.watchTrtc(trtc);
    await trtc.enterRoom(params);
    await trtc.switchRoom({ roomId: 9_999 });
  },
  async connectLiveKit() {
    const room = new LiveKitStandIn();
    beacon.watchLiveKit(room);
    await Promise.all([room.connect(), room.connect()]);
    await room.connect();
    return room.state;
  },
  /** A closed beacon lets calls through, and counts them no more. */
  async enterAfterClose() {
    const trtc = new TrtcStandIn();
    beacon.watchTrtc(trtc);
    const fn = beacon.watch(async () => 'done');
    await trtc.enterRoom(params);
    await beacon.close();
    await trtc.enterRoom(params);
    return [await fn(), trtc.entered.length, beacon.dropped.closed];
  },
  /** The real client, which ends as its server has it. */
  async connectRealLiveKit(url: string) {
    const room = new Room();
    beacon.watchLiveKit(room);
    return room
      .connect(url, 'token', { maxRetries: 0, websocketTimeout: 2_000 })
      .then(() => 'connected', failureOf);
  },
  /** The real SDK, which ends as the network has it. */
  async enterRealTrtc() {
    const script = document.createElement('script');
    script.src = '/trtc.js';
    const loaded = new Promise((resolve) => script.addEventListener('load', resolve));
    document.head.append(script);
    await loaded;
    const trtc = (globalThis as unknown as { TRTC: typeof TRTC }).TRTC.create();
    beacon.watchTrtc(trtc);
    return trtc.enterRoom(params).then(() => 'entered', failureOf);
  },
  /** Sets the clock, or stands for the time that the page slept. */
  passTime(ms: number) {
    const now = Date.now;
    Date.now = () => now() + ms;
  },
  /** As when the browser takes no more from pages that are left. */
  refuseBeacons() {
    navigator.sendBeacon = () => false;
  },
  stored: () => sessionStorage.length,
  /** As when another tab is looked at: the page lives on. */
  hide() {
    Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
  },
  /** Left uncaught by the application, a rejection stays uncaught. */
  async failUncaught() {
    const trtc = new TrtcStandIn();
    beacon.watchTrtc(trtc);
    trtc.next = { code: 5400, extraCode: -10_015, message: 'uncaught entry' };
    const uncaught = new Promise<string>((resolve) => {
      addEventListener('unhandledrejection', (event) => {
        event.preventDefault();
        resolve(failureOf(event.reason));
      });
    });
    void trtc.enterRoom(params);
    return uncaught;
  },
  async watchAny() {
    const enter = beacon.watch(
      async (room: string) => {
        if (room === '') throw Object.assign(new Error('no room'), { code: 7 });
        return room;
      },
      { platform: 'own', region: 'us', read: () => ({ code: 42, cause: 'customer' }) },
    );
    return [await enter('a'), await enter('').catch((error: Error) => error.message)];
  },
  /** What is wrong is told to the window, and nothing else stops. */
  async misuse() {
    const told: string[] = [];
    addEventListener('error', (event) => {
      event.preventDefault();
      told.push(event.message);
    });
    const wrong = createBeacon({ url: 'ftp:// no', bufferMax: 0 });
    wrong.record({ result: 'ok' });
    beacon.watchTrtc(Object.freeze(new TrtcStandIn()));
    beacon.watchTrtc({} as TrtcStandIn);
    beacon.record({ result: 'ok', code: 1n } as never);
    const fn = beacon.watch(async () => 'done', {
      read: () => {
        throw new Error('own fault');
      },
    });
    return { told, result: await fn(), dropped: wrong.dropped, own: beacon.dropped };
  },
};

Object.assign(globalThis, { scenarios });
