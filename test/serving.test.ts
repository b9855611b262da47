/** The whole of serving: two engine processes, a steered chat, its measurement, the socket. */
import { existsSync } from 'node:fs'
import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { WebSocket } from 'ws'
import { ChatCompletion } from '../schemas/chat.ts'
import { ServerMessage } from '../schemas/stream.ts'
import { readConfig } from '../src/config.ts'
import { attributeSet } from '../src/labels/attribute-sets.ts'
import { writeSafetensors } from '../src/weights/safetensors-writer.ts'
import { createServer } from '../src/wiring.ts'
import { postJson, readFrames } from './http/client.ts'

const stories = new URL('../../shared/data/stories260K/hf/', import.meta.url)
const absent = existsSync(stories) ? false : 'the stories260K checkpoint is not beside the checkout'

const home = t.testdir()
const attributes = attributeSet('village')
const template =
  '{% for m in messages %}{{ m.role }}: {{ m.content }}<s>{% endfor %}' +
  '{% if add_generation_prompt %}assistant: {% endif %}'

/** The stories as a model with a chat template; what it says is no matter here. */
async function addModel(name: string, kind: string): Promise<string> {
  const dir = join(home, 'models', name)
  await cp(stories, dir, { recursive: true, dereference: true })
  const manifest = { kind, name, template: 'chat', attributes }
  await writeFile(join(dir, 'steerlm.json'), JSON.stringify(manifest))
  await writeFile(join(dir, 'chat_template.jinja'), template)
  return dir
}

t.test(
  'a language model and its attribute model in their processes',
  { skip: absent },
  async (t) => {
    await addModel('talker', 'language-model')
    const bias = Float32Array.from([4, 3, 2, 1, 0])
    await writeSafetensors(join(await addModel('judge', 'attribute-model'), 'head.safetensors'), [
      { name: 'weight', dtype: 'F32', shape: [5, 64], data: new Float32Array(5 * 64) },
      { name: 'bias', dtype: 'F32', shape: [5], data: bias },
    ])

    const server = await createServer(readConfig({ model: ['talker'], home }, {}), false)
    t.teardown(() => server.close())
    const { app } = server
    const achieved = { helpfulness: 4, humor: 3, creativity: 2, verbosity: 1, toxicity: 0 }
    const body = { model: 'talker', messages: [{ role: 'user', content: 'Once' }], max_tokens: 12, seed: 3 } // prettier-ignore

    await t.test('the attribute model of a named model is served along', async (t) => {
      t.same(server.models, ['talker', 'judge'])
      t.equal((await app.inject('/v1/attributes?model=talker')).json().attribute_model, 'judge')
    })

    await t.test(
      'a chat is steered by its label line and measured; streams say the same',
      async (t) => {
        const plain = await postJson(app, '/v1/chat/completions', {
          ...body,
          attributes: { humor: 4 },
        })
        const completion = ChatCompletion.parse(plain.json())
        t.match(completion.steering, { requested: { humor: 4 }, achieved })
        t.equal(completion.usage.completion_tokens, 12)
        const streamed = await postJson(app, '/v1/chat/completions', { ...body, attributes: { humor: 4 }, stream: true }) // prettier-ignore
        const chunks = readFrames(streamed.payload).slice(0, -1).map((frame) => JSON.parse(frame)) // prettier-ignore
        const text = chunks.map((chunk) => chunk.choices[0].delta.content ?? '').join('')
        t.equal(text, completion.choices[0]!.message.content)
        t.match(chunks.at(-1).steering, { achieved })
        const first = async (humor: number): Promise<number> => {
          const response = await postJson(app, '/v1/chat/completions', { ...body, logprobs: true, attributes: { humor } }) // prettier-ignore
          return response.json().choices[0].logprobs.content[0].logprob
        }
        t.not(await first(0), await first(4), 'the label line is in the prompt')
      },
    )

    await t.test(
      'a conversation too long for the context is a 400 with both numbers',
      async (t) => {
        const messages = [{ role: 'user', content: 'Once upon a time. '.repeat(200) }]
        const response = await postJson(app, '/v1/chat/completions', { ...body, messages })
        t.match(response.json().error, {
          code: 'context_length_exceeded',
          message: /has \d{4} tokens, the context holds 512/,
          param: 'messages',
        })
      },
    )

    await t.test('the socket streams from the engine process and cancels there', async (t) => {
      const socket: WebSocket = await app.injectWS('/v1/stream')
      const ended: ServerMessage[] = []
      const both = new Promise<void>((resolve) => {
        socket.on('message', (data: Buffer) => {
          const message = ServerMessage.parse(JSON.parse(data.toString()))
          if (message.type === 'delta' && message.id === 'long') {
            socket.send(JSON.stringify({ type: 'cancel', id: 'long' }))
          }
          if (message.type === 'done' && ended.push(message) === 2) resolve()
        })
      })
      const { model, messages } = body
      socket.send(JSON.stringify({ type: 'start', id: 'short', model, messages, max_tokens: 3 }))
      socket.send(JSON.stringify({ type: 'start', id: 'long', model, messages, ignore_eos: true }))
      await both
      socket.terminate()
      t.match(ended.find((message) => 'id' in message && message.id === 'short'), { finish_reason: 'length', achieved }) // prettier-ignore
      t.match(ended.find((message) => 'id' in message && message.id === 'long'), { finish_reason: 'cancelled' }) // prettier-ignore
    })
  },
)
