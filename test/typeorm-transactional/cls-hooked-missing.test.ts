import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initializeTransactionalContext, StorageDriver } from 'holdfast/typeorm-transactional';

test('CLS_HOOKED without the package cls-hooked says what to install', () => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'holdfast-no-packages-'));
  const cwd = jest.spyOn(process, 'cwd').mockReturnValue(elsewhere);
  const [, script] = process.argv;
  process.argv[1] = join(elsewhere, 'main.js');
  try {
    expect(() => initializeTransactionalContext({ storageDriver: StorageDriver.CLS_HOOKED })).toThrow(
      /npm install cls-hooked/,
    );
  } finally {
    process.argv[1] = script!;
    cwd.mockRestore();
    rmSync(elsewhere, { recursive: true });
  }
});
