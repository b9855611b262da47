/**
 * Requests to a hub: headers, time limits, retries of what may pass, and its refusals as errors of ours. Tokens go to
 * the hub alone: `fetch` drops them when it is sent to another host.
 */
import { SteerError, fail } from '../errors.ts'
import type { HubSettings } from './hub-settings.ts'

export interface HubRequest {
  readonly method?: 'GET' | 'HEAD'
  readonly headers?: Readonly<Record<string, string>>
  /** `manual` shows the hub's own answer instead of the storage's that it points to. */
  readonly redirect?: 'follow' | 'manual'
  readonly signal?: AbortSignal
}

export interface RetryOptions {
  /** Tries of one request, and of a download without any progress. */
  readonly attempts?: number
  /** The pause before the second try; doubles. */
  readonly pauseMs?: number
  /** An answer that sends nothing for so long is given up. */
  readonly idleMs?: number
}

export const defaultRetries = { attempts: 5, pauseMs: 500, idleMs: 30_000 } as const

/** Something that may be over at the next try. */
export class PassingError extends Error {
  readonly pauseMs: number | null

  constructor(
    message: string,
    { cause, pauseMs = null }: { cause?: unknown; pauseMs?: number | null } = {},
  ) {
    // prettier-ignore
    super(message, { cause })
    this.pauseMs = pauseMs
  }
}

/** One try. The answer is good, a redirect asked for as such, or this throws: `PassingError`, or an error of ours. */
export async function askHub(
  settings: HubSettings,
  path: string,
  { method = 'GET', headers = {}, redirect = 'follow', signal }: HubRequest = {},
): Promise<Response> {
  const { endpoint, token } = settings
  let response: Response
  try {
    response = await fetch(`${endpoint}${path}`, {
      method,
      redirect,
      signal: signal ?? null,
      headers: {
        // Sizes and ranges are those of the file, not of its compressed form.
        'accept-encoding': 'identity',
        'user-agent': 'steerlm',
        ...(token && { authorization: `Bearer ${token}` }),
        ...headers,
      },
    })
  } catch (error) {
    throw new PassingError(`${endpoint}: ${reasonOf(error)}`, { cause: error })
  }
  const { status } = response
  if (response.ok || (redirect === 'manual' && status >= 300 && status < 400)) return response
  if (status === 416) return response
  if (status === 408 || status === 429 || status >= 500) {
    const seconds = Number(response.headers.get('retry-after'))
    const pauseMs = seconds > 0 ? Math.min(seconds, 60) * 1000 : null
    await response.body?.cancel().catch(() => {})
    throw new PassingError(`${endpoint} answered ${status}`, { pauseMs })
  }
  return refused(settings, path, response)
}

/** Tries until it works or fails for good. Fails HUB_UNAVAILABLE after the last try. */
export async function withRetries<T>(
  work: (attempt: number) => Promise<T>,
  { attempts = defaultRetries.attempts, pauseMs = defaultRetries.pauseMs }: RetryOptions,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt)
    } catch (error) {
      if (!(error instanceof PassingError)) throw error
      if (attempt >= attempts) fail('HUB_UNAVAILABLE', error.message, { cause: error })
      const pause = error.pauseMs ?? pauseMs * 2 ** (attempt - 1)
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }
}

/** What the hub's refusal means. The texts are its own protocol: `x-error-code`, and a 401 for what is not there. */
async function refused(settings: HubSettings, path: string, response: Response): Promise<never> {
  const { status, headers } = response
  await response.body?.cancel().catch(() => {})
  const code = headers.get('x-error-code') ?? ''
  const where = `${settings.endpoint}${path.split('?')[0]}`
  const hint = settings.token ? 'the token of HF_TOKEN has no access' : 'HF_TOKEN is not set'
  if (code === 'GatedRepo') {
    fail('HUB_FORBIDDEN', `${where}: the model is gated: ask for access on its page; ${hint}`)
  }
  if (code === 'RevisionNotFound') fail('MODEL_NOT_FOUND', `${where}: no such revision`)
  if (code === 'EntryNotFound') fail('MODEL_NOT_FOUND', `${where}: no such file`)
  if (status === 404 || code === 'RepoNotFound') {
    fail('MODEL_NOT_FOUND', `${where}: no such model on the hub, or it is private; ${hint}`)
  }
  if (status === 401) {
    fail('HUB_FORBIDDEN', `${where}: no such model on the hub, or it is private or gated; ${hint}`)
  }
  if (status === 403) {
    fail('HUB_FORBIDDEN', `${where}: gated or not allowed; ${hint}`)
  }
  return fail('HUB_UNAVAILABLE', `${where} answered ${status}`)
}

/** `fetch` says no more than "fetch failed"; its cause says why. */
export function reasonOf(error: unknown): string {
  if (error instanceof SteerError) return error.detail
  const { cause, message } = error as Error
  const inner = cause as { code?: string; message?: string } | undefined
  return inner?.code ?? inner?.message ?? message
}
