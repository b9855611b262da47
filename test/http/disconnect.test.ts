/** From a closed socket to a quiet engine, through the engine process; and what a full queue says. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { createEngineClient } from '../../src/services/engine-client.ts'
import { postJson } from './client.ts'

const entry = new URL('../services/stepping-engine-process.ts', import.meta.url)
const body = {
  model: 'village',
  messages: [{ role: 'user', content: 'hello' }],
  max_tokens: 150,
  ignore_eos: true,
  steering: { measure: false },
}

async function serve(t: Test) {
  const engine = await createEngineClient({ dir: 'any', entry })
  t.teardown(() => engine.dispose())
  const app = await buildApp({ runtimes: [engine] })
  t.teardown(() => app.close())
  const closed: (() => void)[] = []
  app.addHook('onRequest', async (_request, reply) => {
    reply.raw.once('close', () => closed.shift()?.())
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  return {
    app,
    steps: () => engine.countTokens({ text: '' }),
    nextClose: () => new Promise<void>((resolve) => closed.push(resolve)),
    /** A request whose socket can be closed; `texts` counts pieces that came. */
    open(payload: object): http.ClientRequest {
      const headers = { 'content-type': 'application/json' }
      const path = '/v1/chat/completions'
      const request = http.request({ port, path, method: 'POST', headers })
      request.on('error', () => {})
      request.end(JSON.stringify(payload))
      return request
    },
  }
}

for (const stream of [true, false]) {
  t.test(`the engine stops within a step of a closed socket, stream: ${stream}`, async (t) => {
    const { steps, nextClose, open } = await serve(t)
    const closing = nextClose()
    const request = open({ ...body, stream })
    while ((await steps()) < 3) await sleep(10)
    request.destroy()
    await closing
    await new Promise(setImmediate)
    const begun = await steps()
    t.ok(begun < 12, `${begun} steps of 150 had begun`)
    await sleep(300)
    // The reply so far is computed again as a prompt, in one piece.
    t.ok((await steps()) <= begun + 1, `${begun} before, ${await steps()} after`)
  })
}

t.test(
  'a client that leaves gives up its place in the queue; the next is told when to come',
  async (t) => {
    const { app, steps, nextClose, open } = await serve(t)
    const running = open({ ...body, stream: true })
    while ((await steps()) < 2) await sleep(10)
    const waiting = open({ ...body, stream: true })
    await sleep(100)
    const short = { ...body, max_tokens: 1 }
    const refused = await postJson(app, '/v1/chat/completions', short)
    t.equal(refused.statusCode, 429)
    t.match(refused.headers['retry-after'], /^[1-9]\d*$/)
    t.match(refused.json().error, {
      code: 'queue_full',
      type: 'rate_limit_error',
      message: /1 requests wait for a slot, the limit is 1; try again in \d+ s/,
    })
    const closing = [nextClose()]
    waiting.destroy()
    await closing[0]
    await new Promise(setImmediate)
    const next = postJson(app, '/v1/chat/completions', short)
    await sleep(50)
    running.destroy()
    t.equal((await next).statusCode, 200)
  },
)
