/** How a model of a Hugging Face hub is named: `owner/name`, `owner/name@revision`, `hf://name`. */
import { fail } from '../errors.ts'

export interface HubId {
  /** `owner/name`; the oldest models have no owner. */
  readonly repo: string
  /** A branch, a tag or a commit. */
  readonly revision: string
}

const part = '[A-Za-z0-9_][A-Za-z0-9._-]{0,95}'
const repoPattern = new RegExp(`^(${part}/)?${part}$`)
const revisionPattern = /^[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}$/
const prefix = 'hf://'

/** Whether a text may be meant so: `hf://…`, or one slash and no dot in front. */
export function looksLikeHubId(text: string): boolean {
  if (text.startsWith(prefix)) return true
  const [repo = ''] = text.split('@')
  return repo.includes('/') && repoPattern.test(repo)
}

/** Fails BAD_ARGUMENT. */
export function parseHubId(text: string): HubId {
  const bare = text.startsWith(prefix) ? text.slice(prefix.length) : text
  const [repo = '', revision = 'main', ...rest] = bare.split('@')
  const isGood =
    rest.length === 0 &&
    repoPattern.test(repo) &&
    revisionPattern.test(revision) &&
    !/\.\.|--|\/\//.test(`${repo}@${revision}`)
  if (isGood) return { repo, revision }
  const shown = text.slice(0, 200)
  return fail('BAD_ARGUMENT', `hub id "${shown}": expected owner/name or owner/name@revision`)
}
