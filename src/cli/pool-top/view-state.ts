/** What the rows are ordered by. */
export type SortBy = 'age' | 'idle' | 'site';

/** What the keys have made of the view. */
export interface ViewState {
  readonly sortBy: SortBy;
  /** A row for each lease, or for each call site. */
  readonly rows: 'leases' | 'sites';
  /** Rows that are scrolled past. */
  readonly offset: number;
  readonly isPaused: boolean;
}

export const FIRST_STATE: ViewState = Object.freeze({
  sortBy: 'age',
  rows: 'leases',
  offset: 0,
  isPaused: false,
});

const SCROLL = 5;

const KEYS: Readonly<Record<string, (state: ViewState) => ViewState>> = {
  a: (state) => ({ ...state, sortBy: 'age', offset: 0 }),
  i: (state) => ({ ...state, sortBy: 'idle', offset: 0 }),
  s: (state) => ({ ...state, sortBy: 'site', offset: 0 }),
  g: (state) => ({ ...state, rows: state.rows === 'leases' ? 'sites' : 'leases', offset: 0 }),
  p: (state) => ({ ...state, isPaused: !state.isPaused }),
  j: (state) => ({ ...state, offset: state.offset + SCROLL }),
  k: (state) => ({ ...state, offset: Math.max(0, state.offset - SCROLL) }),
};

/** Keys that terminals send as several characters, and those that mean the same. */
const SAME: Readonly<Record<string, string>> = {
  '\x1b[B': 'j',
  '\x1b[A': 'k',
  ' ': 'p',
  '\x03': 'q',
  '\x04': 'q',
};

/** For the last line. */
export const KEYS_LINE = 'a age · i idle · s site · g by call site · p pause · ↑↓ scroll · q quit';

/** What a key makes of the view; a key without a meaning makes nothing. */
export function pressed(key: string, state: ViewState): ViewState | 'quit' {
  const meant = SAME[key] ?? key.toLowerCase();
  if (meant === 'q') return 'quit';
  return Object.hasOwn(KEYS, meant) ? KEYS[meant]!(state) : state;
}
