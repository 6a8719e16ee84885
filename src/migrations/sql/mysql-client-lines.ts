/** Commands of the mariadb and mysql clients, which they do not send to the server. No statement begins with one of these words. */
const CLIENT_COMMANDS: ReadonlySet<string> = new Set(
  (
    'charset clear connect costs edit ego exit go nopager nowarning notee pager print prompt quit ' +
    'rehash resetconnection sandbox source status system tee warnings'
  ).split(' '),
);

/** Whether the client runs by itself what begins with this word. */
export function isClientCommand(word: string): boolean {
  return CLIENT_COMMANDS.has(word.toLowerCase());
}

/**
 * The argument of a DELIMITER command: it ends at white space, or is quoted. Undefined where the client takes none:
 * there is nothing, or it has a backslash.
 *
 * @param line what follows the word DELIMITER on its line
 */
export function readDelimiter(line: string): string | undefined {
  const argument = line.trim();
  const quoted = /^(["'`])(.+?)\1/.exec(argument);
  const delimiter = quoted ? quoted[2]! : argument.split(/\s/, 1)[0]!;
  return delimiter === '' || delimiter.includes('\\') ? undefined : delimiter;
}

/**
 * A USE that ends with its line, as the client allows; undefined for one that ends with the delimiter, as any statement.
 *
 * @param line from the word USE to the end of the line
 */
export function readUseLine(line: string, delimiter: string): string | undefined {
  if (line.includes(delimiter) || /\\g/i.test(line)) return undefined;
  return /^use[ \t]+(?:`[^`]+`|[^\s`'"]+)/i.exec(line)?.[0];
}

/**
 * Whether `\` is an escape in quotes after this statement: the client asks the server, we read `SET sql_mode`.
 * Undefined where the statement says nothing of it.
 */
export function readBackslashEscapes(statement: string): boolean | undefined {
  if (
    statement.length > 2000 ||
    !/^(?:\/\*M?!\d*\s*)?set\b/i.test(statement) ||
    !/\bsql_mode\b/i.test(statement)
  )
    return undefined;
  return !/NO_BACKSLASH_ESCAPES/i.test(statement) || /\breplace\s*\(/i.test(statement);
}
