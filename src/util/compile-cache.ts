/**
 * Node's cache of compiled modules (and of TypeScript without its types), which takes a third off the time that
 * loading a server's modules takes (2.7 to 1.7 s, 2026-11). It lies beside the code it holds, so whoever could poison it could change the code as well.
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
