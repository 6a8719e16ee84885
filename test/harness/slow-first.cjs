const { createRequire } = require('node:module');

// jest's own copy: it is no dependency of ours.
const ofJest = createRequire(createRequire(require.resolve('jest')).resolve('@jest/core'));
const { default: Sequencer } = ofJest('@jest/test-sequencer');

/** Below test/: what runs for long in few tests. One of them that began last would have the machine for itself. */
const slow = [
  'examples/',
  'testing/runners',
  'testing/other-runners',
  'pool-monitor/fleet/',
  'migrations/runner/crash-',
  'testing/every-way-',
  'cli/interrupts',
  'connection/lease-abandoned',
  'transaction/several-data-sources-commit',
  'migrations/runner/deployers',
  'migrations/runner/flat-memory',
  'migrations/runner/large-file',
  'typeorm-transactional/original-suite',
  'harness/leak-check',
  'harness/postgres.test',
  'conformance/',
];

/**
 * The order of the files: jest begins with those that took longest the last time, but a fresh clone has no last time, and the
 * size of a file, which it goes by then, says little.
 */
module.exports = class SlowFirst extends Sequencer {
  sort(tests) {
    const rank = ({ path }) => {
      const place = slow.findIndex((part) => path.replaceAll('\\', '/').includes(`/test/${part}`));
      return place === -1 ? slow.length : place;
    };
    return [...super.sort(tests)].sort((one, other) => rank(one) - rank(other));
  }
};
