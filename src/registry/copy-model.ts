/**
 * A model folder into a fresh folder that nobody will change: weights are hard links where the file system allows
 * (our writers replace files and never write into them), all else is copied. Every file is hashed and flushed.
 */
import { constants, copyFile, link, mkdir, open, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fail } from '../errors.ts'
import { syncFolder } from '../util/atomic-file.ts'
import { sha256File, sha256Json } from '../util/hash.ts'

export interface ModelFile {
  /** Within the folder, with `/`. */
  readonly path: string
  readonly bytes: number
  readonly sha256: string
}

const maxFiles = 10_000
const maxDepth = 4

/** Copies visible files, those in folders too. Fails BAD_FILE when the folder is replaced meanwhile. */
export async function copyModel(from: string, to: string): Promise<void> {
  const before = await stat(from)
  const paths = await listFiles(from)
  for (const path of paths) {
    const target = join(to, path)
    await mkdir(dirname(target), { recursive: true })
    await place(join(from, path), target)
  }
  const after = await stat(from).catch(() => undefined)
  if (after?.ino !== before.ino) fail('BAD_FILE', 'the model was replaced while it was read')
}

/** Paths of the visible files below `dir`, sorted; links to folders are left out. */
export async function listFiles(dir: string): Promise<string[]> {
  const found: string[] = []
  const visit = async (inner: string, depth: number): Promise<void> => {
    for (const entry of await readdir(join(dir, inner), { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue
      const path = inner === '' ? entry.name : `${inner}/${entry.name}`
      if (entry.isDirectory() && depth < maxDepth) await visit(path, depth + 1)
      else if (await isFile(join(dir, path))) found.push(path)
      if (found.length > maxFiles) fail('BAD_FILE', `a model has at most ${maxFiles} files`)
    }
  }
  await visit('', 0)
  return found.sort()
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  )

async function place(from: string, to: string): Promise<void> {
  if (from.endsWith('.safetensors')) {
    const linked = await link(from, to).then(
      () => true,
      () => false, // another file system, or one without links
    )
    if (linked) return
  }
  await copyFile(from, to, constants.COPYFILE_FICLONE)
}

/** Hashes every file of the folder and flushes all to the disk. */
export async function sealFolder(dir: string): Promise<{ files: ModelFile[]; sha256: string }> {
  const files: ModelFile[] = []
  for (const path of await listFiles(dir)) {
    const full = join(dir, path)
    await flush(full)
    files.push({ path, bytes: (await stat(full)).size, sha256: await sha256File(full) })
  }
  for (const inner of new Set(files.map(({ path }) => dirname(path)))) {
    await syncFolder(join(dir, inner))
  }
  return { files, sha256: hashOfFiles(files) }
}

/** The same for the same names and contents. */
export const hashOfFiles = (files: readonly ModelFile[]): string =>
  sha256Json(files.map(({ path, sha256 }) => [path, sha256]))

async function flush(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
