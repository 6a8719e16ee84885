/** What Slack documents of Block Kit, as far as messages with text use it: https://docs.slack.dev/reference/block-kit. */
const LIMITS = {
  blocks: 50,
  sectionText: 3000,
  headerText: 150,
  fields: 10,
  fieldText: 2000,
  contextElements: 10,
  text: 40_000,
};

type Json = Record<string, unknown>;

/** What Slack would not like of a list of blocks; empty where it takes them. */
export function blockProblems(blocks: unknown): string[] {
  if (!Array.isArray(blocks)) return ['blocks is not an array'];
  if (blocks.length > LIMITS.blocks) return [`${blocks.length} blocks, at most ${LIMITS.blocks} are allowed`];
  return blocks.flatMap((block, index) => problemsOf(block).map((problem) => `/blocks/${index}: ${problem}`));
}

/** What Slack would not like of a message's `text`. */
export function textProblems(text: unknown): string[] {
  if (typeof text !== 'string') return ['text is not a string'];
  return text.length > LIMITS.text ? ['text is too long'] : [];
}

/** Everything in a message that Slack reads as more than text: `<!channel>`, `<@U123>`, `<https://…>`. */
export function controlSequences(texts: readonly string[]): string[] {
  return texts.flatMap((text) => text.match(/<[!@#]?[^<>\s]+>/g) ?? []);
}

/** Each text of a message that is parsed: `text`, and those of its blocks. */
export function textsOf({ text, blocks }: { text?: unknown; blocks?: unknown }): string[] {
  const found: string[] = typeof text === 'string' ? [text] : [];
  JSON.stringify(blocks ?? [], (key, value: unknown) => {
    if (key === 'text' && typeof value === 'string') found.push(value);
    return value;
  });
  return found;
}

function problemsOf(block: unknown): string[] {
  if (typeof block !== 'object' || block === null) return ['is no object'];
  const { type } = block as Json;
  switch (type) {
    case 'header':
      return headerProblems(block as Json);
    case 'section':
      return sectionProblems(block as Json);
    case 'context':
      return contextProblems(block as Json);
    case 'divider':
      return unknownKeys(block as Json, ['type', 'block_id']);
    default:
      return [`unsupported type ${String(type)}`];
  }
}

function headerProblems(block: Json): string[] {
  return [
    ...unknownKeys(block, ['type', 'text', 'block_id', 'level']),
    ...textObject(block.text, { max: LIMITS.headerText, types: ['plain_text'] }),
  ];
}

function sectionProblems(block: Json): string[] {
  const { text, fields } = block;
  const problems = unknownKeys(block, ['type', 'text', 'fields', 'block_id', 'accessory', 'expand']);
  if (text === undefined && fields === undefined) problems.push('has neither text nor fields');
  if (text !== undefined) problems.push(...textObject(text, { max: LIMITS.sectionText, types: BOTH }));
  if (fields === undefined) return problems;
  if (!Array.isArray(fields) || fields.length === 0) return [...problems, 'fields is no list, or empty'];
  if (fields.length > LIMITS.fields) problems.push(`${fields.length} fields, at most ${LIMITS.fields}`);
  return [
    ...problems,
    ...fields.flatMap((field) => textObject(field, { max: LIMITS.fieldText, types: BOTH })),
  ];
}

function contextProblems(block: Json): string[] {
  const { elements } = block;
  const problems = unknownKeys(block, ['type', 'elements', 'block_id']);
  if (!Array.isArray(elements) || elements.length === 0)
    return [...problems, 'elements is no list, or empty'];
  if (elements.length > LIMITS.contextElements)
    problems.push(`${elements.length} elements, at most ${LIMITS.contextElements}`);
  return [
    ...problems,
    ...elements.flatMap((element) => textObject(element, { max: LIMITS.sectionText, types: BOTH })),
  ];
}

const BOTH = ['plain_text', 'mrkdwn'];

function textObject(value: unknown, { max, types }: { max: number; types: readonly string[] }): string[] {
  if (typeof value !== 'object' || value === null) return ['a text is no text object'];
  const { type, text, emoji, verbatim } = value as Json;
  if (!types.includes(String(type))) return [`a text must be ${types.join(' or ')}`];
  const problems = unknownKeys(value as Json, ['type', 'text', type === 'mrkdwn' ? 'verbatim' : 'emoji']);
  if (emoji !== undefined && typeof emoji !== 'boolean') problems.push('emoji is no boolean');
  if (verbatim !== undefined && typeof verbatim !== 'boolean') problems.push('verbatim is no boolean');
  if (typeof text !== 'string' || text.length === 0) return [...problems, 'a text is empty'];
  return text.length > max ? [...problems, `a text of ${text.length} characters, at most ${max}`] : problems;
}

function unknownKeys(value: Json, known: readonly string[]): string[] {
  return Object.keys(value)
    .filter((key) => !known.includes(key))
    .map((key) => `unknown key ${key}`);
}
