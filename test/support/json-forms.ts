import fc from 'fast-check';

/** Choices in a row, endlessly: how a value is written in one of the many forms that mean the same. */
const choices = fc.infiniteStream(fc.nat(99));

/**
 * A record as text of JSON: with spaces where they may stand and characters as escapes, both here and there, and
 * integers with zeros behind a point.
 * @param escapable  UTF-16 units that may be written as an escape
 */
export function writtenSomehow(
  record: fc.Arbitrary<Readonly<Record<string, unknown>>>,
  escapable = /./s,
): fc.Arbitrary<string> {
  return fc
    .tuple(record, choices, fc.boolean(), fc.boolean())
    .map(([fields, stream, isSpaced, isEscaped]) => {
      const choose = () => stream.next().value as number;
      const space = () => (isSpaced && choose() < 30 ? ' '.repeat((choose() % 2) + 1) : '');
      const unitText = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
      const stringText = (text: string) =>
        isEscaped
          ? `"${text
              .split('')
              .map((unit) =>
                choose() < 30 && escapable.test(unit) ? unitText(unit) : JSON.stringify(unit).slice(1, -1),
              )
              .join('')}"`
          : JSON.stringify(text);
      const valueText = (value: unknown) => {
        if (typeof value === 'string') return stringText(value);
        if (Number.isSafeInteger(value) && isSpaced && choose() < 20)
          return `${value}.${'0'.repeat((choose() % 2) + 1)}`;
        return JSON.stringify(value);
      };
      const members = Object.entries(fields)
        .filter(([, value]) => value !== undefined)
        .map(
          ([key, value]) =>
            `${space()}${JSON.stringify(key)}${space()}:${space()}${valueText(value)}${space()}`,
        );
      return `${space()}{${members.join(',')}}${space()}`;
    });
}
