/**
 * Temporary files and folders that killed writers left in a folder. Their names (`temporaryBeside`) say which machine
 * and process wrote them.
 */
import { lstat, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { hostTag } from './atomic-file.ts'

const temporaryName = /^\.(.+)\.(?:([0-9a-f]{8})-)?(\d+)-(\d+)\.(part|old|gone)$/

/** Another machine's writer, or a process with a reused id, is taken for dead after this much silence. */
const silentMs = 60 * 60 * 1000

/**
 * Removes what dead writers left in `dir`, and puts an `.old` back whose place stayed empty. To be called before this
 * process writes there. Returns the names it dealt with; a folder that is not there has none.
 */
export async function sweepLeftovers(dir: string): Promise<string[]> {
  const swept: string[] = []
  for (const name of await readdir(dir).catch(() => [])) {
    const match = temporaryName.exec(name)
    if (!match) continue
    const [, original, host, pid, , kind] = match
    const path = join(dir, name)
    if (!(await isStale(path, host, Number(pid)))) continue
    if (kind === 'old' && !(await isThere(join(dir, original!)))) {
      await rename(path, join(dir, original!))
    } else {
      await rm(path, { recursive: true, force: true })
    }
    swept.push(name)
  }
  return swept
}

async function isStale(path: string, host: string | undefined, pid: number): Promise<boolean> {
  // Our own id was another process's: we have written nothing yet.
  if (host === hostTag && (pid === process.pid || !isAlive(pid))) return true
  return Date.now() - (await lastChangeMs(path)) > silentMs
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Another user's process may not be signalled, but it is there.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Of a file, or of a folder and the files in it. */
async function lastChangeMs(path: string): Promise<number> {
  const names = await readdir(path).catch(() => [])
  const stats = await Promise.all(
    [path, ...names.map((name) => join(path, name))].map((each) => lstat(each).catch(() => null)),
  )
  return Math.max(0, ...stats.map((found) => found?.mtimeMs ?? 0))
}

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  )
