/** API keys and what was used with them. */
import {
  CreatedKey,
  CreateKeyRequest,
  Key,
  KeyList,
  Scope,
  UsageList,
  UsageRow,
} from '../../../schemas/keys.ts'
import type { Operation } from './operation.ts'

export const keySchemas = {
  CreateKeyRequest,
  CreatedKey,
  Key,
  KeyList,
  Scope,
  UsageList,
  UsageRow,
} as const

const id = { name: 'id', in: 'path', description: 'The id of the key, not the key itself' } as const

export const keyOperations: readonly Operation<keyof typeof keySchemas>[] = [
  {
    method: 'post',
    path: '/v1/keys',
    summary: 'Make an API key; the answer holds it, this once',
    body: 'CreateKeyRequest',
    response: 'CreatedKey',
    status: 201,
    errors: [401, 403, 429],
  },
  {
    method: 'get',
    path: '/v1/keys',
    summary: 'All API keys, revoked ones included, newest first',
    response: 'KeyList',
    errors: [401, 403, 429],
  },
  {
    method: 'get',
    path: '/v1/keys/{id}',
    summary: 'One API key',
    response: 'Key',
    parameters: [id],
    errors: [401, 403, 404, 429],
  },
  {
    method: 'delete',
    path: '/v1/keys/{id}',
    summary: 'Revoke an API key: it stops working at once, its usage stays',
    response: 'Key',
    parameters: [id],
    errors: [401, 403, 404, 429],
  },
  {
    method: 'get',
    path: '/v1/usage',
    summary: 'Requests and tokens by key and day; without the scope `admin`, those of the own key',
    response: 'UsageList',
    parameters: [
      { name: 'key_id', in: 'query', description: 'Of this key alone' },
      { name: 'from', in: 'query', description: 'The first day (UTC), such as 2026-11-24' },
      { name: 'to', in: 'query', description: 'The last day' },
    ],
    errors: [401, 403, 429],
  },
]
