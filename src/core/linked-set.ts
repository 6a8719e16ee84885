interface Link<T> {
  previous: Link<T> | undefined;
  next: Link<T> | undefined;
  value: T;
}

/**
 * A Set of objects that come and go, in the order in which they came.
 *
 * V8 gives a Set a new table every few additions, and the table before it keeps its members and points to the new one.
 * Once such a table has become old, it keeps all tables after it from the collector of young objects, and so everything
 * that was ever a member: a transaction was copied twice, at a sixth of its processor time, before it was found dead.
 * Here nothing that was taken out points to anything.
 */
export class LinkedSet<T extends object> {
  readonly #key = Symbol('link');
  #first: Link<T> | undefined;
  #last: Link<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(value: T): boolean {
    return this.#linkOf(value) !== undefined;
  }

  add(value: T): void {
    if (this.has(value)) return;
    const link: Link<T> = { previous: this.#last, next: undefined, value };
    if (this.#last) this.#last.next = link;
    else this.#first = link;
    this.#last = link;
    this.#setLink(value, link);
    this.#size++;
  }

  /** Answers whether it was there. */
  delete(value: T): boolean {
    const link = this.#linkOf(value);
    if (!link) return false;
    const { previous, next } = link;
    if (previous) previous.next = next;
    else this.#first = next;
    if (next) next.previous = previous;
    else this.#last = previous;
    link.previous = undefined;
    link.next = undefined;
    this.#setLink(value, undefined);
    this.#size--;
    return true;
  }

  /** Oldest first. */
  values(): T[] {
    const values: T[] = [];
    for (let link = this.#first; link; link = link.next) values.push(link.value);
    return values;
  }

  #linkOf(value: T): Link<T> | undefined {
    const link = (value as { readonly [key: symbol]: Link<T> | undefined })[this.#key];
    // A copy of a member, made with `...`, has its link as well.
    return link?.value === value ? link : undefined;
  }

  #setLink(value: T, link: Link<T> | undefined): void {
    (value as { [key: symbol]: Link<T> | undefined })[this.#key] = link;
  }
}
