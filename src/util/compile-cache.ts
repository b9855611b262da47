/**
 * Node's cache of compiled modules (and of TypeScript without its types), which halves the time until a command or a
 * process begins to work. It lies beside the code it holds, so whoever could poison it could change the code as well.
 */
import { enableCompileCache, flushCompileCache, getCompileCacheDir } from 'node:module'
import { fileURLToPath } from 'node:url'

/** For this process and its children; modules loaded before are not in it. A folder that cannot be written is none. */
export function useCompileCache(): void {
  if (process.env.NODE_DISABLE_COMPILE_CACHE !== undefined) return
  enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/compile', import.meta.url)))
  // Children load their modules before any code of theirs runs.
  const dir = process.env.NODE_COMPILE_CACHE ?? getCompileCacheDir()
  if (dir !== undefined) process.env.NODE_COMPILE_CACHE = dir
}

/** Writes what is new, which Node does by itself only where a process ends in peace. */
export const saveCompileCache = (): void => flushCompileCache()
