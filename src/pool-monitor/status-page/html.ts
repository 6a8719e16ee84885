/** A piece of HTML whose values are escaped. Only `html` makes one of values. */
export class Html {
  readonly #source: string;

  private constructor(source: string) {
    this.#source = source;
  }

  /** Puts values into HTML, as text or as the value of an attribute in quotes; pieces of HTML stay what they are. */
  static of(parts: readonly string[], values: readonly HtmlValue[]): Html {
    return new Html(
      parts.map((part, index) => (index === 0 ? part : sourceOf(values[index - 1]) + part)).join(''),
    );
  }

  /** A stylesheet of our own: quotes in it are no entities. */
  static style(css: string): Html {
    return new Html(`<style>${css}</style>`);
  }

  toString(): string {
    return this.#source;
  }
}

/** `undefined` and `false` leave nothing behind. */
export type HtmlValue = string | number | Html | readonly HtmlValue[] | undefined | false;

export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return Html.of(parts, values);
}

function sourceOf(value: HtmlValue): string {
  if (value === undefined || value === false) return '';
  if (value instanceof Html) return value.toString();
  if (typeof value === 'object') return value.map(sourceOf).join('');
  return escaped(String(value));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}
