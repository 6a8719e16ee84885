export { HoldfastModule } from './holdfast-module.js';
export type { HoldfastModuleAsyncOptions, HoldfastModuleOptions } from './options.js';
