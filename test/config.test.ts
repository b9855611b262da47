import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import t from 'tap'
import { describeConfig, needsKeys, readConfig } from '../src/config.ts'

t.test('the defaults listen on loopback and keep data in the home folder', async (t) => {
  const config = readConfig({}, {})
  t.match(config, { host: '127.0.0.1', port: 8080, models: [] })
  t.equal(config.home, join(homedir(), '.steerlm'))
  t.ok(Object.isFrozen(config))
})

t.test('flags win over the environment; an empty variable counts as unset', async (t) => {
  const env = { PORT: '9000', HOST: '', STEERLM_HOME: 'data', STEERLM_MODELS: 'a, b', STEERLM_THREADS: '2' } // prettier-ignore
  t.match(readConfig({}, env), { port: 9000, host: '127.0.0.1', home: resolve('data'), models: ['a', 'b'], threads: 2 }) // prettier-ignore
  t.match(readConfig({ port: '0', model: ['c'] }, env), { port: 0, models: ['c'] })
})

t.test('what is wrong is named as it was given', async (t) => {
  t.throws(() => readConfig({ port: 'x' }, {}), {
    code: 'BAD_ARGUMENT',
    param: '--port',
    message: /--port: expected a whole number from 0 to 65535, got "x"/,
  })
  t.throws(() => readConfig({}, { PORT: '70000' }), { code: 'BAD_ARGUMENT', param: 'PORT', message: /got "70000"/ }) // prettier-ignore
  t.throws(() => readConfig({ device: 'tpu' }, {}), {
    code: 'BAD_ARGUMENT',
    message: /--device: expected cpu, webgpu or cuda, got "tpu"/,
  })
})

t.test('memory, slots, context, queue and guesses by flag and by variable', async (t) => {
  const flags = { 'kv-memory': '512MB', slots: '3', 'context-length': '900', 'queue-limit': '7', speculative: 'ngram' } // prettier-ignore
  const expected = { kvMemory: 512e6, slots: 3, contextLength: 900, queueLimit: 7, speculative: 'ngram' } // prettier-ignore
  t.match(readConfig(flags, {}), expected)
  const env = { STEERLM_KV_MEMORY: '512MB', STEERLM_SLOTS: '3', STEERLM_CONTEXT_LENGTH: '900', STEERLM_QUEUE_LIMIT: '7', STEERLM_SPECULATIVE: 'ngram' } // prettier-ignore
  t.match(readConfig({}, env), expected)
  t.same([readConfig({}, {}).slots, readConfig({}, {}).kvMemory], [undefined, undefined])
  t.throws(() => readConfig({ 'kv-memory': 'much' }, {}), {
    code: 'BAD_ARGUMENT',
    param: '--kv-memory',
    message: /--kv-memory: expected a size such as 512MB or 2GiB, got "much"/,
  })
  t.throws(() => readConfig({}, { STEERLM_KV_MEMORY: '-1' }), {
    code: 'BAD_ARGUMENT',
    param: 'STEERLM_KV_MEMORY',
  })
  t.throws(() => readConfig({ speculative: 'draft' }, {}), {
    message: /expected ngram, got "draft"/,
  })
})

t.test('keys are needed where others can reach the server, or when one is set', async (t) => {
  for (const host of ['127.0.0.1', '127.1.2.3', '::1', '[::1]', 'localhost', 'LOCALHOST']) {
    t.equal(needsKeys(readConfig({ host }, {})), false, host)
  }
  for (const host of ['0.0.0.0', '::', '192.168.0.1', '127.evil.example', 'example.org', '::2']) {
    t.equal(needsKeys(readConfig({ host }, {})), true, host)
  }
  t.equal(needsKeys(readConfig({}, { STEERLM_API_KEY: 'a long enough'.repeat(2).replaceAll(' ', '-') })), true) // prettier-ignore
})

t.test('secrets are in no message', async (t) => {
  const env = { DATABASE_URL: 'postgres://me:secret@db/steerlm', STEERLM_API_KEY: 'secret-secret-secret' } // prettier-ignore
  const config = readConfig({}, env)
  t.match(config, { databaseUrl: env.DATABASE_URL, apiKey: env.STEERLM_API_KEY })
  t.notMatch(JSON.stringify(describeConfig(config)), /secret/)
  for (const wrong of [{ DATABASE_URL: 'mysql://secret' }, { STEERLM_API_KEY: 'secret' }]) {
    const [param] = Object.keys(wrong)
    const error = t.throws(() => readConfig({}, wrong), { code: 'BAD_ARGUMENT', param })
    t.notMatch((error as Error).message, /secret/)
  }
})
