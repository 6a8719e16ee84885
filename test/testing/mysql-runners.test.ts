import { mysqlLabelsIn } from '../conformance/mysql-ways-in.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { RunnerProject } from './runner-project.js';
import { failingHookTests } from './runners-failing-hook.js';

const db = useMysqlDatabase();
const project = new RunnerProject();
beforeAll(() => project.create(), 300_000);
afterAll(() => project.remove());
afterEach(() => db.query('DELETE FROM entry'));
jest.setTimeout(300_000);

failingHookTests(project, db, () => mysqlLabelsIn(db));
