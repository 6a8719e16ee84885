import { createHash } from 'node:crypto';
import { Client, escapeIdentifier } from 'pg';

/** Any number, as long as it is the same in every worker. */
const templateLock = 7_341_802_556;

export function adminUrl(): string {
  const url = process.env['HOLDFAST_TEST_PG_URL'];
  if (url) return url;
  throw new Error(
    'HOLDFAST_TEST_PG_URL is not set. The jest configuration needs globalSetup: test/harness/global-setup.ts ' +
      'and globalTeardown: test/harness/global-teardown.ts.',
  );
}

export function urlOfDatabase(name: string): string {
  const url = new URL(adminUrl());
  url.pathname = `/${encodeURIComponent(name)}`;
  return url.href;
}

/** Makes `name` from the template that holds `schema`; the template is made first if this run has none yet. */
export async function createDatabase(name: string, schema: string): Promise<void> {
  await withClient(adminUrl(), async (admin) => {
    const template = `${templatePrefix()}${createHash('sha256').update(schema).digest('hex').slice(0, 10)}`;
    await admin.query('SELECT pg_advisory_lock($1)', [templateLock]);
    try {
      const found = await admin.query('SELECT FROM pg_database WHERE datname = $1', [template]);
      if (found.rowCount === 0) await createTemplate(admin, template, schema);
    } finally {
      await admin.query('SELECT pg_advisory_unlock($1)', [templateLock]);
    }
    await admin.query(`CREATE DATABASE ${escapeIdentifier(name)} TEMPLATE ${escapeIdentifier(template)}`);
  });
}

export async function dropDatabase(name: string): Promise<void> {
  await withClient(adminUrl(), (admin) =>
    admin.query(`DROP DATABASE IF EXISTS ${escapeIdentifier(name)} WITH (FORCE)`),
  );
}

/** Drops the templates of this run. Only needed on a server that outlives the run. */
export async function dropTemplates(): Promise<void> {
  await withClient(adminUrl(), async (admin) => {
    const found = await admin.query<{ datname: string }>(
      'SELECT datname FROM pg_database WHERE starts_with(datname, $1)',
      [templatePrefix()],
    );
    for (const { datname } of found.rows) {
      await admin.query(`DROP DATABASE IF EXISTS ${escapeIdentifier(datname)}`);
    }
  });
}

/** Names the run, so that two runs on one server never meet. */
export function runId(): string {
  return process.env['HOLDFAST_TEST_RUN'] ?? 'local';
}

function templatePrefix(): string {
  return `holdfast_template_${runId()}_`;
}

/** Built under another name and renamed when complete: a half-made template must never be copied. */
async function createTemplate(admin: Client, template: string, schema: string): Promise<void> {
  const draft = `${template}_draft`;
  await admin.query(`DROP DATABASE IF EXISTS ${escapeIdentifier(draft)}`);
  await admin.query(`CREATE DATABASE ${escapeIdentifier(draft)} TEMPLATE template0`);
  await withClient(urlOfDatabase(draft), (client) => client.query(schema));
  await admin.query(`ALTER DATABASE ${escapeIdentifier(draft)} RENAME TO ${escapeIdentifier(template)}`);
}

async function withClient<T>(url: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, application_name: 'holdfast-test-admin' });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
