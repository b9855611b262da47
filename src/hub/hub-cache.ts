/**
 * Downloads on the disk, in the layout that Hugging Face's tools read: `models--owner--name/refs/<revision>` holds a
 * commit, `snapshots/<commit>/` the files of it. What is not whole yet lies in `blobs/`.
 */
import { mkdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeFileAtomic } from '../util/atomic-file.ts'
import type { HubId } from './hub-id.ts'

const commitPattern = /^[0-9a-f]{40}([0-9a-f]{24})?$/

const repoDir = (cacheDir: string, repo: string): string =>
  join(cacheDir, `models--${repo.replaceAll('/', '--')}`)

export const snapshotDir = (cacheDir: string, repo: string, commit: string): string =>
  join(repoDir(cacheDir, repo), 'snapshots', commit)

export const partialPath = (cacheDir: string, repo: string, commit: string, file: string): string =>
  join(repoDir(cacheDir, repo), 'blobs', `${commit}.${file}.incomplete`)

/** Whether a file of this size, or of any where that is not known, is there. */
export async function isCached(path: string, size: number | undefined): Promise<boolean> {
  const found = await stat(path).catch(() => null)
  return found !== null && found.isFile() && (size === undefined || found.size === size)
}

/** Remembers which commit a branch or tag meant. */
export async function writeRef(
  cacheDir: string,
  { repo, revision }: HubId,
  commit: string,
): Promise<void> {
  if (revision === commit) return
  const path = join(repoDir(cacheDir, repo), 'refs', revision)
  await mkdir(dirname(path), { recursive: true })
  await writeFileAtomic(path, commit)
}

/** The commit that a revision meant when it was last asked for; null where it never was. */
export async function readRef(cacheDir: string, { repo, revision }: HubId): Promise<string | null> {
  if (commitPattern.test(revision)) return revision
  const path = join(repoDir(cacheDir, repo), 'refs', revision)
  const text = await readFile(path, 'utf8').catch(() => '')
  return commitPattern.test(text.trim()) ? text.trim() : null
}
