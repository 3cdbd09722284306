import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { STEPS } from '../../alerts/alert.ts';
import { FAILURE_REASONS } from '../../alerts/notify/notifier.ts';
import { AGENT_METRICS, METRICS, type MetricSpec } from '../../protocol/metrics.ts';

const directory = resolve(fileURLToPath(new URL('.', import.meta.url)), '../../alerts/prometheus');
const files = (suffix: string) => readdirSync(directory).filter((name) => name.endsWith(suffix));

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
}
const rulesOf = (file: string): Rule[] =>
  parse(readFileSync(join(directory, file), 'utf8')).groups.flatMap(
    (group: { rules: Rule[] }) => group.rules,
  );
const RULES = files('.rules.yml').flatMap(rulesOf);
const SPECS: MetricSpec[] = [...Object.values(METRICS), ...Object.values(AGENT_METRICS)];

/** Metric names in an expression, with the labels that their selectors ask for. */
function selectors(expr: string): { name: string; labels: string[] }[] {
  return [...expr.matchAll(/(?<![:\w])(roomwatch_[a-z_]+)(?![:\w])(?:\{([^}]*)\})?/g)].map(
    ([, name = '', body = '']) => ({
      name,
      labels: [...body.matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label),
    }),
  );
}

function promtool(...args: string[]): string {
  try {
    return execFileSync('promtool', args, { cwd: directory, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    const { code, stdout, stderr } = error as NodeJS.ErrnoException & { stdout?: string; stderr?: string };
    if (code !== 'ENOENT') throw new Error(`${stdout ?? ''}${stderr ?? ''}`);
    throw new Error('promtool is missing; install prometheus (Debian: apt-get install prometheus)');
  }
}

describe('the Prometheus rules', () => {
  it('are taken by promtool', () => {
    expect(promtool('check', 'rules', ...files('.rules.yml'))).toContain('SUCCESS');
  });

  it.each(files('.test.yml'))('do what %s says, run by promtool', (file) => {
    expect(promtool('test', 'rules', file)).toContain('SUCCESS');
  });

  it('speak only of metrics and labels that exist', () => {
    const asked = RULES.flatMap(({ expr }) => selectors(expr));
    expect(asked.length).toBeGreaterThan(15);
    for (const { name, labels } of asked) {
      const spec = SPECS.find((one) => one.name === name);
      expect(spec, name).toBeDefined();
      expect(spec?.labels, name).toEqual(expect.arrayContaining(labels));
    }
  });

  it('take counters through increase() and gauges as they are', () => {
    for (const { expr } of RULES) {
      for (const [, name] of expr.matchAll(/(?:increase|rate)\((roomwatch_[a-z_]+)/g)) {
        expect(SPECS.find((one) => one.name === name)?.type, name).toBe('counter');
      }
    }
  });

  it('ask for failure reasons and steps that exist', () => {
    const reasons = RULES.flatMap(
      ({ expr }) => /notifications_failed_total\{reason=~"([^"]+)"/.exec(expr)?.[1] ?? [],
    );
    expect(reasons.length).toBeGreaterThan(0);
    expect(FAILURE_REASONS).toEqual(expect.arrayContaining(reasons.flatMap((list) => list.split('|'))));
    const steps = RULES.flatMap(({ labels }) => labels?.step ?? []);
    expect(STEPS).toEqual(expect.arrayContaining(steps));
  });

  it('each alert has a name of its own and a test that sees it fire', () => {
    const alerts = RULES.flatMap(({ alert }) => alert ?? []);
    expect(new Set(alerts).size).toBe(alerts.length);
    const fired = files('.test.yml').flatMap((file) =>
      parse(readFileSync(join(directory, file), 'utf8')).tests.flatMap(
        (test: { alert_rule_test: { alertname: string; exp_alerts?: unknown[] }[] }) =>
          test.alert_rule_test.filter((one) => one.exp_alerts).map((one) => one.alertname),
      ),
    );
    expect([...new Set(fired)].sort()).toEqual([...alerts].sort());
  });
});
