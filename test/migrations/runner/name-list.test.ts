import { NameList } from '../../../src/migrations/runner/name-list.js';

describe('names that are looked for in a statement', () => {
  test.each([
    ['m', 'INSERT INTO m VALUES (1)'],
    ['m', 'insert into `M`values(1)'],
    ['M', 'insert into "m"values(1)'],
    ['s', 'INSERT INTO s/* a comment */./**/t VALUES (1)'],
    ['s', 'INSERT INTO /*!50000s.t*/ VALUES (1)'],
    ['s', 'INSERT INTO /*M!100100s.t*/ VALUES (1)'],
    ['my db', 'INSERT INTO `my db`.t VALUES (1)'],
    ['a.b', 'INSERT INTO `a.b`.t VALUES (1)'],
    ['a`b', 'INSERT INTO `a``b`.t VALUES (1)'],
    ['s"9', 'INSERT INTO "s""9".t VALUES (1)'],
    ["it's", "INSERT INTO `it's`.t VALUES (1)"],
    ['ΟΔΟΣ', 'INSERT INTO `ΟΔΟΣ`.`tab` VALUES (1)'],
    ['ΟΔΟΣ', 'INSERT INTO οδος.tab VALUES (1)'],
    ['iß', 'INSERT INTO İß VALUES (1)'],
    ['zähle', 'INSERT INTO t VALUES (zahle())'],
    ['$x_1', 'INSERT INTO $x_1 VALUES (1)'],
  ])('%s is in %s', (name, text) => {
    const list = new NameList(['else', name]);
    expect(list.areIn(text)).toBe(true);
    expect([...list.foundIn(text)]).toEqual([NameList.keyOf(name)]);
  });

  test.each([
    ['m', 'INSERT INTO mm VALUES (1)'],
    ['m', 'INSERT INTO a_m VALUES (1)'],
    ['my db', 'INSERT INTO my.db VALUES (1)'],
  ])('%s is not in %s', (name, text) => {
    expect(new NameList([name]).areIn(text)).toBe(false);
  });
});
