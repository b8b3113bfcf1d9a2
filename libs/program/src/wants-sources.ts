/** Flags of Node under which one wants the modules of the sources: those that change modules as they are loaded, that measure, and that look. */
const OF_SOURCES = /^(?:-r$|--(?:import|require|loader|experimental-loader|cpu-prof|heap-prof|prof|inspect))/;

/** Whether a program was started with one of them, by its command line or by what NODE_OPTIONS says. */
export function wantsSources(execArgv: readonly string[], nodeOptions: string | undefined): boolean {
  return [...execArgv, ...(nodeOptions ?? "").split(/\s+/)].some((flag) => OF_SOURCES.test(flag));
}
