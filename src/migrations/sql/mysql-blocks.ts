/** What has to end with END before a `;` can end the statement around it. */
type Block = 'BEGIN' | 'IF' | 'CASE' | 'CASE expression' | 'LOOP' | 'WHILE' | 'REPEAT' | 'FOR' | 'PACKAGE';

/** Where in a statement that may hold others its words are read. */
type Phase =
  /** After CREATE: what is created is not known yet. */
  | 'kind'
  /** Between the kind and the first word of the body. */
  | 'header'
  | 'body'
  /** It holds no others: nothing more has to be read. */
  | 'none';

const words = (list: string): ReadonlySet<string> => new Set(list.split(' '));

const STORED_PROGRAMS = words('PROCEDURE FUNCTION TRIGGER EVENT PACKAGE');
const BEFORE_KIND = words('OR REPLACE DEFINER CURRENT_USER CURRENT_ROLE AGGREGATE SQL SECURITY INVOKER');
const BEFORE_NAME = words('IF NOT EXISTS BODY');
/** MariaDB runs these outside of stored programs as well; no statement of MySQL begins so. */
const COMPOUND = words('IF CASE LOOP WHILE REPEAT FOR');
/** DECLARE stands before the BEGIN of a block of Oracle mode. */
const FIRST_WORDS = words('CREATE ALTER BEGIN DECLARE IF CASE LOOP WHILE REPEAT FOR');
/** With these a statement begins that holds no others. */
const SIMPLE = words(
  'SELECT INSERT UPDATE DELETE REPLACE SET CALL WITH VALUES SIGNAL RESIGNAL LEAVE ITERATE RETURN ROLLBACK COMMIT START ' +
    'SAVEPOINT RELEASE OPEN CLOSE FETCH EXECUTE PREPARE DEALLOCATE GET TRUNCATE CREATE ALTER DROP RENAME DO GRANT REVOKE ' +
    'ANALYZE OPTIMIZE CHECK REPAIR FLUSH SHOW KILL LOCK UNLOCK LOAD XA GOTO RAISE NULL',
);
/** What a value follows: END after one of these is a column of that name. */
const BEFORE_OPERAND = words('CASE WHEN THEN ELSE AND OR NOT XOR DIV MOD LIKE IN BETWEEN BINARY');
const OPERATORS = '=<>!+-*/%,(|&^~.@';

/**
 * Follows the blocks of a statement that holds statements, so that its `;` can be told from theirs: bodies of stored
 * programs, MariaDB's BEGIN NOT ATOMIC and Oracle mode. It is fed with every word (in upper case) and every other
 * character that is no white space; a quoted text counts as its first quote.
 *
 * END, BEGIN and IF are names and functions too (`SELECT end FROM t`, `IF(a, b, c)`, `DROP TABLE IF EXISTS`), so what
 * a word is depends on whether a statement can begin there.
 */
export class MysqlBlocks {
  #phase: Phase;
  #kind = '';
  #named = false;
  #returns = false;
  readonly #open: Block[] = [];

  /** Whether a statement can begin here. */
  #atStart = true;
  #lastWord = '';
  /** The last character that was fed, where no word came after it. */
  #lastSymbol = '';
  #parentheses = 0;
  /** In `DECLARE … HANDLER FOR condition`, which a statement follows. */
  #inHandler = false;
  #declares = false;
  /** After END of a block: `IF`, `LOOP` or a label may follow. */
  #afterEnd = false;
  #untilSeen = false;
  /** Oracle mode: between IS and BEGIN stand declarations, each with a `;`. */
  #awaitsBegin: boolean;
  /** Oracle mode: in the header of a routine of a package. */
  #inMember = false;
  #skipsName = false;

  private constructor(firstWord: string) {
    this.#lastWord = firstWord;
    this.#phase = COMPOUND.has(firstWord) || firstWord === 'DECLARE' ? 'body' : 'kind';
    this.#awaitsBegin = firstWord === 'DECLARE';
    if (COMPOUND.has(firstWord)) this.#opener(firstWord);
  }

  /** For a statement with that first word, in upper case; undefined where it can hold no others. */
  static of(firstWord: string): MysqlBlocks | undefined {
    return FIRST_WORDS.has(firstWord) ? new MysqlBlocks(firstWord) : undefined;
  }

  /** Whether what follows can hold other statements. Once it cannot, nothing more has to be fed. */
  get matters(): boolean {
    return this.#phase !== 'none';
  }

  /** How many blocks are open. */
  get depth(): number {
    return this.#open.length;
  }

  /** Whether a `;` here ends the statement as a whole. */
  get canEnd(): boolean {
    return this.#open.length === 0 && !this.#awaitsBegin;
  }

  symbol(character: string): void {
    this.#lastSymbol = character;
    if (character === '(') this.#parentheses++;
    else if (character === ')') this.#parentheses--;
    if (this.#phase === 'header' && isQuote(character)) this.#named = true;
    if (this.#phase !== 'body') return;
    if (character === ';') this.#nextStatement();
    else if (this.#skipsName && isQuote(character)) this.#skipsName = false;
    // `<<label>>` of Oracle mode stands before a statement.
    else if (character !== '<' && character !== '>') this.#atStart = character === ':';
    this.#afterEnd = false;
  }

  word(word: string): void {
    const symbol = this.#lastSymbol;
    this.#lastSymbol = '';
    // `new.end` and `@end` are names.
    if (symbol === '.' || symbol === '@') this.#atStart = false;
    else if (this.#phase === 'kind') this.#readKind(word, symbol);
    else if (this.#phase === 'header') this.#readHeader(word);
    else if (this.#phase === 'body') this.#readBody(word, symbol);
    this.#lastWord = word;
  }

  #nextStatement(): void {
    this.#atStart = true;
    this.#inHandler = false;
    this.#inMember = false;
  }

  #readKind(word: string, symbol: string): void {
    if (this.#lastWord === 'BEGIN') {
      // BEGIN and BEGIN WORK begin a transaction; any other word is the first of a block's first statement.
      this.#phase = word === 'WORK' ? 'none' : 'body';
      if (this.#phase === 'none') return;
      this.#opener('BEGIN');
      this.#readBody(word, symbol);
    } else if (STORED_PROGRAMS.has(word)) {
      this.#phase = 'header';
      this.#kind = word;
    } else if (!BEFORE_KIND.has(word) && symbol !== '=') this.#phase = 'none';
  }

  #readHeader(word: string): void {
    if (this.#kind === 'TRIGGER') {
      if (word === 'ROW' && this.#lastWord === 'EACH') this.#beginBody();
    } else if (this.#kind === 'EVENT') {
      if (word === 'DO') this.#beginBody();
    } else if (!this.#named) this.#named = !BEFORE_NAME.has(word);
    else if (this.#parentheses === 0) this.#readRoutineHeader(word);
  }

  #readRoutineHeader(word: string): void {
    if (isTypeWord(word, this.#lastWord)) return;
    if (word === 'AS' || word === 'IS') {
      this.#beginBody();
      if (this.#kind === 'PACKAGE') this.#open.push('PACKAGE');
      else this.#awaitsBegin = true;
    } else if (word === 'RETURNS') this.#returns = true;
    // Oracle mode has the type of a function after RETURN.
    else if (word === 'RETURN' && !this.#returns) return;
    else if (SIMPLE.has(word) || word === 'BEGIN' || COMPOUND.has(word)) {
      this.#beginBody();
      this.#readBody(word, '');
    }
  }

  #beginBody(): void {
    this.#phase = 'body';
    this.#atStart = true;
  }

  #readBody(word: string, symbol: string): void {
    const atStart = this.#atStart;
    if (this.#skipsName) this.#skipsName = false;
    else if (word === 'END') this.#end(symbol);
    else if (this.#afterEnd || (atStart && symbol === '<')) return;
    else if (atStart && this.#lastWord === 'BEGIN' && word === 'NOT') return;
    else if (atStart && this.#lastWord === 'NOT' && word === 'ATOMIC') return;
    else if (atStart && this.#open.length === 0 && (word === 'FOLLOWS' || word === 'PRECEDES'))
      this.#skipsName = true;
    else if (atStart) this.#first(word);
    else if (this.#inHandler) this.#readHandler(word);
    else this.#readOn(word);
  }

  /** The first word of a statement. */
  #first(word: string): void {
    if (word === 'BEGIN' || COMPOUND.has(word)) return this.#opener(word);
    this.#declares = word === 'DECLARE';
    this.#inMember = this.#open.at(-1) === 'PACKAGE' && (word === 'PROCEDURE' || word === 'FUNCTION');
    if (word === 'UNTIL') this.#untilSeen = true;
    this.#atStart = word === 'ELSE';
  }

  /** A word of the conditions of a handler, or the first of its statement. */
  #readHandler(word: string): void {
    if (word === 'FOR') return;
    if (word === 'BEGIN' || COMPOUND.has(word)) this.#opener(word);
    else if (SIMPLE.has(word)) this.#inHandler = false;
  }

  /** Any other word of a statement. */
  #readOn(word: string): void {
    if (word === 'CASE') this.#open.push('CASE expression');
    else if (word === 'HANDLER') this.#inHandler = this.#declares;
    else if (word === 'THEN' || word === 'ELSE') this.#atStart = this.#open.at(-1) !== 'CASE expression';
    else if (word === 'DO' || word === 'LOOP') this.#atStart = true;
    else if ((word === 'AS' || word === 'IS') && this.#inMember && this.#parentheses === 0) {
      this.#inMember = false;
      this.#awaitsBegin = true;
      this.#atStart = true;
    }
  }

  #opener(word: string): void {
    const startsPackage = word === 'BEGIN' && this.#open.at(-1) === 'PACKAGE' && !this.#awaitsBegin;
    // The END of a package's initialisation is that of the package.
    if (!startsPackage) this.#open.push(word as Block);
    if (word === 'BEGIN') this.#awaitsBegin = false;
    this.#inHandler = false;
    this.#atStart = word === 'BEGIN' || word === 'LOOP' || word === 'REPEAT';
  }

  #end(symbol: string): void {
    const inner = this.#open.at(-1);
    const ends =
      inner === 'CASE expression'
        ? !(symbol === '' ? BEFORE_OPERAND.has(this.#lastWord) : OPERATORS.includes(symbol))
        : this.#atStart || (inner === 'REPEAT' && this.#untilSeen);
    this.#atStart = false;
    if (!ends || inner === undefined) return;
    this.#open.pop();
    this.#afterEnd = inner !== 'CASE expression';
    if (inner === 'REPEAT') this.#untilSeen = false;
  }
}

function isQuote(character: string): boolean {
  return character === '`' || character === "'" || character === '"';
}

/** SET('a', 'b') is a type as well, and CHARACTER SET belongs to one. */
function isTypeWord(word: string, before: string): boolean {
  return word === 'SET' && (before === 'RETURNS' || before === 'RETURN' || before.startsWith('CHAR'));
}
