import { NodeProcess } from './spawn-node.js';

jest.setTimeout(600_000);

const examples = [
  {
    name: 'nestjs-prisma',
    says: [/P2002, and no points\n\s+\{"questions":1,"tags":2,"points":5\}/, '3 acts, every promise kept.\n'],
  },
  {
    name: 'two-orms',
    says: [/Prisma's row is gone\n\s+\{"transfers":1,"ada":70,"bob":30\}/, '4 acts, every promise kept.\n'],
  },
];

test.each(examples)(
  'npm run example:$name keeps every promise and ends by itself',
  async ({ name, says }) => {
    const process = new NodeProcess([`examples/${name}/run.mjs`]);
    try {
      const code = await process.ended;
      // First, for what it prints says why it ended.
      for (const line of says) expect(process.output).toMatch(line);
      expect(code).toBe(0);
      expect(process.leftovers()).toEqual([]);
    } finally {
      await process.remove();
    }
  },
);
