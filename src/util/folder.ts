/**
 * Folders that appear whole or not at all: filled beside their place, then renamed into it.
 */
import { mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { placeDirAtomic, replaceDirAtomic, temporaryBeside } from './atomic-file.ts'

/**
 * Calls `fill` with a fresh folder beside `path`, flushes it and renames it to `path`, replacing an older folder there
 * (`replace: false` fails ALREADY_EXISTS instead). When anything throws, the fresh folder is removed and the older one
 * stays.
 */
export async function writeFolder<T>(
  path: string,
  fill: (dir: string) => Promise<T>,
  { replace = true }: { replace?: boolean } = {},
): Promise<T> {
  const beside = temporaryBeside(path, 'part')
  try {
    await mkdir(dirname(path), { recursive: true })
    await mkdir(beside)
    const result = await fill(beside)
    await (replace ? replaceDirAtomic(beside, path) : placeDirAtomic(beside, path))
    return result
  } catch (error) {
    await rm(beside, { recursive: true, force: true })
    throw error
  }
}
