/**
 * The server commits before it executes these, whatever becomes of them.
 * https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html, https://mariadb.com/kb/en/sql-statements-that-cause-an-implicit-commit/
 */
const COMMITS_IMPLICITLY = [
  /^(?:create|drop)\s+(?!(?:or\s+replace\s+)?temporary\b|prepare\b)/i,
  /^(?:alter|rename|truncate|grant|revoke|flush|reset|install|uninstall)\b/i,
  /^(?:lock|unlock)\s+tables?\b/i,
  /^(?:analyze|check|optimize|repair)\s+(?:(?:no_write_to_binlog|local)\s+)?(?:table|view)\b/i,
  /^(?:cache|load)\s+index\b/i,
  /^(?:start|stop)\s+(?:all\s+)?(?:slaves?|replicas?|group_replication)\b/i,
  /^change\s+(?:master|replication)\b/i,
  /^set\s+(?:password|default\s+role)\b/i,
];

/** Whether the server commits the open transaction for a statement, which has to begin with its first word. */
export function commitsImplicitly(statement: string): boolean {
  return COMMITS_IMPLICITLY.some((pattern) => pattern.test(statement));
}
