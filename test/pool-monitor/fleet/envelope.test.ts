import { deflateRawSync } from 'node:zlib';
import { pack, unpack } from '../../../src/pool-monitor/fleet/envelope.js';
import { leakOf } from './member.js';

const packJson = (value: unknown): string => deflateRawSync(JSON.stringify(value)).toString('base64');
const [leak] = leakOf('leak|place', 3).sightings;

test('what is packed is what is unpacked', () => {
  const share = {
    sightings: [leak!, { ...leak!, max: Infinity, fullInMs: [1, 2] as const, evidence: "*/ ' \u0000 🙂" }],
    told: [{ key: 'leak|place', at: 5 }],
  };
  const packed = pack({ instance: 'pod-1', share });
  expect(packed).toMatch(/^[\w+/=]+$/);
  expect(unpack(packed)).toEqual({ instance: 'pod-1', share });
});

test('what is too much is left out, from the end', () => {
  const random = (): string =>
    Array.from({ length: 1000 }, () => String.fromCharCode(33 + Math.random() * 90)).join('');
  const sightings = Array.from({ length: 500 }, (_, index) => ({
    ...leak!,
    key: `${index}`,
    evidence: random(),
  }));
  const packed = pack({ instance: 'pod-1', share: { sightings, told: [] } });
  expect(packed.length).toBeLessThanOrEqual(48_000);
  const kept = unpack(packed)!.share.sightings;
  expect(kept.length).toBeGreaterThan(10);
  expect(kept).toEqual(sightings.slice(0, kept.length));
});

test.each([
  ['no text of ours', 'hello'],
  ['nothing', ''],
  ['no object', packJson(5)],
  ['no instance', packJson({ sightings: [], told: [] })],
  ['no lists', packJson({ instance: 'a', sightings: {}, told: [] })],
  ['more than memory should hold', deflateRawSync(Buffer.alloc(50_000_000)).toString('base64')],
])('%s is refused', (_what, packed) => {
  expect(unpack(packed)).toBeUndefined();
});

test('a sighting that is none is left out', () => {
  const wrong = [
    null,
    5,
    {},
    { ...leak!, key: undefined },
    { ...leak!, kind: 'other' },
    { ...leak!, count: '3' },
    { ...leak!, evidence: 'x'.repeat(5000) },
    { ...leak!, fullInMs: [1] },
  ];
  const told = [{ key: 'a', at: 1 }, { key: 5, at: 1 }, null, 'x'];
  expect(unpack(packJson({ instance: 'a', sightings: [...wrong, leak], told }))!.share).toEqual({
    sightings: [leak],
    told: [{ key: 'a', at: 1 }],
  });
});
