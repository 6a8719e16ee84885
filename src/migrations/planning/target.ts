import { InvalidVersionError } from '../errors.js';
import type { AppliedMigration, ResolvedMigration } from '../migration.js';
import { compareVersions, parseVersion, type Version } from '../version.js';

/**
 * The version that `to` names. Throws `InvalidVersionError` when it is none, and when nobody has it: a typing error
 * would otherwise pass for "all there is" or "nothing to do".
 */
export function readTarget(
  to: string,
  known: Iterable<Pick<ResolvedMigration | AppliedMigration, 'version' | 'script'>>,
): Version {
  const target = parseVersion(to);
  let below: { version: Version; script: string } | undefined;
  let above: { version: Version; script: string } | undefined;
  for (const { version, script } of known) {
    if (version === undefined) continue;
    const order = compareVersions(version, target);
    if (order === 0) return target;
    if (order < 0 && (below === undefined || compareVersions(version, below.version) > 0))
      below = { version, script };
    if (order > 0 && (above === undefined || compareVersions(version, above.version) < 0))
      above = { version, script };
  }
  const nearest = [below, above].flatMap((each) =>
    each === undefined ? [] : `${each.version.text} (${each.script})`,
  );
  throw new InvalidVersionError(
    `No migration has version ${target.text}. ` +
      (nearest.length === 0 ? 'There is none at all.' : `The nearest: ${nearest.join(' and ')}.`),
  );
}
