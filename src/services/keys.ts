/**
 * API keys: made, verified, listed, revoked. Keys are 256 random bits; the database has their SHA-256 only, which is
 * also what they are looked up by, so no comparison leaks how much of a guess was right.
 */
import { randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import { and, desc, eq, gt, isNull, or } from 'drizzle-orm'
import type { Scope } from '../../schemas/keys.ts'
import { schema, type Db } from '../database/index.ts'
import { fail } from '../errors.ts'
import { sha256 } from '../util/hash.ts'

const { apiKeys } = schema

export const keyStart = 'sk-steer-'

/** Whose request it is, and what it may do. */
export interface Caller {
  readonly id: string
  readonly name: string
  readonly scopes: readonly Scope[]
  readonly requestsPerMinute: number | null
  readonly tokensPerMinute: number | null
}

export type KeyRecord = Omit<typeof apiKeys.$inferSelect, 'hash' | 'scopes'> & {
  readonly scopes: Scope[]
}

export interface NewKey {
  name: string
  scopes: readonly Scope[]
  expiresAt?: Date | null
  requestsPerMinute?: number | null
  tokensPerMinute?: number | null
}

export interface Keys {
  /** The only time the key itself is seen. */
  create(key: NewKey): Promise<{ key: string; record: KeyRecord }>
  /** Null for a key that is unknown, expired or revoked. */
  verify(key: string): Promise<Caller | null>
  /** Newest first, revoked ones included. */
  list(): Promise<KeyRecord[]>
  /** Fails NOT_FOUND. */
  get(id: string): Promise<KeyRecord>
  /** At once in this process, within seconds in others. Fails NOT_FOUND; revoking twice is no error. */
  revoke(id: string): Promise<KeyRecord>
  /** Whether any key works. */
  hasAny(): Promise<boolean>
}

/** The id that usage of the key from STEERLM_API_KEY is counted on. */
export const environmentKeyId = '00000000-0000-0000-0000-000000000000'

const environmentCaller: Caller = {
  id: environmentKeyId,
  name: 'STEERLM_API_KEY',
  scopes: ['admin'],
  requestsPerMinute: null,
  tokensPerMinute: null,
}

export interface KeysOptions {
  db: Db
  /** A key with the scope `admin` that is in no database. */
  adminKey?: string
  /** How long an answer of the database is believed; so long a key may live that another process revoked. */
  cacheMs?: number
  now?: () => number
}

/** Answers remembered at most, so that guesses do not fill the memory. */
const cacheSize = 10_000

interface Remembered {
  caller: Caller | null
  untilMs: number
}

export function createKeys({ db, adminKey, cacheMs = 5000, now = Date.now }: KeysOptions): Keys {
  const cache = new Map<string, Remembered>()
  const lookups = new Map<string, Promise<Caller | null>>()
  const adminHash = adminKey === undefined ? null : Buffer.from(sha256(adminKey))
  /** Counts revocations: an answer that was under way during one is not remembered. */
  let revocations = 0

  const remember = (hash: string, answer: Remembered): void => {
    cache.delete(hash)
    cache.set(hash, answer)
    if (cache.size > cacheSize) cache.delete(cache.keys().next().value!)
  }

  const lookUp = async (hash: string): Promise<Caller | null> => {
    const before = revocations
    const [row] = await db
      .select()
      .from(apiKeys)
      .where(and(eq(apiKeys.hash, hash), isNull(apiKeys.revokedAt)))
    const expiresMs = row?.expiresAt?.getTime() ?? Infinity
    const caller = row && expiresMs > now() ? toCaller(row) : null
    const untilMs = Math.min(now() + cacheMs, caller ? expiresMs : Infinity)
    if (revocations === before) remember(hash, { caller, untilMs })
    return caller
  }

  return {
    async create({ name, scopes, expiresAt, requestsPerMinute, tokensPerMinute }) {
      const key = keyStart + randomBytes(32).toString('base64url')
      const values = {
        id: randomUUID(),
        name,
        prefix: key.slice(0, keyStart.length + 6),
        hash: sha256(key),
        scopes: [...new Set(scopes)],
        expiresAt,
        requestsPerMinute,
        tokensPerMinute,
      }
      const [row] = await db.insert(apiKeys).values(values).returning()
      cache.delete(values.hash)
      return { key, record: toRecord(row!) }
    },

    async verify(key) {
      const hash = sha256(key)
      if (adminHash && timingSafeEqual(adminHash, Buffer.from(hash))) return environmentCaller
      const known = cache.get(hash)
      if (known && known.untilMs > now()) return known.caller
      // Requests that come together ask once.
      const running = lookups.get(hash) ?? lookUp(hash).finally(() => lookups.delete(hash))
      lookups.set(hash, running)
      return running
    },

    async list() {
      const rows = await db.select().from(apiKeys).orderBy(desc(apiKeys.createdAt), apiKeys.id)
      return rows.map(toRecord)
    },

    async get(id) {
      const rows = isUuid(id) ? await db.select().from(apiKeys).where(eq(apiKeys.id, id)) : []
      return toRecord(rows[0] ?? noSuchKey(id))
    },

    async revoke(id) {
      if (!isUuid(id)) noSuchKey(id)
      const current = await db.select().from(apiKeys).where(eq(apiKeys.id, id))
      const row = current[0] ?? noSuchKey(id)
      const isLive = and(eq(apiKeys.id, id), isNull(apiKeys.revokedAt))
      const [revoked] = await db
        .update(apiKeys)
        .set({ revokedAt: new Date(now()) })
        .where(isLive)
        .returning()
      revocations += 1
      cache.delete(row.hash)
      lookups.delete(row.hash)
      return toRecord(revoked ?? row)
    },

    async hasAny() {
      if (adminHash) return true
      const isLive = or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, new Date(now())))
      const found = await db
        .select({ id: apiKeys.id })
        .from(apiKeys)
        .where(and(isNull(apiKeys.revokedAt), isLive))
        .limit(1)
      return found.length > 0
    },
  }
}

/** `admin` may do everything; null asks for nothing but a key. */
export function mayDo(caller: Caller, scope: Scope | null): boolean {
  return scope === null || caller.scopes.includes(scope) || caller.scopes.includes('admin')
}

function toRecord({ hash: _hash, ...row }: typeof apiKeys.$inferSelect): KeyRecord {
  return { ...row, scopes: row.scopes as Scope[] }
}

function toCaller(row: typeof apiKeys.$inferSelect): Caller {
  const { id, name, requestsPerMinute, tokensPerMinute } = row
  return { id, name, scopes: row.scopes as Scope[], requestsPerMinute, tokensPerMinute }
}

const isUuid = (id: string): boolean => /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(id)

const noSuchKey = (id: string): never => fail('NOT_FOUND', `no key "${id.slice(0, 80)}"`)
