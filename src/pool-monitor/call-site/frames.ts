import { fileURLToPath } from 'node:url';
import { runInThisContext } from 'node:vm';

/** One frame of a stack, at its place in the code that ran. */
export interface StackFrame {
  /** `OrderService.place`; `undefined` for code outside every function, and for functions without a name. */
  readonly function: string | undefined;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /**
   * The file that ran, where another one is named for it: who maps sources may name that of a package as if the application
   * had it (`src/driver/PostgresDriver.ts` for TypeORM's, under jest).
   */
  readonly ran?: string;
}

/** One line of a stack in V8's format (https://v8.dev/docs/stack-trace-api): `    at async Shop.order (file.js:1:2)`. */
const LINE =
  /^\s*at (?:(?<name>.+?) \()?(?<file>(?:file:\/\/|\/|[A-Za-z]:\\)[^)]*?):(?<line>\d+):(?<column>\d+)\)?$/;

const AT = /^\s*at /;

/** Receivers whose names say nothing. */
const NAMELESS = new Set(['Object', 'Function', 'Module', 'global', 'process', 'Timeout', 'Immediate']);

/**
 * The frames of a stack that was captured and not read yet: the functions' names as V8 has them, for whoever maps sources
 * for stack traces (a test runner, source-map-support) puts others in their place; the places as whoever maps them says.
 * Of a stack that was read already, what its text says.
 */
export function framesOf(site: { readonly stack: string }): StackFrame[] {
  const before = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace');
  const map = mapperInForce();
  let frames: StackFrame[] | undefined;
  Error.prepareStackTrace = (error: Error, calls: NodeJS.CallSite[]) => {
    const text = map?.(error, calls);
    const mapped = typeof text === 'string' ? text.split('\n').filter((line) => AT.test(line)) : [];
    frames = calls.flatMap((call, index) => {
      const frame = frameOf(call);
      if (!frame) return [];
      const place = mapped.length === calls.length ? parseLine(mapped[index]!) : undefined;
      return {
        ...frame,
        ...(place && { file: place.file, line: place.line, column: place.column, ran: frame.file }),
      };
    });
    // What is answered is what `stack` is from now on.
    return `${String(error)}\n${frames.map(lineOf).join('\n')}`;
  };
  let text: string;
  try {
    text = String(site.stack);
  } finally {
    if (before) Object.defineProperty(Error, 'prepareStackTrace', before);
    else Reflect.deleteProperty(Error, 'prepareStackTrace');
  }
  return frames ?? text.split('\n').flatMap((line) => parseLine(line) ?? []);
}

type Mapper = (error: Error, calls: NodeJS.CallSite[]) => unknown;

/** What puts stacks into words here. Where this context has nothing of its own, as a test runner's, Node asks the main one. */
function mapperInForce(): Mapper | undefined {
  const own = Error as { readonly prepareStackTrace?: Mapper };
  const main = runInThisContext('Error') as typeof own;
  return own.prepareStackTrace ?? main.prepareStackTrace;
}

function frameOf(call: NodeJS.CallSite): StackFrame | undefined {
  const file = call.getFileName();
  const line = call.getLineNumber();
  if (!file || line === null || file.startsWith('node:')) return undefined;
  return { function: nameOf(call), file: pathOf(file), line, column: call.getColumnNumber() ?? 1 };
}

function nameOf(call: NodeJS.CallSite): string | undefined {
  const name = call.getFunctionName();
  if (!name) return undefined;
  const type = call.isToplevel() ? null : call.getTypeName();
  return !type || NAMELESS.has(type) || name.includes('.') ? name : `${type}.${name}`;
}

function lineOf({ function: name, file, line, column }: StackFrame): string {
  const at = `${file}:${line}:${column}`;
  return name ? `    at ${name} (${at})` : `    at ${at}`;
}

function parseLine(text: string): StackFrame | undefined {
  const found = LINE.exec(text)?.groups;
  if (!found) return undefined;
  const name = found['name']?.replace(/^(?:async |new )+/, '').replace(/ \[as .*\]$/, '');
  return {
    function: name?.includes('<anonymous>') ? undefined : name,
    file: pathOf(found['file']!),
    line: Number(found['line']),
    column: Number(found['column']),
  };
}

function pathOf(file: string): string {
  return file.startsWith('file://') ? fileURLToPath(file) : file;
}
