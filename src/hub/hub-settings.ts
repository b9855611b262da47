/** Where the hub is and how it is used: the variables that Hugging Face's own tools read. */
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fail } from '../errors.ts'

export interface HubSettings {
  /** Without a slash at the end. */
  readonly endpoint: string
  readonly token?: string
  /** Ask nobody; what is in the cache must do. */
  readonly offline: boolean
  /** Downloads, in the layout of Hugging Face's cache. */
  readonly cacheDir: string
}

const isTrue = (value: string | undefined): boolean => /^(1|true|yes|on)$/i.test(value ?? '')

/** Reads HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, HF_HUB_CACHE and HF_HOME; by default the cache lies in `home`. */
export function hubSettings(env: NodeJS.ProcessEnv, home: string): HubSettings {
  const endpoint = (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '')
  const url = URL.parse(endpoint)
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') {
    fail('BAD_ARGUMENT', `HF_ENDPOINT: expected an http or https address, got "${endpoint}"`)
  }
  const token = env.HF_TOKEN?.trim()
  return {
    endpoint,
    ...(token && { token }),
    offline: isTrue(env.HF_HUB_OFFLINE),
    cacheDir: cacheFolder(env, home),
  }
}

function cacheFolder(env: NodeJS.ProcessEnv, home: string): string {
  if (env.HF_HUB_CACHE) return resolve(untilde(env.HF_HUB_CACHE))
  if (env.HF_HOME) return resolve(untilde(env.HF_HOME), 'hub')
  return join(home, 'hub')
}

const untilde = (path: string): string => path.replace(/^~(?=$|\/)/, homedir())
