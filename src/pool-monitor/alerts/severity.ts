import type { Severity } from '../finding.js';

/** Rising. */
export const SEVERITIES: readonly Severity[] = ['info', 'warning', 'critical'];

/** Whether a severity is `least` or worse. */
export function reaches(severity: Severity, least: Severity): boolean {
  return SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(least);
}

/** The worst of several; `info` of none. */
export function worst(severities: readonly Severity[]): Severity {
  return severities.reduce((found, severity) => (reaches(severity, found) ? severity : found), 'info');
}
