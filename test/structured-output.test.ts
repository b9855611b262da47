/** The bundled model held to schemas through the whole server: every reply is valid, at temperature 1. */
import t from 'tap'
import { ChatCompletion } from '../schemas/chat.ts'
import { readConfig } from '../src/config.ts'
import { createServer } from '../src/wiring.ts'
import { schemaJudge } from './fixtures/json-schema.ts'
import { postJson } from './http/client.ts'

const server = await createServer(readConfig({ model: ['village'], home: t.testdir() }, {}), false)
t.teardown(() => server.close())

/** What a villager does: nested objects, enums, arrays, patterns, ranges, a reference, a choice of shapes. */
const deed = {
  type: 'object',
  properties: {
    mood: { enum: ['calm', 'cheerful', 'grumpy', 'afraid'] },
    line: { type: 'string', minLength: 1, maxLength: 24 },
    offers: {
      type: 'array',
      minItems: 1,
      maxItems: 2,
      items: {
        type: 'object',
        properties: {
          item: { type: 'string', pattern: '^[a-z]{3,10}( [a-z]{3,10})?$' },
          price: { type: 'integer', minimum: 1, maximum: 99 },
          tags: { type: 'array', items: { enum: ['rare', 'old', 'new'] }, uniqueItems: true },
        },
        required: ['item', 'price'],
        additionalProperties: false,
      },
    },
    next: { anyOf: [{ $ref: '#/$defs/walk' }, { $ref: '#/$defs/wait' }, { type: 'null' }] },
  },
  required: ['mood', 'line', 'offers', 'next'],
  additionalProperties: false,
  $defs: {
    walk: {
      type: 'object',
      properties: {
        action: { const: 'walk' },
        to: { type: 'string', format: 'uuid' },
        distance: { type: 'number', minimum: 0, maximum: 12.5 },
      },
      required: ['action', 'to'],
      additionalProperties: false,
    },
    wait: {
      type: 'object',
      properties: { action: { const: 'wait' }, until: { type: 'string', format: 'time' } },
      required: ['action', 'until'],
      additionalProperties: false,
    },
  },
}
const questions = ['What do you sell, smith?', 'Where is the bridge?', 'Run, a wolf!', 'Hello']

const ask = async (seed: number, fields: object) => {
  const body = {
    model: 'village',
    messages: [{ role: 'user', content: questions[seed % questions.length] }],
    attributes: { humor: seed % 5 },
    temperature: 1,
    steering: { measure: false },
    seed,
    ...fields,
  }
  const response = await postJson(server.app, '/v1/chat/completions', body)
  if (response.statusCode !== 200) throw new Error(response.body)
  return ChatCompletion.parse(response.json()).choices[0]!
}

t.test('100 of 100 replies at temperature 1 are valid', async (t) => {
  const judge = schemaJudge(deed)
  const format = { type: 'json_schema', json_schema: { name: 'deed', schema: deed, strict: true } }
  const seeds = Array.from({ length: 100 }, (_, seed) => seed)
  const choices = await Promise.all(
    seeds.map((seed) => ask(seed, { response_format: format, max_tokens: 600 })),
  )
  const texts = choices.map(({ message }) => message.content)
  for (const [i, choice] of choices.entries()) {
    t.equal(choice.finish_reason, 'stop')
    if (!judge(JSON.parse(texts[i]!))) t.fail(`${texts[i]}: ${JSON.stringify(judge.errors)}`)
  }
  const moods = new Set(texts.map((text) => (JSON.parse(text) as { mood: string }).mood))
  t.ok(new Set(texts).size > 95 && moods.size > 2, 'the model still chooses')
})

t.test('a reply that is cut off says so; a steered one keeps its values', async (t) => {
  const format = { type: 'json_object' }
  const choice = await ask(1, { response_format: format, max_tokens: 1 })
  t.equal(choice.finish_reason, 'length')
  t.match(choice.steering?.requested, { humor: 1 })
})

t.test('a pattern and a choice hold the whole reply', async (t) => {
  const { message } = await ask(2, { structured_outputs: { regex: '\\d{3}-[A-F]{2}' } })
  t.match(message.content, /^\d{3}-[A-F]{2}$/)
  const choices = ['go left', 'go right', 'stay']
  const other = await ask(3, { structured_outputs: { choice: choices } })
  t.ok(choices.includes(other.message.content))
})

t.test('what cannot be enforced is refused before anything is written', async (t) => {
  const schema = { type: 'object', properties: { a: { not: {} } } }
  const format = { type: 'json_schema', json_schema: { name: 'x', schema } }
  for (const stream of [true, false]) {
    const body = { model: 'village', messages: [{ role: 'user', content: 'x' }], stream }
    const response = await postJson(server.app, '/v1/chat/completions', { ...body, response_format: format }) // prettier-ignore
    t.equal(response.statusCode, 400)
    t.match(response.json().error, {
      param: 'response_format.json_schema.schema',
      message: /schema \/properties\/a\/not: this keyword cannot be enforced/,
    })
  }
})
