import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import t from 'tap'
import { readConfig } from '../src/config.ts'

t.test('the defaults listen on loopback and keep data in the home folder', async (t) => {
  const config = readConfig({}, {})
  t.match(config, { host: '127.0.0.1', port: 8080, device: 'cpu', models: [] })
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
  t.throws(() => readConfig({ device: 'cuda' }, {}), {
    code: 'BAD_ARGUMENT',
    message: /--device: expected cpu; webgpu and cuda are not supported yet, got "cuda"/,
  })
})
