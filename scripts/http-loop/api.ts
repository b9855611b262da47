/** A small HTTP client: JSON in and out, an optional key, and patience with a server that is away for a moment. */
import { setTimeout as sleep } from 'node:timers/promises'

export interface ApiOptions {
  readonly url: string
  readonly key?: string
  /** Tries again while the server cannot be reached or says that it is starting (503), for two minutes. */
  readonly patient: boolean
}

export interface SendOptions {
  readonly json?: unknown
  readonly ndjson?: string
  /** Statuses that are answers, beside the successful ones. */
  readonly allow?: readonly number[]
  readonly signal?: AbortSignal
}

export interface Answer {
  readonly status: number
  readonly body: unknown
}

export interface Api {
  /** The raw response of one try. */
  raw(method: string, path: string, options?: SendOptions): Promise<Response>
  /** Throws on a status that is neither successful nor allowed. */
  send(method: string, path: string, options?: SendOptions): Promise<Answer>
  /** The body alone. */
  json(method: string, path: string, options?: SendOptions): Promise<unknown>
}

const patienceMs = 120_000

export function createApi({ url, key, patient }: ApiOptions): Api {
  const raw: Api['raw'] = (method, path, options = {}) => {
    const type = options.ndjson === undefined ? 'application/json' : 'application/x-ndjson'
    const body =
      options.ndjson ?? (options.json === undefined ? undefined : JSON.stringify(options.json))
    const headers = {
      ...(body !== undefined && { 'content-type': type }),
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
    }
    const init: RequestInit = { method, headers, body, signal: options.signal }
    return fetch(new URL(path, url), init)
  }

  const attempt = async (
    method: string,
    path: string,
    options: SendOptions,
  ): Promise<Answer | Error> => {
    try {
      const response = await raw(method, path, options)
      const text = await response.text()
      const isAnswer = response.ok || options.allow?.includes(response.status)
      if (isAnswer) return { status: response.status, body: text === '' ? null : JSON.parse(text) }
      const error = new Error(`${method} ${path}: ${response.status} ${text.slice(0, 500)}`)
      if (response.status !== 503) throw Object.assign(error, { final: true })
      return error
    } catch (error) {
      if ((error as { final?: boolean }).final || options.signal?.aborted) throw error
      return error as Error
    }
  }

  const send: Api['send'] = async (method, path, options = {}) => {
    const deadline = performance.now() + (patient ? patienceMs : 0)
    for (;;) {
      const answer = await attempt(method, path, options)
      if (!(answer instanceof Error)) return answer
      if (performance.now() > deadline) throw answer
      await sleep(200)
    }
  }
  return { raw, send, json: async (...given) => (await send(...given)).body }
}
