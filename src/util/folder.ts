/**
 * Folders that appear whole or not at all: filled beside their place, then renamed into it.
 */
import { mkdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { replaceDirAtomic } from './atomic-file.ts'

let counter = 0

/**
 * Calls `fill` with a fresh folder beside `path`, flushes it and renames it to `path`, replacing an older folder there.
 * When `fill` throws, the fresh folder is removed and the older one stays.
 */
export async function writeFolder<T>(path: string, fill: (dir: string) => Promise<T>): Promise<T> {
  const unique = `${process.pid}-${(counter += 1)}`
  const beside = join(dirname(path), `.${basename(path)}.${unique}.part`)
  await rm(beside, { recursive: true, force: true })
  await mkdir(beside, { recursive: true })
  try {
    const result = await fill(beside)
    await replaceDirAtomic(beside, path)
    return result
  } catch (error) {
    await rm(beside, { recursive: true, force: true })
    throw error
  }
}
