import { join } from 'node:path';
import { runInThisContext } from 'node:vm';
import { ownPlace } from '../../src/pool-monitor/call-site/own-place.js';

test('who maps a package to sources that the application seems to have does not make it the application', () => {
  const filename = join(__dirname, 'node_modules/typeorm/driver/PostgresDriver.js');
  const take = runInThisContext('(function take(capture, site) { capture(site); })', { filename }) as (
    capture: (site: object) => void,
    site: { stack: string },
  ) => void;
  const before = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace');
  const site = { stack: '' };
  try {
    Error.prepareStackTrace = (error, calls) => {
      const lines = calls.map((call) =>
        call.getFileName() === filename
          ? '    at take (/app/src/driver/PostgresDriver.ts:1220:9)'
          : `    at ${call.getFunctionName() ?? 'f'} (${call.getFileName()}:${call.getLineNumber()}:${call.getColumnNumber()})`,
      );
      return [String(error), ...lines].join('\n');
    };
    const capture = (target: object): void => Error.captureStackTrace(target, capture);
    (function report() {
      take(capture, site);
    })();
    expect(ownPlace(site)).toMatchObject({ function: 'report', file: 'test/pool-monitor/own-place.test.ts' });
  } finally {
    if (before) Object.defineProperty(Error, 'prepareStackTrace', before);
    else Reflect.deleteProperty(Error, 'prepareStackTrace');
  }
});
