/**
 * A list of changes in a folder that several processes append to: one file a change, numbered from 1 without gaps,
 * never altered. A change is written beside and linked to its number; the link fails when another process took the
 * number first. So a change decided on the state at number n takes effect only as number n + 1, and a process killed
 * at any moment leaves a change whole or not at all.
 */
import { link, mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '../errors.ts'
import { syncFolder } from '../util/atomic-file.ts'
import { ownTag } from './owner-tag.ts'

const entryPattern = /^(\d{6,})\.json$/
const nameOf = (number: number): string => `${String(number).padStart(6, '0')}.json`

/** How many changes there are; 0 where there is no such folder. */
export async function countChanges(dir: string): Promise<number> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []
    throw error
  })
  return names.filter((name) => entryPattern.test(name)).length
}

/** All changes in order. Fails BAD_FILE on a gap or on what is no JSON. */
export async function readChanges(dir: string): Promise<unknown[]> {
  const count = await countChanges(dir)
  return Promise.all(Array.from({ length: count }, (_, i) => readChange(join(dir, nameOf(i + 1)))))
}

async function readChange(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown
  } catch (error) {
    return fail('BAD_FILE', `${path}: ${(error as Error).message}`, { cause: error })
  }
}

/** False when there is a change of that number already; then the change has to be decided anew. */
export async function appendChange(dir: string, number: number, change: object): Promise<boolean> {
  await mkdir(dir, { recursive: true })
  const beside = join(dir, `.${ownTag()}.part`)
  const file = await open(beside, 'wx')
  try {
    await file.writeFile(`${JSON.stringify(change, null, 2)}\n`)
    await file.sync()
    await link(beside, join(dir, nameOf(number)))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await file.close()
    await rm(beside, { force: true })
  }
  await syncFolder(dir)
  return true
}
