/**
 * An expression that fails where it is computed, for e^710 is no DOUBLE: `IF(…, 0, EXP(710))` stops a packet. A subquery of two
 * rows would do so as well, and take a temporary table each time that it is not computed.
 */
export const FAILS = 'EXP(710)';

/** What it fails with: ER_DATA_OUT_OF_RANGE. */
export const FAILED = '1690';
