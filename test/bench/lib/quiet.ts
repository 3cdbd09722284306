import { readFileSync } from 'node:fs';
import { isQuick } from './report.ts';

/** Cores that others may use while we measure, the time over which that is judged, and how long we wait for it. */
const BUSY_CORES = 0.3;
const LOOK_MS = 400;
const PATIENCE_MS = isQuick ? 0 : 45_000;

let disturbed = 0;

/** Waits until the machine is idle, for a bounded time; a turn that starts on a busy one is counted. */
export async function quiet(): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const before = busyTicks();
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const cores = (busyTicks() - before) / (TICKS_PER_SECOND * (LOOK_MS / 1_000));
    if (cores < BUSY_CORES) return;
    if (performance.now() > until) {
      disturbed += 1;
      return;
    }
  }
}

/** Says how many turns started while other processes were busy. */
export function printDisturbed(): void {
  if (disturbed > 0) console.log(`${disturbed} turns started while other processes were busy`);
}

const TICKS_PER_SECOND = 100;

/** Of all processes and of the host that takes our time (steal). */
function busyTicks(): number {
  // cpu  user nice system idle iowait irq softirq steal
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = readFileSync(
    '/proc/stat',
    'utf8',
  )
    .slice(4)
    .trimStart()
    .split(/\s+/, 8)
    .map(Number);
  return user + nice + system + irq + softIrq + steal;
}
