import t from 'tap'
import type { Caller } from '../../src/services/keys.ts'
import { createLimits } from '../../src/services/limits.ts'

const caller = (limits: Partial<Caller>): Caller => ({
  id: 'a',
  name: 'a',
  scopes: ['generate'],
  requestsPerMinute: null,
  tokensPerMinute: null,
  ...limits,
})

t.test("a minute's requests may come at once; then they come back evenly", async (t) => {
  let now = 0
  const limits = createLimits(() => now)
  const a = caller({ requestsPerMinute: 6 })
  for (let i = 0; i < 6; i++) limits.takeRequest(a)
  t.throws(() => limits.takeRequest(a), { code: 'RATE_LIMITED', retryAfterSeconds: 10 })
  now += 4000
  t.throws(() => limits.takeRequest(a), { code: 'RATE_LIMITED', retryAfterSeconds: 6 })
  now += 6000
  limits.takeRequest(a)
  t.throws(() => limits.takeRequest(a))
  limits.takeRequest(caller({ id: 'b', requestsPerMinute: 1 }))
  now += 600_000
  for (let i = 0; i < 6; i++) limits.takeRequest(a)
  t.throws(() => limits.takeRequest(a), 'more than a minute is not saved')
})

t.test('a reply may go below zero, and the debt is waited off', async (t) => {
  let now = 0
  const limits = createLimits(() => now)
  const a = caller({ tokensPerMinute: 60 })
  limits.takeRequest(a)
  limits.spendTokens(a, 90)
  t.throws(() => limits.takeRequest(a), { code: 'RATE_LIMITED', retryAfterSeconds: 30 })
  now += 30_001
  limits.takeRequest(a)
})

t.test('a key without limits is not held', async () => {
  const limits = createLimits()
  for (let i = 0; i < 1000; i++) limits.takeRequest(caller({}))
  limits.spendTokens(caller({}), 1e9)
  limits.takeRequest(caller({}))
})
