/** Where the responses of `/v1/responses` are kept: by id, for the key that made them, the newest of each key. */
import type { ResponseItem, ResponseObject } from '../../../schemas/responses.ts'

export interface StoredResponse {
  readonly response: ResponseObject
  /**
   * What it was made from, the items of the responses before it included: so it can be gone on from when those are
   * deleted.
   */
  readonly items: readonly ResponseItem[]
  /** The API key that made it; null where none is needed. */
  readonly keyId: string | null
}

export interface ResponseStore {
  /** Takes the place of what has the same id; what is old or too much of the same key goes. */
  put(stored: StoredResponse): Promise<void>
  /** Null when there is none of this key. */
  get(id: string, keyId: string | null): Promise<StoredResponse | null>
  /** False when there was none of this key. */
  delete(id: string, keyId: string | null): Promise<boolean>
}

export interface Retention {
  /** Responses of one key; the oldest go first. */
  perKey: number
  days: number
}

/** OpenAI keeps responses 30 days, too. */
export const defaultRetention: Retention = { perKey: 1000, days: 30 }

/** Keeps responses as long as the process lives. */
export function createMemoryResponseStore({ perKey } = defaultRetention): ResponseStore {
  const kept = new Map<string, StoredResponse>()
  const find = (id: string, keyId: string | null): StoredResponse | null => {
    const found = kept.get(id)
    return found?.keyId === keyId ? found : null
  }
  return {
    async put(stored) {
      kept.set(stored.response.id, structuredClone(stored))
      const own = [...kept.values()].filter(({ keyId }) => keyId === stored.keyId)
      for (const { response } of own.slice(0, -perKey)) kept.delete(response.id)
    },
    get: async (id, keyId) => structuredClone(find(id, keyId)),
    delete: async (id, keyId) => find(id, keyId) !== null && kept.delete(id),
  }
}
