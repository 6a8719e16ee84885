import type { Workspace } from './workspace.js';

interface BehindGate {
  /** The file that is to wait at the gate, or to come before one that does. */
  readonly third: string;
  readonly table: (name: string) => string;
}

/**
 * Applies V1, which makes the table `gate`: whoever writes or locks it says when a file that does the same goes on. Writes V2,
 * which a run applies step by step, V3, and V4 and V5, which are sent behind that.
 */
export async function prepareGate(files: Workspace, { third, table }: BehindGate): Promise<void> {
  files.write({ 'V1__gate.sql': 'CREATE TABLE gate (n INT PRIMARY KEY);' });
  await files.migrator().up();
  files.events.length = 0;
  files.write({
    'V2__b.sql': table('b'),
    'V3__c.sql': third,
    'V4__d.sql': table('d'),
    'V5__e.sql': table('e'),
  });
}
