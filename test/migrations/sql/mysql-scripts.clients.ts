import { findClient } from '../../harness/client-binary.js';
import type { FaultProxy } from '../../harness/fault-proxy.js';
import { useMysqlDatabase } from '../../harness/mysql-database.js';
import { compareWithRecord } from './client-record.js';
import { sentByClient } from './mysql-client.js';
import { CLIENT_SCRIPTS } from './mysql-scripts.js';

const { program, version } = findClient('mariadb');

describe(`the client of this machine does as is written down: ${version}`, () => {
  const db = useMysqlDatabase();
  let proxy: FaultProxy;
  beforeAll(async () => {
    proxy = await db.proxy();
  });

  compareWithRecord({
    file: 'mysql-scripts.json',
    scripts: CLIENT_SCRIPTS,
    sentOf: (script) => sentByClient(script, { program, proxy, databaseUrl: db.url }),
  });
});
