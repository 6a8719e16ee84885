import { imitate, InvalidOptionsError } from '../core/index.js';
import type { ParsedOptions } from './options.js';
import type { Call } from './call.js';
import { isAsync } from './predicate.js';
import { runCall } from './runner.js';

type Method = (this: object, ...args: unknown[]) => unknown;

/** Marks what is wrapped already, so that a class decorator leaves a decorated method alone. */
const WRAPPED = Symbol.for('holdfast.transactional/1');

/** The arguments that a decorator was called with, in either form. */
interface Decoration {
  readonly target: object;
  readonly second: unknown;
  readonly descriptor: PropertyDescriptor | undefined;
}

/** Applies `@Transactional` to a method or to a class, in the legacy form or in TC39's. */
export function wrapMethod(options: ParsedOptions, { target, second, descriptor }: Decoration): unknown {
  if (isTc39Context(second)) {
    if (second.kind === 'class') return wrapClass(target as Function, options);
    if (second.kind === 'method')
      return wrap(target as Method, options, { key: second.name, plainValue: 'wrapped' });
    throw misplaced(second.kind);
  }
  if (second === undefined && typeof target === 'function') return wrapClass(target, options);
  if (typeof descriptor?.value !== 'function') throw misplaced('property or accessor');
  const owner = typeof target === 'function' ? target : target.constructor;
  descriptor.value = wrap(descriptor.value as Method, options, {
    key: second as string | symbol,
    owner,
    plainValue: 'wrapped',
  });
  return descriptor;
}

function wrapClass(target: Function, options: ParsedOptions): void {
  const prototype = target.prototype as object;
  for (const key of Reflect.ownKeys(prototype)) {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, key)!;
    if (key === 'constructor' || typeof descriptor.value !== 'function' || WRAPPED in descriptor.value)
      continue;
    descriptor.value = wrap(descriptor.value as Method, options, {
      key,
      owner: target,
      plainValue: isAsync(descriptor.value as Method) ? 'wrapped' : 'passed',
    });
    Object.defineProperty(prototype, key, descriptor);
  }
}

interface Place {
  readonly key: string | symbol;
  /** The class; TC39 tells only at run time which it is. */
  readonly owner?: Function;
  readonly plainValue: Call<unknown>['plainValue'];
}

function wrap(method: Method, options: ParsedOptions, { key, owner, plainValue }: Place): Method {
  const methodName = String(key);
  const nameFor = (self: object | undefined): string => {
    const className = owner?.name || (typeof self === 'function' ? self.name : self?.constructor?.name);
    return options.name ?? (className ? `${className}.${methodName}` : methodName);
  };
  const wrapped: Method = function (...args) {
    return runCall({
      name: nameFor(this),
      options,
      work: () => method.apply(this, args),
      plainValue,
      entry: wrapped,
    });
  };
  Object.defineProperty(wrapped, WRAPPED, { value: true });
  imitate(wrapped, method);
  return wrapped;
}

function isTc39Context(value: unknown): value is { readonly kind: string; readonly name: string | symbol } {
  return (
    typeof value === 'object' && value !== null && typeof (value as { kind?: unknown }).kind === 'string'
  );
}

function misplaced(where: string): InvalidOptionsError {
  return new InvalidOptionsError(
    `@Transactional() belongs on a method or a class, not on a ${where}. Remove it there, or make it a method.`,
  );
}
