import { defineConfig } from 'holdfast/migrations';

export default defineConfig({
  directories: ['migrations'],
  lock: { waitMs: 60_000 },
});
