import { type Field, fieldsOf } from './fields.ts';
import { agentSchema, daemonSchema, forEditors, type JsonSchema } from './schema.ts';

const ENVIRONMENT = '`$' + '{NAME}`, a variable of the environment (`$$' + '{` for a literal `$' + '{`)';

/** The files that follow from the schemas, by their paths in the checkout. */
export function referenceFiles(): ReadonlyMap<string, string> {
  const daemon = daemonSchema();
  const agent = agentSchema();
  return new Map([
    [
      'server/config/REFERENCE.md',
      page(daemon, {
        title: "The daemon's configuration",
        intro: [
          'Every key of the file that `roomwatch serve --config FILE` reads, YAML or JSON; all of it may be left out.',
          '`roomwatch check-config FILE` tells every fault at once, with its line. `kill -HUP` reads the file again: terms,',
          'exclusions, tokens, receivers and the log level change at once, and the log names what needs a restart.',
          '',
          `Any text may hold ${ENVIRONMENT}. A secret may be in a file:`,
          'where a row says so, write the key with `File` at its end.',
          '',
          'An editor checks the file as you type with this as its first line:',
          '',
          '    # yaml-language-server: $schema=node_modules/roomwatch/dist/server/config/generated/roomwatch.schema.json',
        ],
      }),
    ],
    ['server/config/generated/roomwatch.schema.json', jsonText(forEditors(daemon))],
    [
      'agent/REFERENCE.md',
      page(agent, {
        title: "The agent's configuration",
        intro: [
          'Every key of the file that `roomwatch-agent --config FILE` reads, YAML or JSON; all of it may be left out, and',
          'options of the command line win over it (`roomwatch-agent --help`).',
          '',
          'An editor checks the file as you type with this as its first line:',
          '',
          '    # yaml-language-server: $schema=node_modules/roomwatch/dist/agent/generated/roomwatch-agent.schema.json',
        ],
      }),
    ],
    ['agent/generated/roomwatch-agent.schema.json', jsonText(agent)],
  ]);
}

function page(
  schema: JsonSchema,
  { title, intro }: { readonly title: string; readonly intro: readonly string[] },
): string {
  // Told once, under their own name.
  const fields = fieldsOf(schema).filter(({ path }) => !path.startsWith('services.<name>.terms.'));
  const groups = new Map<string, Field[]>();
  for (const field of fields) {
    const section = field.path.split(/[.[ ]/)[0] ?? '';
    groups.set(section, [...(groups.get(section) ?? []), field]);
  }
  const simple = [...groups.values()].filter((group) => group.length === 1).flat();
  const sections = [...groups].filter(([, group]) => group.length > 1);
  return [
    `# ${title}`,
    '',
    '<!-- Generated from the schema by `npm run reference`: change the schema, not this file. -->',
    '',
    ...intro,
    '',
    ...(simple.length > 0 ? [...table(simple), ''] : []),
    ...sections.flatMap(([name, [section, ...rest]]) => [
      `## ${name}`,
      '',
      section?.description ?? '',
      '',
      ...table(rest, name),
      '',
    ]),
  ]
    .join('\n')
    .replace(/\n+$/, '\n');
}

function table(fields: readonly Field[], section = ''): string[] {
  const rows = fields.map(({ path, values, fallback, description, isRequired, isSection }) => {
    const name = path.slice(section.length).replace(/^\./, '');
    const by = isRequired ? 'required' : fallback === '' ? '' : `\`${fallback}\``;
    return `| \`${name}\` | ${cell(isSection && values === 'a mapping' ? '' : values)} | ${cell(by)} | ${cell(description)} |`;
  });
  return ['| key | value | default | |', '|---|---|---|---|', ...rows];
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
