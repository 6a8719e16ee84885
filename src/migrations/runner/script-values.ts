import path from 'node:path';
import type { SessionPlace } from '../history/table-dialect.js';
import type { ParsedMigratorOptions } from '../options.js';
import type { SourcePosition } from '../sql/statement.js';
import { ScriptProblem } from './script-problem.js';

/** What `${name}` stands for in a SQL file: what is declared, and what Flyway declares by itself. */
export type ValuesFor = (file: string) => Readonly<Record<string, string>>;

const BUILT_IN = /^flyway:/i;

/**
 * Flyway's own (`ParsingContext.java`), as far as they mean something here. All of a run are of one moment: the checksum of
 * a repeatable file is of the text that is run. What is declared goes first.
 */
export function scriptValues(
  { placeholders, schema, history, cwd }: ParsedMigratorOptions,
  place: SessionPlace,
): ValuesFor {
  const timestamp = localTime(new Date());
  const declared = new Set(Object.keys(placeholders).map((name) => name.toLowerCase()));
  return (file) => {
    const builtIn: Readonly<Record<string, string | null | undefined>> = {
      'flyway:defaultSchema': schema ?? place.schema ?? history.schema,
      'flyway:user': place.login,
      'flyway:database': place.database,
      'flyway:timestamp': timestamp,
      'flyway:filename': path.basename(file),
      'flyway:workingDirectory': cwd,
      'flyway:table': history.table,
    };
    const values: Record<string, string> = { ...placeholders };
    for (const [name, value] of Object.entries(builtIn))
      if (value != null && !declared.has(name.toLowerCase())) values[name] = value;
    return values;
  };
}

/** Whether a name is one of Flyway's: no data looks like that. */
export function isBuiltIn(name: string): boolean {
  return BUILT_IN.test(name);
}

export function noValueProblem(name: string, position: SourcePosition): ScriptProblem {
  return new ScriptProblem(`\${${name}} is Flyway's, and has no value here`, {
    place: { position, text: '' },
    next: `Give it one (\`--placeholder ${name}=…\`, or \`placeholders\` of the configuration), or write what it stands for.`,
  });
}

/** As Flyway writes it: `yyyy-MM-dd HH:mm:ss`, in the time zone of the process. */
function localTime(time: Date): string {
  const two = (number: number): string => String(number).padStart(2, '0');
  const day = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join('-');
  return `${day} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':')}`;
}
