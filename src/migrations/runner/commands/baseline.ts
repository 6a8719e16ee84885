import { ValidationFailedError } from '../../errors.js';
import type { BaselineOptions, BaselineResult } from '../../migrator.js';
import { compareVersions, parseVersion } from '../../version.js';
import { storedDescription } from '../../planning/runs.js';
import { Callbacks } from '../callbacks.js';
import { createOwn } from '../create-own.js';
import type { RunContext } from '../run-context.js';
import { RunSignals } from '../signals.js';
import { readSources, survey } from '../survey.js';
import { withLock } from '../with-lock.js';
import { requireWritable } from './up.js';

const DESCRIPTION = '<< holdfast baseline >>';

/**
 * Says of a database that was there before its migrations which version it is at: every migration up to that counts as
 * applied. Doing it twice changes nothing, whatever was applied in between; another description is not taken over,
 * which a note says. Throws `ValidationFailedError` where migrations were applied already, or the baseline is another.
 */
export async function baseline(
  context: RunContext,
  { version: text = '1', description: asked }: BaselineOptions = {},
): Promise<BaselineResult> {
  const description = asked ?? DESCRIPTION;
  const version = parseVersion(text);
  const signals = new RunSignals({});
  const sources = await readSources(context);
  requireWritable(context);
  return withLock(context, signals, async (lock) => {
    const { history, session, options } = context;
    const { applied, hasHistory } = await survey(context, sources, { lock });
    const before = applied.find(({ type }) => type === 'BASELINE');
    if (before?.version && compareVersions(before.version, version) === 0) {
      if (before.description !== storedDescription(asked ?? before.description))
        context.emit({
          kind: 'note',
          message: `The baseline is ${version.text} already, described as "${before.description}": that stays.`,
        });
      return { version: version.text };
    }
    const rows = applied.filter(({ type }) => type !== 'SCHEMA');
    if (rows.length > 0) {
      throw new ValidationFailedError(
        before === undefined
          ? `${history.table} has ${rows.length} rows already: a baseline stands before the first migration. Nothing was changed.`
          : `The baseline is ${before.version?.text ?? 'there'} already, with ${rows.length - 1} migrations after it; it cannot become ${version.text}. Nothing was changed.`,
      );
    }
    const callbacks = new Callbacks({ context, signals, callbacks: sources.callbacks });
    await callbacks.run('beforeBaseline');
    if (!hasHistory) await createOwn(context);
    await history.add(session, {
      version,
      description,
      type: 'BASELINE',
      script: description,
      installedBy: options.installedBy ?? history.user,
      executionTimeMs: 0,
      success: true,
    });
    await callbacks.run('afterBaseline');
    return { version: version.text };
  });
}
