import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';

/**
 * The files of dashboards/compose/ with the addresses of this machine in place of the containers', so that what is
 * started here is what ships.
 */
const COMPOSE = resolve('dashboards', 'compose');
const RULES = resolve('alerts', 'prometheus');

/** On what Prometheus tells Alertmanager; what the daemon tells has it not. */
export const TOLD_BY_PROMETHEUS = { told_by: 'prometheus' };

/** Ports of 127.0.0.1. */
export interface StackPorts {
  readonly daemon: number;
  readonly agent: number;
  readonly alertmanager: number;
  readonly smtp: number;
}

/** JSON is YAML. */
type Document = Record<string, unknown>;

function shipped(name: string): Document {
  return parse(readFileSync(join(COMPOSE, name), 'utf8')) as Document;
}

export function daemonSettings({ daemon, alertmanager, smtp }: StackPorts): string {
  const settings = shipped('roomwatch.yaml') as Document & {
    alerting: { receivers: { type: string }[] };
  };
  const receivers = settings.alerting.receivers.map((receiver) => {
    if (receiver.type === 'email') return { ...receiver, host: '127.0.0.1', port: smtp };
    if (receiver.type === 'alertmanager') {
      return { ...receiver, urls: [`http://127.0.0.1:${alertmanager}`] };
    }
    throw new Error(`compose/roomwatch.yaml has a ${receiver.type}; say here where it is on this machine`);
  });
  return JSON.stringify({
    ...settings,
    listen: { host: '127.0.0.1', port: daemon },
    alerting: { ...settings.alerting, externalUrl: `http://127.0.0.1:${daemon}`, receivers },
  });
}

/**
 * The daemon's alerts and Prometheus' own, side by side: whoever uses one of them needs to see that the other way
 * works too. Ten times the shipped pace, so that an incident is there in seconds.
 */
export function prometheusSettings(ports: StackPorts): string {
  const settings = shipped('prometheus.yml') as Document & {
    scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
  };
  const here = (target: string) => {
    const [host = '', port = ''] = target.split(':');
    if (host === 'daemon' || host === 'agent') return `127.0.0.1:${ports[host]}`;
    throw new Error(`compose/prometheus.yml scrapes ${host}:${port}; say here where it is on this machine`);
  };
  return JSON.stringify({
    ...settings,
    global: {
      ...{ scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      // Both ways have the same labels on purpose: Alertmanager would show them as one.
      external_labels: TOLD_BY_PROMETHEUS,
    },
    rule_files: ['watcher.rules.yml', 'month.rules.yml'].map((name) => join(RULES, name)),
    alerting: { alertmanagers: [{ static_configs: [{ targets: [`127.0.0.1:${ports.alertmanager}`] }] }] },
    scrape_configs: settings.scrape_configs.map((job) => ({
      ...job,
      static_configs: job.static_configs.map(({ targets }) => ({ targets: targets.map(here) })),
    })),
  });
}

/** Mails of Alertmanager go where the daemon's go. */
export function alertmanagerSettings(smtp: number): string {
  return readFileSync(join(COMPOSE, 'alertmanager.yml'), 'utf8').replaceAll('mail:1025', `127.0.0.1:${smtp}`);
}
