import t from 'tap'
import { CreatedKey, Key, KeyList, UsageList } from '../../schemas/keys.ts'
import { buildApp } from '../../src/app.ts'
import { createKeys } from '../../src/services/keys.ts'
import { createUsage } from '../../src/services/usage.ts'
import { openTestDatabase } from '../fixtures/databases.ts'
import { fakeLanguageModel } from '../services/fake-runtime.ts'

t.test('the life of a key over HTTP', async (t) => {
  const { db } = await openTestDatabase(t)
  const keys = createKeys({ db, adminKey: 'the-key-of-the-admin' })
  const usage = createUsage({ db })
  const runtimes = [fakeLanguageModel(['hello'])]
  const app = await buildApp({ runtimes, auth: { keys, usage, required: true } })
  t.teardown(async () => {
    await app.close()
    await usage.close()
  })
  const call = (method: 'GET' | 'POST' | 'DELETE', url: string, key: string, payload?: object) =>
    app.inject({ method, url, payload, headers: { authorization: `Bearer ${key}` } })
  const admin = (method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) =>
    call(method, url, 'the-key-of-the-admin', payload)

  const expiresAt = Math.floor(Date.now() / 1000) + 3600
  const limits = { requests_per_minute: 100, tokens_per_minute: 1000 }
  const body = { name: 'game', scopes: ['generate'], expires_at: expiresAt, ...limits }
  const response = await admin('POST', '/v1/keys', body)
  t.equal(response.statusCode, 201)
  t.equal(response.headers['cache-control'], 'no-store')
  const { key, ...made } = CreatedKey.parse(response.json())
  t.match(made, { name: 'game', expires_at: expiresAt, revoked_at: null, ...limits })

  const chat = { model: 'village', messages: [{ role: 'user', content: 'Hi' }] }
  t.equal((await call('POST', '/v1/chat/completions', key, chat)).statusCode, 200)
  const own = UsageList.parse((await call('GET', '/v1/usage', key)).json())
  t.match(own.data, [{ key_id: made.id, requests: 2, prompt_tokens: 5, completion_tokens: 1 }])
  const others = await call('GET', `/v1/usage?key_id=00000000-0000-0000-0000-000000000000`, key)
  t.match(others.json().error, { code: 'forbidden', param: 'key_id' })
  t.equal(UsageList.parse((await admin('GET', '/v1/usage')).json()).data.length, 2)
  t.equal((await admin('GET', '/v1/usage?from=yesterday')).json().error.param, 'from')

  const shown = Key.parse((await admin('GET', `/v1/keys/${made.id}`)).json())
  t.ok(shown.last_used_at)
  t.same({ ...shown, last_used_at: null }, made)
  t.same(KeyList.parse((await admin('GET', '/v1/keys')).json()).data, [shown])

  const revoked = Key.parse((await admin('DELETE', `/v1/keys/${made.id}`)).json())
  t.ok(revoked.revoked_at)
  t.equal((await call('POST', '/v1/chat/completions', key, chat)).statusCode, 401)
  t.equal((await admin('DELETE', '/v1/keys/nobody')).statusCode, 404)

  const wrong: [object, string][] = [
    [{ name: 'x', scopes: [] }, 'scopes'],
    [{ name: 'x', scopes: ['root'] }, 'scopes.0'],
    [{ scopes: ['data'] }, 'name'],
    [{ name: 'x', scopes: ['data'], expires_at: 1 }, 'expires_at'],
    [{ name: 'x', scopes: ['data'], expires_at: 9e15 }, 'expires_at'],
    [{ name: 'x', scopes: ['data'], requests_per_minute: 0 }, 'requests_per_minute'],
    [{ name: 'x', scopes: ['data'], admin: true }, 'admin'],
  ]
  for (const [body, param] of wrong) {
    const refused = await admin('POST', '/v1/keys', body)
    t.match(refused.json().error, { code: 'bad_request', param }, param)
  }
})
