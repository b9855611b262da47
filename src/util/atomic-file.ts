/**
 * Files and folders that appear whole or not at all, power loss included: written beside their
 * place, flushed to the disk, renamed, and the folder that holds the name flushed too.
 */
import { open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

let counter = 0

/** A name beside `path` that no other writer uses, in this process or another. */
const besides = (path: string, ending: string): string =>
  join(dirname(path), `.${basename(path)}.${process.pid}-${(counter += 1)}.${ending}`)

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

/**
 * Calls `write` with a fresh file beside `path` and renames it to `path` when all is on the disk.
 * When anything fails the fresh file is removed and an older one at `path` stays as it was.
 */
export async function streamFileAtomic(
  path: string,
  write: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const temporary = besides(path, 'part')
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

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/**
 * Moves the finished folder `temporary` to `path` (same file system), replacing an older folder.
 * A full folder cannot be renamed over, so there is an instant with neither in place; a crash then
 * leaves the older one beside, as `.<name>.<unique>.old`. When the move fails it is put back.
 */
export async function replaceDirAtomic(temporary: string, path: string): Promise<void> {
  await syncTree(temporary)
  const old = besides(path, 'old')
  const replacing = await exists(path)
  if (replacing) await rename(path, old)
  try {
    await rename(temporary, path)
  } catch (error) {
    if (replacing) await rename(old, path)
    throw error
  }
  await syncFolder(dirname(path))
  if (replacing) await rm(old, { recursive: true, force: true })
}
