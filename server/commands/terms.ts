import { stringify } from 'yaml';
import { nearestWord } from '../../sla/nearest.ts';
import { PRESETS, type PresetName, presetTerms, termsRecord } from '../../sla/terms.ts';
import { quote } from '../../sla/text.ts';
import { type Command, EXIT } from './command.ts';
import { parseOptions, UsageFault, withFaults, write } from './usage.ts';

const DEFAULT_PRESET = 'trtc';
/** Older YAML reads a bare +08:00 as a number to the base of 60. */
const QUOTED = { defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' } as const;

const USAGE = `Usage: roomwatch terms [NAME]

Prints a preset's terms as YAML, ready to be saved as a terms file and changed; without a name those of
${DEFAULT_PRESET}. The comment at the top says which contract they were read from, and when.

Presets: ${Object.keys(PRESETS).join(', ')}

Exit codes: 0 done; 2 bad usage or no such preset.
`;

export const termsCommand: Command = {
  name: 'terms',
  summary: "print a contract's terms as YAML",
  usage: USAGE,
  run: (args, io) =>
    withFaults(io, async () => {
      const { positionals } = parseOptions(args, {});
      if (positionals.length > 1) {
        throw new UsageFault('USAGE_INVALID', `${positionals.length} names are given; name one preset`);
      }
      await write(io.stdout, termsYaml(presetNamed(positionals[0] ?? DEFAULT_PRESET)));
      return EXIT.done;
    }),
};

function presetNamed(name: string): PresetName {
  const known = Object.keys(PRESETS) as PresetName[];
  const found = known.find((one) => one === name);
  if (found !== undefined) return found;
  const near = nearestWord(name, known);
  const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
  throw new UsageFault(
    'PRESET_UNKNOWN',
    `${quote(name)} is not a preset${hint}; known: ${known.join(', ')}; write any other contract out with "preset: none"`,
  );
}

/** A terms file that says the same as the preset, with where it comes from. */
export function termsYaml(name: PresetName): string {
  const { source, readOn } = PRESETS[name];
  const head = [
    `# ${source}`,
    `# as read on ${readOn}; check it against the contract that you signed.`,
    '# To be added for your own: serviceStart, serviceEnd (dates), monthlyFee {amount, currency}.',
  ];
  return `${head.join('\n')}\n${stringify(termsRecord(presetTerms(name)), QUOTED)}`;
}
