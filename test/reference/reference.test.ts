import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { fieldsOf } from './fields.ts';
import { referenceFiles } from './files.ts';
import { agentSchema, daemonSchema, forEditors, type JsonSchema } from './schema.ts';

const root = resolve(fileURLToPath(new URL('../..', import.meta.url)));

/** The YAML that a page shows. */
function blocksOf(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map((match) => match[1]!);
}

function configMapOf(file: string): string {
  const documents = parseAllDocuments(readFileSync(join(root, file), 'utf8')).map((one) => one.toJS());
  const map = documents.find(({ kind }) => kind === 'ConfigMap') as { data: Record<string, string> };
  return map.data['roomwatch.yaml']!;
}

describe('the reference', () => {
  it.each([...referenceFiles().keys()])(
    '%s is committed as the schema has it; if not: npm run reference',
    (path) => {
      expect(readFileSync(join(root, path), 'utf8')).toBe(referenceFiles().get(path));
    },
  );

  it.each([
    ['daemon', daemonSchema()],
    ['agent', agentSchema()],
  ])('says of every key of the %s what it is for', (_, schema) => {
    const fields = fieldsOf(schema);
    expect(fields.length).toBeGreaterThan(20);
    expect(
      fields.filter(({ description }) => !/[.:]$|\.\.\.$/.test(description)).map(({ path }) => path),
    ).toEqual([]);
  });

  it('knows defaults, bounds and the keys that may be in files', () => {
    const field = (path: string) => fieldsOf(daemonSchema()).find((one) => one.path === path);
    expect(field('listen.port')).toMatchObject({ values: 'whole number, 0 to 65,535', fallback: '9470' });
    expect(field('terms.threshold')).toMatchObject({ values: 'text', fallback: '"99"' });
    expect(field('terms.windowMinutes')).toMatchObject({ values: 'whole number, 1 to 1,440', fallback: '5' });
    expect(field('tokens[].role')).toMatchObject({ values: '`agent`, `reader`, `admin`', isRequired: true });
    expect(field('tokens[].token')?.description).toContain('`tokenFile`');
    expect(field('alerting.receivers[] (email).host')).toMatchObject({ isRequired: true });
    expect(field('alerting.receivers[].name')).toMatchObject({ isRequired: true });
  });
});

describe('the schema for editors', () => {
  const inside = (schema: JsonSchema, ...path: string[]): JsonSchema =>
    path.reduce<JsonSchema>(
      (at, step) => (step === '[]' ? (at.items ?? {}) : (at.properties?.[step] ?? {})),
      schema,
    );

  it('takes secrets from files and from the environment', () => {
    const token = inside(forEditors(daemonSchema()), 'tokens', '[]');
    expect(Object.keys(token.properties ?? {})).toContain('tokenFile');
    const patterns = (token.properties?.token?.anyOf ?? []).map(({ pattern }) => pattern ?? '');
    expect(patterns.some((pattern) => new RegExp(pattern).test(`\${ROOMWATCH_TOKEN}`))).toBe(true);
    expect(token.required).toEqual(['name', 'role']);
  });

  it('takes the configurations that ship, as they are written, and none with a slip', () => {
    const schema = z.fromJSONSchema(forEditors(daemonSchema()) as z.core.JSONSchema.JSONSchema);
    const written = [
      readFileSync(join(root, 'dashboards/compose/roomwatch.yaml'), 'utf8'),
      ...blocksOf('README.md').filter((block) => block.includes('listen:') || block.includes('receivers:')),
      configMapOf('dashboards/kubernetes/daemon.yaml'),
    ];
    expect(written.length).toBeGreaterThan(3);
    for (const text of written) {
      const parsed = schema.safeParse(parse(text));
      expect(parsed.error?.issues ?? [], text).toEqual([]);
    }
    for (const slip of ['listen: { prot: 1 }', 'tokens: [{ name: a, role: root }]', 'log: { level: loud }']) {
      expect(schema.safeParse(parse(slip)).success, slip).toBe(false);
    }
  });

  it('refuses keys that nobody knows', () => {
    expect(forEditors(daemonSchema()).additionalProperties).toBe(false);
    expect(inside(forEditors(daemonSchema()), 'listen').additionalProperties).toBe(false);
  });
});
