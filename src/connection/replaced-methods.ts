interface Replaced {
  readonly target: object;
  readonly key: string;
  readonly ours: unknown;
  /** The own property that ours stands in for; most pools have their methods on the prototype. */
  readonly before: PropertyDescriptor | undefined;
}

/** Methods of ours on instances of a driver, until they are taken off. */
export class ReplacedMethods {
  readonly #replaced: Replaced[] = [];

  replace<T extends object>(target: T, methods: Partial<T>): void {
    for (const [key, ours] of Object.entries(methods)) {
      this.#replaced.push({ target, key, ours, before: Object.getOwnPropertyDescriptor(target, key) });
      Object.defineProperty(target, key, { value: ours, configurable: true, writable: true });
    }
  }

  restore(): void {
    for (const { target, key, ours, before } of this.#replaced) {
      // Whoever wrapped ours keeps calling it; from now on it is outside every transaction.
      if (Reflect.get(target, key) !== ours) continue;
      if (before) Object.defineProperty(target, key, before);
      else Reflect.deleteProperty(target, key);
    }
  }
}
