import { findClient } from '../../harness/client-binary.js';
import { compareWithRecord } from './client-record.js';
import { PSQL_SCRIPTS } from './postgres-scripts.js';
import { sentByPsql } from './psql.js';

const { program, version } = findClient('psql');

describe(`the client of this machine does as is written down: ${version}`, () => {
  compareWithRecord({
    file: 'postgres-scripts.json',
    scripts: PSQL_SCRIPTS,
    sentOf: (script) => sentByPsql(script, program),
  });
});
