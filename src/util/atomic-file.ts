/**
 * Files and folders that appear whole or not at all, power loss included: written beside their
 * place, flushed to the disk, renamed, and the folder that holds the name flushed too.
 */
import { randomInt } from 'node:crypto'
import { open, readdir, rename, rm, type FileHandle } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fail } from '../errors.ts'
import { sha256 } from './hash.ts'
import { systemCode } from './storage-error.ts'

/** Begins anywhere, so that a restarted container with the same process ids meets no name of its dead self. */
let counter = randomInt(2 ** 40)

/** Stands for this machine in temporary names: process ids alone mean nothing in a shared folder. */
export const hostTag = sha256(hostname()).slice(0, 8)

/**
 * What becomes of a temporary name whose writer was killed (`leftovers.ts`): `part` was never finished, `gone` was
 * being deleted, `old` was being replaced and is put back when nothing took its place.
 */
export type TemporaryKind = 'part' | 'old' | 'gone'

/** A name beside `path` that no other writer uses, in this process, another, or on another machine. */
export const temporaryBeside = (path: string, kind: TemporaryKind): string =>
  join(dirname(path), `.${basename(path)}.${hostTag}-${process.pid}-${(counter += 1)}.${kind}`)

/** Flushes a folder's list of names. Windows cannot open folders, and needs no flush there. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Writes all of the bytes, however many calls that takes; one call writes at most 2 GiB. */
export async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const length = Math.min(1 << 30, bytes.length - done)
    done += (await file.write(bytes, done, length)).bytesWritten
  }
}

/** The same at a position of the file. */
export async function writeFullyAt(
  file: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const length = Math.min(1 << 30, bytes.length - done)
    done += (await file.write(bytes, done, length, position + done)).bytesWritten
  }
}

/**
 * Calls `write` with a fresh file beside `path` and renames it to `path` when all is on the disk.
 * When anything fails the fresh file is removed and an older one at `path` stays as it was.
 */
export async function streamFileAtomic(
  path: string,
  write: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const temporary = temporaryBeside(path, 'part')
  try {
    const file = await open(temporary, 'wx')
    try {
      await write(file)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(dirname(path))
}

/** Replaces or creates the file at `path`. Text is written as UTF-8. */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data
  await streamFileAtomic(path, (file) => writeFully(file, bytes))
}

async function syncTree(path: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const inner = join(path, entry.name)
    if (entry.isDirectory()) await syncTree(inner)
    else if (entry.isFile()) {
      const file = await open(inner, 'r+')
      await file.sync().finally(() => file.close())
    }
  }
  await syncFolder(path)
}

/** What renaming onto a folder that is not empty gives, depending on the system. */
const isTaken = (error: unknown): boolean =>
  ['ENOTEMPTY', 'EEXIST'].includes(systemCode(error) ?? '')

/**
 * Moves the finished folder `temporary` to `path` (same file system) where nothing is yet. Of several writers at the
 * same time one succeeds; the others fail ALREADY_EXISTS.
 */
export async function placeDirAtomic(temporary: string, path: string): Promise<void> {
  await syncTree(temporary)
  await rename(temporary, path).catch((error: unknown) => {
    if (isTaken(error))
      fail('ALREADY_EXISTS', `"${basename(path)}"`, { cause: error, param: 'name' })
    throw error
  })
  await syncFolder(dirname(path))
}

/** How often other writers of the same folder may be quicker. */
const maxReplacements = 100

/**
 * Moves the finished folder `temporary` to `path` (same file system), replacing an older folder.
 * A full folder cannot be renamed over, so there is an instant with neither in place; a crash then
 * leaves the older one beside, as `.<name>.<unique>.old`. When the move fails it is put back.
 */
export async function replaceDirAtomic(temporary: string, path: string): Promise<void> {
  await syncTree(temporary)
  const replaced = await oneAtATime(path, () => swapIn(temporary, path))
  for (const old of replaced) await rm(old, { recursive: true, force: true })
}

const swaps = new Map<string, Promise<unknown>>()

/** Writers in this process take turns, so that a reader sees each folder for a while. */
async function oneAtATime<T>(path: string, swap: () => Promise<T>): Promise<T> {
  const before = swaps.get(path) ?? Promise.resolve()
  const turn = before.then(swap, swap)
  swaps.set(path, turn)
  try {
    return await turn
  } finally {
    if (swaps.get(path) === turn) swaps.delete(path)
  }
}

/** Gives the folders that were moved away. */
async function swapIn(temporary: string, path: string): Promise<string[]> {
  const replaced: string[] = []
  for (let tries = 1; ; tries += 1) {
    const old = temporaryBeside(path, 'old')
    const isMoved = await moveIfThere(path, old)
    try {
      await rename(temporary, path)
      if (isMoved) replaced.push(old)
      break
    } catch (error) {
      // Another writer put its folder there in that instant; it is replaced next.
      const another = isTaken(error) && tries < maxReplacements
      if (isMoved && another) replaced.push(old)
      else if (isMoved) await rename(old, path)
      if (!another) throw error
    }
  }
  await syncFolder(dirname(path))
  return replaced
}

/** Renames; false when there is nothing at `from`. */
async function moveIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false
    throw error
  }
}

/** Removes the folder at `path`: out of sight at once, then its files. False when there is none. */
export async function removeDirAtomic(path: string): Promise<boolean> {
  const gone = temporaryBeside(path, 'gone')
  if (!(await moveIfThere(path, gone))) return false
  await syncFolder(dirname(path))
  await rm(gone, { recursive: true, force: true })
  return true
}
