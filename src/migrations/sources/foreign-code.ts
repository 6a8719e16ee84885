import type { ForeignTool } from '../migration.js';

/** From a name to the end of its first parameters, or to the arrow of those without brackets. */
const DOWN = /\bdown\b(?:(?!=>)[^(){};])*(?:=>|\((?:(?!=>)[^)])*)/g;
const COMMENT = /\/\*.*?\*\/|\/\/[^\n]*/gs;
const PARAMETERS = /^(?:(?!=>)[^)])*/;
/** What is taken apart has a `context` in it. */
const TAKES_CONTEXT = /\{(?:[^{}]*,)?\s*context\b/;

/**
 * By the names of its parameters, `down(queryRunner)`, `down: async (queryInterface, Sequelize)` and `down({ context })`, as
 * the text of the module has them: nothing of it is run.
 */
export function toolOfDown(module: string): ForeignTool | undefined {
  const heads = module.replaceAll(COMMENT, '').match(DOWN) ?? [];
  return heads.map(toolOfParameters).find((tool) => tool !== undefined);
}

/** The same of a function that was loaded. */
export function toolOfFunction(run: (...args: never[]) => unknown): ForeignTool | undefined {
  return toolOfParameters(PARAMETERS.exec(Function.prototype.toString.call(run))?.[0] ?? '');
}

function toolOfParameters(text: string): ForeignTool | undefined {
  if (/\bqueryRunner\b/i.test(text)) return 'typeorm';
  return /\bqueryInterface\b/i.test(text) || TAKES_CONTEXT.test(text) ? 'umzug' : undefined;
}

/** What each gives to its migrations, what it becomes here, and where that is explained. */
export const FOREIGN_TOOLS: Readonly<
  Record<ForeignTool, { what: string; given: string; call: string; page: string }>
> = {
  typeorm: {
    what: 'a migration class of TypeORM',
    given: 'a QueryRunner',
    call: 'queryRunner.query(text)',
    page: 'docs/coming-from-typeorm.md',
  },
  umzug: {
    what: 'a migration of umzug or Sequelize',
    given: 'the `context` of umzug, or a QueryInterface',
    call: 'queryInterface.sequelize.query(text)',
    page: 'docs/coming-from-umzug.md',
  },
};
