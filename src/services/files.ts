/**
 * Uploaded files as OpenAI's API has them: `<home>/files/<id>/` with `content` and `file.json`. Every upload is a file
 * of its own with a fresh id, name and purpose; files of the same content share one copy on the disk, as hard links to
 * `<home>/files/.content/<sha256>`. The file system counts the links, so no process can remove what another still uses.
 */
import { createHash, randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { FileManifest } from '../../schemas/files.ts'
import { fail } from '../errors.ts'
import { removeDirAtomic, writeFully } from '../util/atomic-file.ts'
import { limited, type ByteChunks } from '../util/byte-chunks.ts'
import { writeFolder } from '../util/folder.ts'
import { sweepLeftovers } from '../util/leftovers.ts'
import { storageError, systemCode } from '../util/storage-error.ts'
import { guardFreeSpace } from './free-space.ts'
import { openFile, streamFile } from './stored-file.ts'

export type { FileManifest } from '../../schemas/files.ts'

export interface Files {
  /**
   * Stores bytes as they come, all or nothing. `describe` is asked after the last byte.
   * Fails BODY_TOO_LARGE, DISK_FULL, and as `describe` does.
   */
  create(
    chunks: ByteChunks,
    describe: () => { filename: string; purpose: string },
  ): Promise<FileManifest>
  /** Newest first. */
  list(): Promise<FileManifest[]>
  /** Fails FILE_NOT_FOUND. */
  get(id: string): Promise<FileManifest>
  /** Where the content lies, for a job on this machine. Fails FILE_NOT_FOUND. */
  open(id: string): Promise<{ path: string; filename: string; sha256: string }>
  /** Goes on to the end even when the file is deleted meanwhile. Fails FILE_NOT_FOUND. */
  content(id: string): Promise<{ file: FileManifest; stream: Readable }>
  /** Fails FILE_NOT_FOUND. */
  delete(id: string): Promise<void>
  /** Removes what killed processes left; to be called once, before anything else. Returns the names. */
  sweep(): Promise<string[]>
}

export interface FilesOptions {
  /** $STEERLM_HOME. */
  home: string
  maxUploadBytes?: number
  /** What an upload leaves free on the disk, for the rest of the server. */
  reserveBytes?: number
}

const idPattern = /^file-[A-Za-z0-9]{8,64}$/

export function createFiles(options: FilesOptions): Files {
  const folder = join(options.home, 'files')
  const shared = join(folder, '.content')

  const get = async (id: string): Promise<FileManifest> => {
    const unknown = (cause?: unknown): never =>
      fail('FILE_NOT_FOUND', `"${id.slice(0, 100)}"`, { cause, param: 'file_id' })
    if (!idPattern.test(id)) unknown()
    const text = await readFile(join(folder, id, 'file.json'), 'utf8').catch(unknown)
    return parseManifest(text) ?? fail('BAD_FILE', `${id}/file.json is not a file's manifest`)
  }

  return {
    async create(chunks, describe) {
      const { home, maxUploadBytes = Infinity, reserveBytes } = options
      const id = `file-${randomBytes(12).toString('hex')}`
      try {
        return await writeFolder(
          join(folder, id),
          async (dir) => {
            const content = join(dir, 'content')
            const bytes = guardFreeSpace(limited(chunks, maxUploadBytes), home, reserveBytes)
            const written = await writeContent(content, bytes)
            const createdAt = new Date().toISOString()
            const manifest = { id, ...describe(), ...written, createdAt }
            await shareContent(content, shared, written.sha256)
            await writeFile(join(dir, 'file.json'), `${JSON.stringify(manifest, null, 2)}\n`)
            return manifest
          },
          { replace: false },
        )
      } catch (error) {
        throw storageError(error, 'cannot store the file')
      }
    },

    async list() {
      const names = await readdir(folder).catch(() => [])
      const found = await Promise.all(
        names.filter((name) => idPattern.test(name)).map((id) => get(id).catch(() => null)),
      )
      return found.filter((each) => each !== null).sort(byAge)
    },

    get,

    async open(id) {
      const { filename, sha256 } = await get(id)
      return { path: join(folder, id, 'content'), filename, sha256 }
    },

    async content(id) {
      const file = await get(id)
      return { file, stream: streamFile(await openFile(join(folder, id, 'content'))) }
    },

    async delete(id) {
      const { sha256 } = await get(id)
      if (!(await removeDirAtomic(join(folder, id)))) await get(id)
      await removeUnused(join(shared, sha256))
    },

    async sweep() {
      const swept = await sweepLeftovers(folder)
      // A process killed between the two steps of a deletion leaves content that no file has.
      for (const name of await readdir(shared).catch(() => [])) {
        if (await removeUnused(join(shared, name))) swept.push(name)
      }
      return swept
    },
  }
}

/** Newest first; ids break ties. */
function byAge(a: FileManifest, b: FileManifest): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? 1 : -1
  return a.id < b.id ? 1 : -1
}

function parseManifest(text: string): FileManifest | null {
  try {
    return FileManifest.parse(JSON.parse(text))
  } catch {
    return null
  }
}

async function writeContent(
  path: string,
  chunks: ByteChunks,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256')
  let bytes = 0
  const file = await open(path, 'wx')
  try {
    for await (const chunk of chunks) {
      hash.update(chunk)
      bytes += chunk.length
      await writeFully(file, chunk)
    }
  } finally {
    await file.close()
  }
  return { bytes, sha256: hash.digest('hex') }
}

/**
 * Makes `path` a link to the shared copy of its content, or the shared copy a link to `path` when it is the first. Where
 * the file system has no links, `path` stays a copy of its own.
 */
async function shareContent(path: string, shared: string, sha256: string): Promise<void> {
  await mkdir(shared, { recursive: true })
  const common = join(shared, sha256)
  const error = await link(path, common).catch((reason: unknown) => reason)
  if (systemCode(error) !== 'EEXIST') return
  // Gone again in this instant, or at the limit of links: the copy stays.
  const linked = await link(common, `${path}.shared`).then(
    () => true,
    () => false,
  )
  if (linked) await rename(`${path}.shared`, path)
}

/** Removes shared content that no file links to; a link made meanwhile keeps the content all the same. */
async function removeUnused(common: string): Promise<boolean> {
  const found = await stat(common).catch(() => null)
  if (found?.nlink !== 1) return false
  await rm(common, { force: true })
  return true
}
