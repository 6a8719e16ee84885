/**
 * What `work` takes of the processor, in milliseconds: what else the machine does is not in it. For work that must not grow
 * with the square of its input, by a limit far above what it takes and far below what its square would.
 */
export async function cpuMsOf(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  return process.cpuUsage(before).user / 1000;
}
