/**
 * One file of a hub onto the disk: goes on where an earlier try, or an earlier process, was cut off, and is taken only
 * when its size and, where the hub tells it, its SHA-256 are right.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fail } from '../errors.ts'
import { syncFolder, writeFully } from '../util/atomic-file.ts'
import { PassingError, askHub, defaultRetries, reasonOf, type RetryOptions } from './hub-http.ts'
import type { HubFile, HubRepo } from './hub-repo.ts'
import type { HubSettings } from './hub-settings.ts'

export interface Download {
  readonly settings: HubSettings
  readonly repo: HubRepo
  readonly file: HubFile
  /** Where it shall lie. */
  readonly target: string
  /** What there is of it so far lies here. */
  readonly partial: string
  readonly retries: RetryOptions
  /** Bytes of this file that are on the disk. */
  onProgress(bytes: number): void
}

/** Of a file whose size nobody says. */
const maxUnknownBytes = 128 * 1024 * 1024

/** Fails BAD_FILE when what comes is not what the hub said, HUB_UNAVAILABLE when it does not come. */
export async function downloadFile(download: Download): Promise<void> {
  const { target, partial } = download
  await mkdir(dirname(target), { recursive: true })
  await mkdir(dirname(partial), { recursive: true })
  const known = await withRemoteFacts(download)
  await fetchAll({ ...download, file: known })
  await verify(partial, known)
  await rename(partial, target)
  await syncFolder(dirname(target))
}

/** Size and hash from the headers of the file itself, where the list of files lacks them. */
async function withRemoteFacts({ settings, repo, file, retries }: Download): Promise<HubFile> {
  if (file.size !== undefined) return file
  const signal = AbortSignal.timeout(retries.idleMs ?? defaultRetries.idleMs)
  const response = await askHub(settings, resolvePath(repo, file), { method: 'HEAD', redirect: 'manual', signal }).catch(() => null) // prettier-ignore
  if (!response) return file
  const { headers, status } = response
  const linked = Number(headers.get('x-linked-size') ?? (status < 300 ? headers.get('content-length') : null)) // prettier-ignore
  const etag = /^(?:W\/)?"?([0-9a-f]{64})"?$/.exec(headers.get('x-linked-etag') ?? '')?.[1]
  return {
    ...file,
    ...(Number.isSafeInteger(linked) && linked > 0 && { size: linked }),
    ...(etag !== undefined && { sha256: etag }),
  }
}

const resolvePath = ({ repo, commit }: HubRepo, { path }: HubFile): string =>
  `/${repo}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`

const sizeOf = async (path: string): Promise<number> =>
  (await stat(path).catch(() => null))?.size ?? 0

/** Tries again as long as bytes come; gives up after so many tries in a row that brought none. */
async function fetchAll(download: Download): Promise<void> {
  const { partial, file, retries } = download
  const { attempts = defaultRetries.attempts, pauseMs = defaultRetries.pauseMs } = retries
  let idle = 0
  let reached = 0
  for (;;) {
    const found = await sizeOf(partial)
    const before = file.size !== undefined && found > file.size ? 0 : found
    if (before > 0 && before === file.size) return download.onProgress(before)
    try {
      return await fetchRest(download, before)
    } catch (error) {
      if (!(error instanceof PassingError)) throw error
      // Farther than ever: a hub that sends the same bytes over and over makes no progress.
      const size = await sizeOf(partial)
      idle = size > Math.max(before, reached) ? 1 : idle + 1
      reached = Math.max(reached, size)
      if (idle >= attempts) {
        fail('HUB_UNAVAILABLE', `${file.path}: ${error.message}; what came is kept`, { cause: error }) // prettier-ignore
      }
      const pause = error.pauseMs ?? pauseMs * 2 ** (idle - 1)
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }
}

/** One answer, appended to what there is. */
async function fetchRest(download: Download, have: number): Promise<void> {
  const { settings, repo, file, partial, retries } = download
  const idle = new AbortController()
  const idleMs = retries.idleMs ?? defaultRetries.idleMs
  let timer = setTimeout(() => idle.abort(), idleMs)
  const alive = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => idle.abort(), idleMs)
  }
  try {
    const headers: Record<string, string> = have > 0 ? { range: `bytes=${have}-` } : {}
    const response = await askHub(settings, resolvePath(repo, file), { headers, signal: idle.signal }) // prettier-ignore
    const start = response.status === 206 ? rangeStart(response, have) : 0
    if (response.status === 416 || start === null) {
      await response.body?.cancel().catch(() => {})
      await rm(partial, { force: true })
      throw new PassingError(`${settings.endpoint} has no bytes from ${have} on`)
    }
    await append(download, response, { start, alive })
  } finally {
    clearTimeout(timer)
  }
}

/** Where the bytes of a partial answer belong; null where that is not where we are. */
function rangeStart(response: Response, have: number): number | null {
  const start = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1]
  return start === undefined || Number(start) === have ? have : null
}

async function append(
  { file, partial, onProgress }: Download,
  response: Response,
  { start, alive }: { start: number; alive: () => void },
): Promise<void> {
  const limit = file.size ?? maxUnknownBytes
  const output = await open(partial, start > 0 ? 'a' : 'w')
  let done = start
  try {
    for await (const chunk of chunksOf(response)) {
      alive()
      done += chunk.length
      if (done > limit) await refuse(partial, `${file.path}: expected ${limit} bytes, more came`)
      await writeFully(output, chunk)
      onProgress(done)
    }
    await output.sync()
  } finally {
    await output.close()
  }
  if (file.size !== undefined && done < file.size) {
    throw new PassingError(`expected ${file.size} bytes, the connection ended after ${done}`)
  }
}

async function* chunksOf(response: Response): AsyncGenerator<Uint8Array> {
  try {
    yield* response.body ?? []
  } catch (error) {
    throw new PassingError(`the connection was cut: ${reasonOf(error)}`, { cause: error })
  }
}

async function verify(partial: string, { path, size, sha256 }: HubFile): Promise<void> {
  const bytes = await sizeOf(partial)
  if (size !== undefined && bytes !== size) await refuse(partial, `${path}: expected ${size} bytes, got ${bytes}`) // prettier-ignore
  if (sha256 === undefined) return
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(partial)) hash.update(chunk as Uint8Array)
  const found = hash.digest('hex')
  if (found !== sha256) await refuse(partial, `${path}: expected sha256 ${sha256}, got ${found}`)
}

/** What is not what was promised must not be gone on with. */
async function refuse(partial: string, detail: string): Promise<never> {
  await rm(partial, { force: true })
  return fail('BAD_FILE', `${detail}; the download is thrown away`)
}
