/** Keys in memory, and a list of what was used; for tests of what is built on them. */
import type { AuthParts } from '../../src/app.ts'
import type { Caller } from '../../src/services/keys.ts'
import type { Scope } from '../../schemas/keys.ts'

export interface FakeAuth extends AuthParts {
  /** Makes `sk-steer-<name>` work. */
  grant(name: string, scopes: Scope[], limits?: Partial<Caller>): string
  withdraw(name: string): void
  readonly used: { keyId: string; requests?: number; promptTokens?: number; completionTokens?: number }[] // prettier-ignore
}

const notHere = (): never => {
  throw new Error('not part of the fake')
}

export function fakeAuth({ required = true } = {}): FakeAuth {
  const callers = new Map<string, Caller>()
  const used: FakeAuth['used'] = []
  return {
    required,
    used,
    grant(name, scopes, limits = {}) {
      const unlimited = { requestsPerMinute: null, tokensPerMinute: null }
      callers.set(`sk-steer-${name}`, { id: name, name, scopes, ...unlimited, ...limits })
      return `sk-steer-${name}`
    },
    withdraw: (name) => void callers.delete(`sk-steer-${name}`),
    keys: {
      verify: async (key) => callers.get(key) ?? null,
      hasAny: async () => callers.size > 0,
      create: notHere,
      list: async () => [],
      get: notHere,
      revoke: notHere,
    },
    usage: {
      add: (keyId, counts) => void used.push({ keyId, ...counts }),
      list: async () => [],
      flush: async () => {},
      close: async () => {},
    },
  }
}
