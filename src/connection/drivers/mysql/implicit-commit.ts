/**
 * The server commits before it executes these, whatever becomes of them.
 * https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html, https://mariadb.com/kb/en/sql-statements-that-cause-an-implicit-commit/
 */
const COMMITS_IMPLICITLY = [
  // A temporary sequence is made with a commit, and dropped without.
  /^create\s+(?!(?:or\s+replace\s+)?temporary\s+table\b)/i,
  /^drop\s+(?!temporary\b|prepare\b)/i,
  /^(?:alter|rename|truncate|grant|revoke|flush|reset|install|uninstall|backup)\b/i,
  /^(?:lock|unlock)\s+tables?\b/i,
  /^(?:analyze|check|optimize|repair)\s+(?:(?:no_write_to_binlog|local)\s+)?(?:tables?|view)\b/i,
  /^(?:cache|load)\s+index\b/i,
  /^(?:start|stop)\s+(?:all\s+)?(?:slaves?|replicas?|group_replication)\b/i,
  /^change\s+(?:master|replication)\b/i,
  /^set\s+(?:password|default\s+role)\b/i,
];

/** Whether the server commits the open transaction for a statement, which has to begin with its first word. */
export function commitsImplicitly(statement: string): boolean {
  return COMMITS_IMPLICITLY.some((pattern) => pattern.test(statement));
}

/** What may stand between CREATE and what is created, and is no part of its name. */
const ATTRIBUTES =
  / (?:DEFINER = (?:[\w$?]+ @ [\w$?]+|\w+(?: \( \))?)|ALGORITHM = \w+|SQL SECURITY \w+|ONLINE|OFFLINE|IGNORE|AGGREGATE|NO_WRITE_TO_BINLOG|LOCAL)(?= )/g;
const NAMES = [
  /^(?:CREATE|ALTER|DROP)(?: OR REPLACE)?(?: (?:TEMPORARY|UNIQUE|FULLTEXT|SPATIAL|VECTOR))? \w+/,
  /^(?:GRANT|REVOKE)\b/,
  /^TRUNCATE(?: TABLE\b)?/,
  /^(?:START|STOP) ALL \w+/,
  /^(?:RESET QUERY CACHE|SET DEFAULT ROLE|LOAD INDEX INTO CACHE)\b/,
  /^\w+(?: \w+)?/,
];

/** What a person calls a statement of this head, without a value, a URL or a password: `CREATE OR REPLACE VIEW`, `GRANT`. */
export function nameOf(head: string): string {
  const bare = head.replace(ATTRIBUTES, '');
  return NAMES.reduce((name, pattern) => name || (pattern.exec(bare)?.[0] ?? ''), '');
}
