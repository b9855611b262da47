/**
 * Folders that appear whole or not at all: filled beside their place, then renamed into it.
 */
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

let counter = 0

/**
 * Calls `fill` with a fresh folder beside `path` and renames it to `path`, replacing an older folder there.
 * When `fill` throws, the fresh folder is removed and the older one stays.
 */
export async function writeFolder<T>(path: string, fill: (dir: string) => Promise<T>): Promise<T> {
  const unique = `${process.pid}-${(counter += 1)}`
  const beside = join(dirname(path), `.${basename(path)}.${unique}.part`)
  const old = join(dirname(path), `.${basename(path)}.${unique}.old`)
  await rm(beside, { recursive: true, force: true })
  await mkdir(beside, { recursive: true })
  try {
    const result = await fill(beside)
    // A folder with content cannot be renamed over; there is an instant with neither in place.
    if (await exists(path)) await rename(path, old)
    await rename(beside, path)
    await rm(old, { recursive: true, force: true })
    return result
  } catch (error) {
    await rm(beside, { recursive: true, force: true })
    if ((await exists(old)) && !(await exists(path))) await rename(old, path)
    throw error
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
