/**
 * Where in a statement a syntax error is, in UTF-16 code units: `… near 'FORM x' at line 3`. The server counts lines from
 * the statement's beginning and quotes up to 80 characters from there on.
 */
export function offsetOfError(message: string, statement: string): number | undefined {
  const [, near, line] = /near '([\s\S]*)' at line (\d+)\s*$/.exec(message) ?? [];
  if (line === undefined) return undefined;
  const start = startOfLine(statement, Number(line));
  if (start === undefined) return undefined;
  if (near === '') return statement.length;
  const found = statement.indexOf(near!, start);
  return found === -1 ? start : found;
}

function startOfLine(text: string, line: number): number | undefined {
  let start = 0;
  for (let current = 1; current < line; current++) {
    start = text.indexOf('\n', start) + 1;
    if (start === 0) return undefined;
  }
  return start;
}
