import { ConnectionError, ConnectionState, Room, RoomEvent } from 'livekit-client';
import { type Beacon, type BeaconOptions, createBeacon, type Drop } from 'roomwatch/browser';
import type { TRTC } from 'trtc-sdk-v5';
import { type ErrorFacts, TrtcStandIn } from './trtc.ts';

let beacon: Beacon;
const drops: Drop[] = [];
const params = { sdkAppId: 1_400_000_123, userId: 'ann', userSig: 'signed', roomId: 8_888 };

/** The real SDKs' objects are accepted as they are; this is compiled, not run. */
export const watchesReal = (trtc: TRTC, room: Room) => [beacon.watchTrtc(trtc), beacon.watchLiveKit(room)];

/** The private parts of the real client that ask a server, or say what one answered. */
interface RoomInside {
  attemptConnection(url: string, token: string, options: unknown, abort: AbortController): Promise<void>;
  setAndEmitConnectionState(state: ConnectionState): void;
}

/** The real client, whose every attempt goes well after a moment, without a server. */
function roomWithoutServer(): Room {
  const room = new Room();
  const inside = room as unknown as RoomInside;
  inside.attemptConnection = async (_url, _token, _options, { signal }) => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (signal.aborted) throw ConnectionError.cancelled('Connection attempt aborted');
    inside.setAndEmitConnectionState(ConnectionState.Connected);
  };
  return room;
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
  /** Ends a watching a second time when another one has begun. */
  async endTwice() {
    const trtc = new TrtcStandIn();
    const end = beacon.watchTrtc(trtc);
    end();
    beacon.watchTrtc(trtc);
    end();
    beacon.watchTrtc(trtc);
    await trtc.enterRoom(params);
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
    const room = roomWithoutServer();
    beacon.watchLiveKit(room);
    const connect = () => room.connect('ws://127.0.0.1:1', 'token');
    await Promise.all([connect(), connect()]);
    await connect();
    return [room.state, room.listenerCount(RoomEvent.ConnectionStateChanged)];
  },
  /** Goes from room to room without waiting for what it leaves, then connects anew in the middle of a reconnection. */
  async changeLiveKitRooms() {
    const room = roomWithoutServer();
    beacon.watchLiveKit(room);
    const connect = () => room.connect('ws://127.0.0.1:1', 'token').then(() => 'connected', failureOf);
    const first = connect();
    await new Promise((resolve) => setTimeout(resolve, 10));
    void room.disconnect();
    const seen = await Promise.all([first, connect()]);
    void room.disconnect();
    seen.push(await connect());
    for (const state of [ConnectionState.Reconnecting, ConnectionState.SignalReconnecting]) {
      room.state = state;
      seen.push(await connect());
    }
    return seen;
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
  /** The real client again, which gives up on a server that is silent and asks another one. */
  async changeRealLiveKitServers(silent: string, url: string) {
    const room = new Room();
    beacon.watchLiveKit(room);
    const options = { maxRetries: 0, websocketTimeout: 2_000 };
    const first = room.connect(silent, 'token', options).catch(failureOf);
    const joined = room.connect(silent, 'token', options).catch(failureOf);
    await new Promise((resolve) => setTimeout(resolve, 200));
    void room.disconnect();
    const second = room.connect(url, 'token', options).catch(failureOf);
    return Promise.all([first, joined, second]);
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
    for (const none of [undefined, null]) createBeacon(none as never).record({ result: 'ok' });
    beacon.watchTrtc(Object.freeze(new TrtcStandIn()));
    beacon.watchTrtc({} as TrtcStandIn);
    beacon.record({ result: 'ok', code: 1n } as never);
    const fn = beacon.watch(async () => 'done', {
      read: () => {
        throw new Error('own fault');
      },
    });
    const results = [await fn(), await beacon.watch(async () => 'done', null as never)()];
    const hostile = {
      get platform(): string {
        throw new Error('no platform');
      },
    };
    results.push(await beacon.watch(async () => 'done', hostile)());
    const room = { connect: async () => results.push('connected') };
    beacon.watchLiveKit(room as never);
    await room.connect();
    return { told, results, dropped: wrong.dropped, own: beacon.dropped };
  },
};

Object.assign(globalThis, { scenarios });
