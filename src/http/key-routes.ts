/** /v1/keys and /v1/usage. Parses, calls the service, serialises; `auth.ts` says who may. */
import type { FastifyInstance } from 'fastify'
import {
  CreateKeyRequest,
  UsageQuery,
  type CreatedKey,
  type Key,
  type KeyList,
  type UsageList,
} from '../../schemas/keys.ts'
import { fail } from '../errors.ts'
import { mayDo, type KeyRecord, type Keys } from '../services/keys.ts'
import type { Usage } from '../services/usage.ts'
import { parseInput } from './parse-body.ts'

export const keyRoutes = (keys: Keys, usage: Usage) => async (app: FastifyInstance) => {
  app.post('/v1/keys', async (request, reply): Promise<CreatedKey> => {
    const body = parseInput(CreateKeyRequest, request.body)
    const { key, record } = await keys.create({
      name: body.name,
      scopes: body.scopes,
      expiresAt: expiry(body.expires_at),
      requestsPerMinute: body.requests_per_minute,
      tokensPerMinute: body.tokens_per_minute,
    })
    void reply.code(201).header('cache-control', 'no-store')
    return { ...toKey(record), key }
  })

  app.get('/v1/keys', async (): Promise<KeyList> => {
    await usage.flush()
    return { object: 'list', data: (await keys.list()).map(toKey) }
  })

  app.get<{ Params: { id: string } }>('/v1/keys/:id', async (request): Promise<Key> => {
    await usage.flush()
    return toKey(await keys.get(request.params.id))
  })

  app.delete<{ Params: { id: string } }>('/v1/keys/:id', async (request): Promise<Key> => {
    return toKey(await keys.revoke(request.params.id))
  })

  app.get('/v1/usage', async (request): Promise<UsageList> => {
    const { key_id: keyId, from, to } = parseInput(UsageQuery, request.query, 'the query')
    const { apiKey } = request
    // Without the scope `admin` a key sees its own usage.
    const own = apiKey && !mayDo(apiKey, 'admin') ? apiKey.id : undefined
    if (own !== undefined && keyId !== undefined && keyId !== own) {
      fail('FORBIDDEN', 'the usage of other keys is for the scope "admin"', { param: 'key_id' })
    }
    const rows = await usage.list({ keyId: own ?? keyId, from, to })
    return {
      object: 'list',
      data: rows.map((row) => ({
        object: 'usage',
        key_id: row.keyId,
        day: row.day,
        requests: row.requests,
        prompt_tokens: row.promptTokens,
        completion_tokens: row.completionTokens,
      })),
    }
  })
}

function expiry(seconds: number | null | undefined): Date | null {
  if (seconds == null) return null
  const date = new Date(seconds * 1000)
  if (date.getTime() > Date.now() && !Number.isNaN(date.getTime())) return date
  return fail('BAD_REQUEST', 'expires_at: expected a time to come, in seconds since 1970', {
    param: 'expires_at',
  })
}

const seconds = (date: Date): number => Math.floor(date.getTime() / 1000)

function toKey(record: KeyRecord): Key {
  return {
    id: record.id,
    object: 'key',
    name: record.name,
    prefix: record.prefix,
    scopes: record.scopes,
    requests_per_minute: record.requestsPerMinute,
    tokens_per_minute: record.tokensPerMinute,
    created_at: seconds(record.createdAt),
    expires_at: record.expiresAt && seconds(record.expiresAt),
    revoked_at: record.revokedAt && seconds(record.revokedAt),
    last_used_at: record.lastUsedAt && seconds(record.lastUsedAt),
  }
}
