import { type Logger, setLogger } from 'holdfast';

type Line = readonly [fields: object, message: string];

/** What holdfast logs while a test runs, in place of the default logger. */
export function useLog(): { readonly infos: Line[]; readonly warnings: Line[]; readonly errors: Line[] } {
  const log = { infos: [] as Line[], warnings: [] as Line[], errors: [] as Line[] };
  const logger: Logger = {
    debug: () => undefined,
    info: (...line) => void log.infos.push(line),
    warn: (...line) => void log.warnings.push(line),
    error: (...line) => void log.errors.push(line),
  };
  beforeEach(() => {
    log.infos.length = 0;
    log.warnings.length = 0;
    log.errors.length = 0;
    setLogger(logger);
  });
  afterEach(() => setLogger(undefined));
  return log;
}
