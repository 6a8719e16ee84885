import { headOf } from './statement-words.js';

/** What locks for its session until it ends, or until this ends it. */
const LOCKS = [
  { kind: 'tables', name: 'LOCK TABLES', takes: /^LOCK TABLES?\b/, end: 'UNLOCK TABLES' },
  {
    kind: 'tables',
    name: 'FLUSH TABLES … WITH READ LOCK',
    takes: /^FLUSH (?:(?:LOCAL|NO_WRITE_TO_BINLOG) )?TABLES?\b.* WITH READ LOCK\b/,
    end: 'UNLOCK TABLES',
  },
  {
    kind: 'tables',
    name: 'FLUSH TABLES … FOR EXPORT',
    takes: /^FLUSH (?:(?:LOCAL|NO_WRITE_TO_BINLOG) )?TABLES?\b.* FOR EXPORT\b/,
    end: 'UNLOCK TABLES',
  },
  { kind: 'instance', name: 'LOCK INSTANCE', takes: /^LOCK INSTANCE\b/, end: 'UNLOCK INSTANCE' },
  { kind: 'backup', name: 'BACKUP LOCK', takes: /^BACKUP LOCK\b/, end: 'BACKUP UNLOCK' },
  { kind: 'stage', name: 'BACKUP STAGE', takes: /^BACKUP STAGE START\b/, end: 'BACKUP STAGE END' },
] as const;

type Lock = (typeof LOCKS)[number];

const ENDS = [
  ['tables', /^UNLOCK TABLES?\b/],
  ['instance', /^UNLOCK INSTANCE\b/],
  ['backup', /^BACKUP UNLOCK\b/],
  ['stage', /^BACKUP STAGE END\b/],
] as const;

/** The lock that a statement of this head takes for its session. */
export function lockOf(head: string): Lock | undefined {
  return LOCKS.find(({ takes }) => takes.test(head));
}

/** Every statement is asked this: most end at the first character, and no two ways lead through it. */
const MAY_LOCK =
  /^(?=[\s/#\-lufb])(?:\s|\/\*M?!\d*|\/\*(?!M?!)[^*]*\*\/|#[^\n]*\n|--(?:[ \t][^\n]*)?\n)*(?:lock|unlock|flush|backup)\b/i;
/** Several statements in one text. */
const ENDS_ITSELF = /;\s*unlock\s+tables?\b/i;

/** Whether a text is one that {@link SessionLocks} has to be told of. */
export function mayLock(text: string): boolean {
  return MAY_LOCK.test(text);
}

/** The locks that a session has taken by a text of its own and that outlive every statement and transaction of it. */
export class SessionLocks {
  readonly #held = new Map<Lock['kind'], Lock>();

  /** Call with what {@link mayLock}, when it is sent: an answer may come after the connection was given back. */
  note(text: string): void {
    const head = headOf(text);
    const lock = lockOf(head);
    if (lock && !ENDS_ITSELF.test(text)) this.#held.set(lock.kind, lock);
    for (const [kind, pattern] of ENDS) if (pattern.test(head)) this.#held.delete(kind);
  }

  /** How the statements are called that the session holds locks by: `LOCK TABLES without UNLOCK TABLES`. */
  get left(): string | undefined {
    const [lock] = this.#held.values();
    return lock && `${lock.name} without ${lock.end}`;
  }
}
