import { LinkedSet } from '../../src/core/linked-set.js';
import { keptByYoungCollector } from '../connection/collect-garbage.js';

interface Member {
  readonly name: string;
}

const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name): Member => ({ name })) as [
  Member,
  Member,
  Member,
  Member,
];

function setOf(...members: readonly Member[]): LinkedSet<Member> {
  const set = new LinkedSet<Member>();
  for (const member of members) set.add(member);
  return set;
}

test('it has its members in the order in which they came', () => {
  const set = setOf(b, a, c);
  expect(set.values()).toEqual([b, a, c]);
  expect(set.size).toBe(3);
  expect([a, b, c, d].map((member) => set.has(member))).toEqual([true, true, true, false]);
});

test.each([
  ['the first', [a], [b, c, d]],
  ['the last', [d], [a, b, c]],
  ['one in between', [b], [a, c, d]],
  ['two neighbours', [b, c], [a, d]],
  ['all, and more after them', [a, b, c, d], []],
])('%s is taken out', (_, taken, left) => {
  const set = setOf(a, b, c, d);
  for (const member of taken) expect(set.delete(member)).toBe(true);
  expect(set.values()).toEqual(left);
  expect(set.size).toBe(left.length);

  for (const member of taken) set.add(member);
  expect(set.values()).toEqual([...left, ...taken]);
});

test('a member comes once and goes once', () => {
  const set = setOf(a, a, b, a);
  expect(set.values()).toEqual([a, b]);
  expect(set.delete(a)).toBe(true);
  expect(set.delete(a)).toBe(false);
  expect(set.delete(c)).toBe(false);
  expect(set.values()).toEqual([b]);
});

test('one object is a member of several sets', () => {
  const [one, other] = [setOf(a, b), setOf(b, a)];
  one.delete(a);
  expect(one.values()).toEqual([b]);
  expect(other.values()).toEqual([b, a]);
});

test('what was a member is not kept, however often others come and go', async () => {
  const set = new LinkedSet<Member & { readonly load: unknown }>();
  const kept = await keptByYoungCollector(200, (load) => {
    set.add({ name: 'short-lived', load });
    if (set.size > 16) set.delete(set.values()[0]!);
  });
  // The sixteen that are in it; a Set keeps nearly all.
  expect(kept).toBeLessThan(60);
});

test('a copy of a member is none', () => {
  const set = setOf(a, b);
  const copy = { ...a };
  expect(set.has(copy)).toBe(false);
  expect(set.delete(copy)).toBe(false);
  set.add(copy);
  expect(set.values()).toEqual([a, b, copy]);
});
