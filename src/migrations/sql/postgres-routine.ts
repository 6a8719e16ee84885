/**
 * Follows the words of a statement that begins with CREATE, to find the SQL-standard body of a function or procedure,
 * whose semicolons are its own: `BEGIN ATOMIC … END`.
 *
 * psql counts BEGIN, CASE and END instead, and is led astray by a column that is called `end`. The grammar says it
 * without counting: every statement of a body ends with a semicolon, and none begins with END.
 */
export class PostgresRoutine {
  #state: 'create' | 'routine' | 'begin' | 'statement begins' | 'statement' | 'decided' = 'create';

  /** Whether further words can change anything. */
  get isDecided(): boolean {
    return this.#state === 'decided';
  }

  /** Whether a semicolon now ends a statement of the body. */
  get inBody(): boolean {
    return this.#state === 'statement begins' || this.#state === 'statement';
  }

  /** A word outside parentheses, after CREATE. Says whether the body begins or ends with it. */
  word(text: string): 'begins' | 'ends' | undefined {
    const word = text.toUpperCase();
    switch (this.#state) {
      case 'create':
        if (word === 'FUNCTION' || word === 'PROCEDURE') this.#state = 'routine';
        else if (word !== 'OR' && word !== 'REPLACE') this.#state = 'decided';
        return undefined;
      case 'begin':
        if (word === 'ATOMIC') {
          this.#state = 'statement begins';
          return 'begins';
        }
        this.#state = word === 'BEGIN' ? 'begin' : 'routine';
        return undefined;
      case 'routine':
        if (word === 'BEGIN') this.#state = 'begin';
        return undefined;
      case 'statement begins':
        if (word === 'END') {
          this.#state = 'decided';
          return 'ends';
        }
        this.#state = 'statement';
        return undefined;
      case 'statement':
      case 'decided':
        return undefined;
    }
  }

  /** A semicolon of the body. */
  semicolon(): void {
    this.#state = 'statement begins';
  }

  /** Anything else that is no white space and no comment. */
  other(): void {
    if (this.#state === 'statement begins') this.#state = 'statement';
    else if (this.#state === 'begin') this.#state = 'routine';
  }
}
