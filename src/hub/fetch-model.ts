/**
 * A model of a hub as a folder: the files that a model folder is made of and no others, the small ones first, so that a
 * model that cannot be used costs no weights.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '../errors.ts'
import { createProgress } from '../util/progress.ts'
import { shardNames, WEIGHT_INDEX, WEIGHTS } from '../weights/checkpoint.ts'
import { downloadFile } from './download-file.ts'
import { isCached, partialPath, readRef, snapshotDir, writeRef } from './hub-cache.ts'
import type { RetryOptions } from './hub-http.ts'
import { parseHubId, type HubId } from './hub-id.ts'
import { lookUpRepo, type HubFile, type HubRepo } from './hub-repo.ts'
import type { HubSettings } from './hub-settings.ts'

/** Without these there is no model; the others are taken where they are there. */
const neededFiles = ['config.json', 'tokenizer.json']
const smallFiles = [
  ...neededFiles,
  'tokenizer_config.json',
  'special_tokens_map.json',
  'generation_config.json',
  'chat_template.jinja',
  'steerlm.json',
  'head.safetensors',
]
const maxSmallBytes = 128 * 1024 * 1024

export interface FetchedModel extends HubId {
  readonly commit: string
  readonly dir: string
}

export interface FetchOptions {
  readonly settings: HubSettings
  /** Looks at the folder while it has no weights yet; what it throws ends the import. */
  readonly check: (dir: string) => Promise<void>
  readonly retries?: RetryOptions
}

/**
 * The folder lies in the cache and must not be written to. Fails BAD_ARGUMENT, MODEL_NOT_FOUND, HUB_FORBIDDEN,
 * HUB_UNAVAILABLE, BAD_FILE, BAD_CHECKPOINT or with what `check` throws.
 */
export async function fetchModel(text: string, options: FetchOptions): Promise<FetchedModel> {
  const id = parseHubId(text)
  const { settings, check, retries = {} } = options
  const { cacheDir, offline } = settings
  if (offline) return fromCache(id, cacheDir, check)
  const repo = await lookUpRepo(settings, id, retries)
  const dir = snapshotDir(cacheDir, repo.repo, repo.commit)
  const take = (files: readonly HubFile[]) => downloadAll(files, { settings, repo, dir, retries })
  await take(smallOnes(repo))
  await check(dir)
  const index = repo.files.get(WEIGHT_INDEX)
  if (!repo.files.has(WEIGHTS)) {
    if (!index) fail('BAD_CHECKPOINT', `${id.repo}: neither ${WEIGHTS} nor ${WEIGHT_INDEX} is on the hub`) // prettier-ignore
    await take([capped(index)])
  }
  await take(await weightFiles(repo, dir))
  await writeRef(cacheDir, id, repo.commit)
  return { ...id, commit: repo.commit, dir }
}

function smallOnes(repo: HubRepo): HubFile[] {
  for (const name of neededFiles) {
    if (repo.files.has(name)) continue
    fail('BAD_CHECKPOINT', `${repo.repo}: there is no ${name} on the hub (commit ${repo.commit})`)
  }
  return smallFiles.flatMap((name) => {
    const file = repo.files.get(name)
    return file ? [capped(file)] : []
  })
}

function capped(file: HubFile): HubFile {
  if ((file.size ?? 0) <= maxSmallBytes) return file
  return fail('BAD_FILE', `${file.path} has ${file.size} bytes; at most ${maxSmallBytes} are read`)
}

async function weightFiles({ files, repo }: HubRepo, dir: string): Promise<HubFile[]> {
  const names = files.has(WEIGHTS) ? [WEIGHTS] : await shardNames(dir)
  return names.map(
    (name) => files.get(name) ?? fail('BAD_CHECKPOINT', `${repo}: ${name} is not on the hub`),
  )
}

interface Place {
  readonly settings: HubSettings
  readonly repo: HubRepo
  readonly dir: string
  readonly retries: RetryOptions
}

/** One after another; what is there already is not asked for. */
async function downloadAll(files: readonly HubFile[], place: Place): Promise<void> {
  const { settings, repo, dir, retries } = place
  const missing: HubFile[] = []
  for (const file of files) {
    if (!(await isCached(join(dir, file.path), file.size))) missing.push(file)
  }
  const total = missing.reduce((sum, { size = 0 }) => sum + size, 0)
  if (total === 0 && missing.length === 0) return
  const progress = createProgress({ label: repo.repo, total: megabytes(total), unit: 'MB' })
  let before = 0
  try {
    for (const file of missing) {
      const onProgress = (bytes: number): void => progress.update(megabytes(before + bytes), file.path) // prettier-ignore
      const partial = partialPath(settings.cacheDir, repo.repo, repo.commit, file.path)
      await downloadFile({ settings, repo, file, target: join(dir, file.path), partial, retries, onProgress }) // prettier-ignore
      before += file.size ?? 0
    }
  } finally {
    progress.stop()
  }
}

const megabytes = (bytes: number): number => Math.round(bytes / 1e5) / 10

async function fromCache(
  id: HubId,
  cacheDir: string,
  check: (dir: string) => Promise<void>,
): Promise<FetchedModel> {
  const commit = await readRef(cacheDir, id)
  const missing = (what: string): never =>
    fail('MODEL_NOT_FOUND', `HF_HUB_OFFLINE is set, and ${what} is not in ${cacheDir}`)
  if (commit === null) return missing(`${id.repo}@${id.revision}`)
  const dir = snapshotDir(cacheDir, id.repo, commit)
  const there = new Set(await readdir(dir).catch(() => []))
  for (const name of neededFiles) if (!there.has(name)) missing(`${name} of ${id.repo}@${commit}`)
  await check(dir)
  const names = there.has(WEIGHTS) ? [WEIGHTS] : await shardNames(dir)
  for (const name of names) if (!there.has(name)) missing(`${name} of ${id.repo}@${commit}`)
  return { ...id, commit, dir }
}
