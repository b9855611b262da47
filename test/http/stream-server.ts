/** A server on loopback with the letter model, and `ws` clients of it. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { WebSocket, type ClientOptions } from 'ws'
import { buildApp, type AuthParts } from '../../src/app.ts'
import type { SocketLimits } from '../../src/http/stream-socket.ts'
import { letterModel, type LetterModelOptions } from '../services/letter-model.ts'
import { postJson, readFrames } from './client.ts'
import { watchSocket, type TestSocket } from './socket-client.ts'

export const messages = [{ role: 'user' as const, content: 'Hi' }]
export const maxTokens = 60

/** A request that never draws the end of the text. */
export const common = {
  model: 'village',
  messages,
  max_tokens: maxTokens,
  seed: 5,
  temperature: 1,
  logit_bias: { 22: -100 },
}
export const start = (id: string, more: object = {}) => ({ type: 'start', id, ...common, ...more })

export interface ServeOptions extends LetterModelOptions {
  limits?: Partial<SocketLimits>
  auth?: AuthParts
}

export async function serve(t: Test, { limits, auth, ...options }: ServeOptions = {}) {
  const model = letterModel(options)
  t.teardown(() => model.runtime.dispose())
  const app = await buildApp({
    runtimes: [model.runtime],
    bodyLimitBytes: 16_384,
    ...(limits && { socketLimits: limits }),
    ...(auth && { auth }),
  })
  t.teardown(() => app.close())
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  return {
    app,
    model,
    url,
    async open(more: ClientOptions = {}): Promise<TestSocket> {
      const client = watchSocket(t, new WebSocket(`${url.replace('http', 'ws')}/v1/stream`, more))
      await once(client.socket, 'open')
      return client
    },
    /** What the plain answer says. */
    async plain(more: object = {}): Promise<string> {
      const response = await postJson(app, '/v1/chat/completions', { ...common, ...more })
      return response.json().choices[0].message.content
    },
    /** What the server-sent events say. */
    async sse(more: object = {}): Promise<string> {
      const body = { ...common, ...more, stream: true }
      const { payload } = await postJson(app, '/v1/chat/completions', body)
      const chunks = readFrames(payload).slice(0, -1).map((frame) => JSON.parse(frame)) // prettier-ignore
      return chunks.map(({ choices: [choice] }) => choice?.delta.content ?? '').join('')
    },
    /** What must follow `reply`, by definition. */
    rest: (reply: string, attributes: Record<string, number>, more: { seed?: number } = {}) =>
      model.expected({ messages, attributes, seed: 5, maxTokens, reply, ...more }),
  }
}
