// The tests run against real peers. This makes sure they are there: what is missing is installed where this is
// Debian and we are root; otherwise a sentence says what to install. Prints on stderr only.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** program -> the Debian package that ships it */
const needed = {
  'redis-server': 'redis-server',
  'redis-cli': 'redis-tools',
  prometheus: 'prometheus',
  promtool: 'prometheus',
  'prometheus-alertmanager': 'prometheus-alertmanager',
  amtool: 'prometheus-alertmanager',
  chromium: 'chromium',
  openssl: 'openssl',
  prlimit: 'util-linux',
};

const isOnPath = (program) =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
const missing = () => Object.keys(needed).filter((program) => !isOnPath(program));
const say = (text) => process.stderr.write(`${text}\n`);

function aptGet(...args) {
  return spawnSync('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=300', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}

const lacking = missing();
if (lacking.length > 0) {
  const packages = [...new Set(lacking.map((program) => needed[program]))];
  const advice = `install them and run the tests again; on Debian: apt-get install ${packages.join(' ')}`;
  if (process.getuid?.() !== 0 || !isOnPath('apt-get')) {
    say(`The tests need ${lacking.join(', ')}: ${advice}`);
    process.exit(2);
  }
  say(`The tests need ${lacking.join(', ')}: installing ${packages.join(' ')} ...`);
  aptGet('update');
  // The packages start services of their own; the tests start theirs on free ports and need none of these.
  const installed = aptGet('install', '-y', '--no-install-recommends', ...packages);
  const still = missing();
  if (still.length > 0) {
    say(`${installed.stderr ?? ''}\napt-get could not provide ${still.join(', ')}: ${advice}`);
    process.exit(2);
  }
}
