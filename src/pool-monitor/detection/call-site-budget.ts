/**
 * Which requests record where they were made. A stack costs 5 to 20 µs, so a busy service records some each second until
 * something is suspicious; from then on all.
 */
export class CallSiteBudget {
  readonly #perSecond: number;
  #left: number;
  #all = false;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#left = perSecond;
  }

  readonly take = (): boolean => {
    if (this.#all) return true;
    if (this.#left <= 0) return false;
    this.#left--;
    return true;
  };

  /** A second has passed. */
  renew(isSuspicious: boolean): void {
    this.#left = this.#perSecond;
    this.#all = isSuspicious;
  }
}
