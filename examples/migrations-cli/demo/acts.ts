import { closeGate } from './gate.js';
import type { Project } from './project.js';

/** Every way that a deploy can take, one after the other on one database. */
export async function play(project: Project): Promise<void> {
  await project.install();
  for (const [index, [title, act]] of Object.entries(acts).entries()) {
    process.stdout.write(`\n${index + 1}  ${title}\n`);
    await act(project);
  }
  process.stdout.write(`\n${Object.keys(acts).length} acts, every promise kept.\n`);
}

const acts: Readonly<Record<string, (project: Project) => Promise<void>>> = {
  'the first deploy': async (project) => {
    await project.migrate('status', 2);
    await project.migrate('up --dry-run', 0);
    await project.migrate('up', 0);
  },

  'nothing is pending: no lock is taken': (project) => project.migrate('up', 0),

  'two pods start at once: one applies, the other one waits and finds nothing to do': async (project) => {
    // The one is not done before the other one waits, however late that starts.
    const gate = await closeGate(project.url);
    const content = `-- lock-timeout: 60s\nALTER TABLE orders ADD price int;\n${gate.statements}\n`;
    await project.write('migrations/V3__add_price.sql', content);
    await project.migrateTwice('up', { once: /waiting for the lock: .*V3__add_price/i, call: gate.open });
  },

  'a migration fails, and is put right': async (project) => {
    const statements = (table: string): string =>
      `ALTER TABLE orders ADD note varchar(200);\nUPDATE ${table} SET note = 'none';\n`;
    await project.write('migrations/V4__add_note.sql', statements('ordres'));
    await project.migrate('up', project.isPostgres ? 1 : 3);
    await project.write('migrations/V4__add_note.sql', statements('orders'));
    await project.migrate('up', 0);
  },

  'a verification finds rows that must not be there': async (project) => {
    const file = (price: number): string =>
      `INSERT INTO orders VALUES (1, 'pen', 2, ${price}, 'none');\n` +
      '-- verify: SELECT id FROM orders WHERE price < 0\n';
    await project.write('migrations/V5__first_order.sql', file(-5));
    await project.migrate('up', 6);
    await project.write('migrations/V5__first_order.sql', file(5));
    await project.migrate('up', 0);
  },

  'an applied file was edited: refused, until it is taken back or accepted': async (project) => {
    await project.write('migrations/V3__add_price.sql', 'ALTER TABLE orders ADD price bigint;\n');
    await project.migrate('up', 5);
    await project.migrate('repair', 0);
    await project.migrate('up', 0);
  },

  'a lower version is merged late: refused, unless it is meant to be': async (project) => {
    await project.write('migrations/V3.1__add_index.sql', 'CREATE INDEX orders_item ON orders (item);\n');
    await project.migrate('up', 5);
    await project.migrate('up --out-of-order', 0);
  },

  'the last version is undone, and applied again': async (project) => {
    await project.write('migrations/V6__add_hint.sql', 'ALTER TABLE orders ADD hint varchar(20);\n');
    await project.write('migrations/U6__add_hint.sql', 'ALTER TABLE orders DROP COLUMN hint;\n');
    await project.migrate('up', 0);
    await project.migrate('undo', 0);
    await project.migrate('up', 0);
  },

  'another service comes from dbmate: what it had applied is taken over': async (project) => {
    await project.write(
      'migrations/V7__as_dbmate_left_it.sql',
      'CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY);\n' +
        "INSERT INTO schema_migrations VALUES ('20250101000000');\nCREATE TABLE bills (id int PRIMARY KEY);\n",
    );
    await project.migrate('up', 0);
    const file = (up: string, down: string): string => `-- migrate:up\n${up}\n\n-- migrate:down\n${down}\n`;
    await project.write(
      'bills/20250101000000_add_bills.sql',
      file('CREATE TABLE bills (id int PRIMARY KEY);', 'DROP TABLE bills;'),
    );
    await project.write(
      'bills/20250201000000_add_total.sql',
      file('ALTER TABLE bills ADD total int;', 'ALTER TABLE bills DROP COLUMN total;'),
    );
    const own = '--directory bills --history-table bills_history';
    await project.migrate(`adopt --from dbmate ${own}`, 0);
    await project.migrate(`up ${own}`, 0);
    await project.migrate(`status ${own}`, 0);
  },

  'where it all stands': (project) => project.migrate('status', 0),
};
