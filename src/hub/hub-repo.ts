/** What a hub says of a model: the commit that a revision means, its files, their sizes and hashes. */
import { z } from 'zod'
import { fail } from '../errors.ts'
import type { HubId } from './hub-id.ts'
import { askHub, withRetries, type RetryOptions } from './hub-http.ts'
import type { HubSettings } from './hub-settings.ts'

export interface HubFile {
  readonly path: string
  readonly size?: number
  /** Of files that the hub keeps in its large storage. */
  readonly sha256?: string
}

export interface HubRepo extends HubId {
  readonly commit: string
  readonly files: ReadonlyMap<string, HubFile>
}

const maxAnswerBytes = 64 * 1024 * 1024
const maxPages = 100

const count = z.int().min(0)
const lfs = z.object({ sha256: z.string().optional(), oid: z.string().optional(), size: count.optional() }) // prettier-ignore
const modelInfo = z.object({
  sha: z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/),
  siblings: z
    .array(z.object({ rfilename: z.string(), size: count.nullish(), lfs: lfs.nullish() }))
    .default([]),
})
const tree = z.array(
  z.object({ type: z.string(), path: z.string(), size: count.nullish(), lfs: lfs.nullish() }),
)

/** Asks the hub. Fails MODEL_NOT_FOUND, HUB_FORBIDDEN, HUB_UNAVAILABLE or BAD_FILE on an answer that makes no sense. */
export async function lookUpRepo(
  settings: HubSettings,
  { repo, revision }: HubId,
  retries: RetryOptions,
): Promise<HubRepo> {
  const path = `/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`
  const { sha, siblings } = parseAnswer(modelInfo, (await getJson(settings, path, retries)).value, path) // prettier-ignore
  const listed = siblings.map(({ rfilename, size, lfs: large }) => toFile(rfilename, size, large))
  const isWhole = listed.length > 0 && listed.every(({ size }) => size !== undefined)
  const files = isWhole ? listed : await listTree(settings, { repo, commit: sha }, retries).catch(() => listed) // prettier-ignore
  return { repo, revision, commit: sha, files: new Map(files.map((file) => [file.path, file])) }
}

/** Hubs that are mirrors may leave sizes out of the model's description. */
async function listTree(
  settings: HubSettings,
  { repo, commit }: { repo: string; commit: string },
  retries: RetryOptions,
): Promise<HubFile[]> {
  const files: HubFile[] = []
  let path: string | null = `/api/models/${repo}/tree/${commit}?recursive=true`
  for (let page = 0; path !== null && page < maxPages; page += 1) {
    const { value, next }: { value: unknown; next: string | null } = await getJson(settings, path, retries) // prettier-ignore
    for (const { type, path: file, size, lfs: large } of parseAnswer(tree, value, path)) {
      if (type === 'file') files.push(toFile(file, size, large))
    }
    path = next
  }
  return files
}

function toFile(
  path: string,
  size: number | null | undefined,
  large: z.infer<typeof lfs> | null | undefined,
): HubFile {
  // A path comes into a file name here; one with tricks in it means that the hub is not to be trusted.
  const parts = path.split('/')
  const isTricky =
    path.length > 1024 || /[\\\p{Cc}]/u.test(path) || parts.some((name) => /^\.{0,2}$/.test(name))
  if (isTricky) fail('BAD_FILE', `the hub lists a file of the name ${JSON.stringify(path.slice(0, 200))}`) // prettier-ignore
  const sha256 = large?.sha256 ?? large?.oid
  const isHash = sha256 !== undefined && /^[0-9a-f]{64}$/.test(sha256)
  const bytes = large?.size ?? size
  return { path, ...(bytes != null && { size: bytes }), ...(isHash && { sha256 }) }
}

async function getJson(
  settings: HubSettings,
  path: string,
  retries: RetryOptions,
): Promise<{ value: unknown; next: string | null }> {
  return withRetries(async () => {
    const signal = AbortSignal.timeout(retries.idleMs ?? 30_000)
    const response = await askHub(settings, path, { headers: { accept: 'application/json' }, signal }) // prettier-ignore
    const text = await readText(response, path)
    const next = nextPage(response.headers.get('link'), settings.endpoint)
    try {
      return { value: JSON.parse(text) as unknown, next }
    } catch (cause) {
      return fail('BAD_FILE', `${settings.endpoint}${path}: the answer is not JSON`, { cause })
    }
  }, retries)
}

async function readText(response: Response, path: string): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > maxAnswerBytes) fail('BAD_FILE', `${path}: more than ${maxAnswerBytes} bytes of JSON`) // prettier-ignore
  }
  return text + decoder.decode()
}

/** The path of `Link: <…>; rel="next"`, asked of the same hub whatever host it names: the token goes along. */
function nextPage(link: string | null, endpoint: string): string | null {
  const target = /<([^>]+)>;\s*rel="?next"?/.exec(link ?? '')?.[1]
  const url = target === undefined ? null : URL.parse(target, endpoint)
  if (url === null) return null
  const start = new URL(endpoint).pathname.replace(/\/$/, '')
  const path = url.pathname.startsWith(`${start}/`)
    ? url.pathname.slice(start.length)
    : url.pathname
  return `${path}${url.search}`
}

function parseAnswer<T>(schema: z.ZodType<T>, value: unknown, path: string): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  const where = path.split('?')[0]
  return fail('BAD_FILE', `hub, ${where}: ${issue.path.join('.') || 'the answer'}: ${issue.message}`) // prettier-ignore
}
