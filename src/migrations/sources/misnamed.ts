/**
 * What a name that is almost Flyway's should have been: `V1_add`, `v2__x`, `V1-add`, `R_view` -> `V1__add`, `V2__x`,
 * `V1__add`, `R__view`. Undefined where nothing says that it was meant to be one.
 */
export function correctedFlywayName(stem: string, language: 'sql' | 'code'): string | undefined {
  const [, letter, number = '', separator = '', description] =
    /^([VRUB])[-_. ]?(\d+(?:[._]\d+)*)?([-_. ]+)(.*)$/is.exec(stem) ?? [];
  if (letter === undefined || description === undefined || description === '') return undefined;
  const prefix = letter.toUpperCase();
  if ((prefix === 'R') !== (number === '')) {
    // `R2_view` and `V_add`: the letter is the only thing that says anything.
    if (language === 'code' || separator === ' ') return undefined;
    return prefix === 'R' ? `R__${description}` : `${prefix}<version>__${description}`;
  }
  // A helper in code may well be called u2f.ts or v8-flags.ts.
  if (language === 'code' && !separator.startsWith('_')) return undefined;
  return `${prefix}${number}__${description}`;
}
