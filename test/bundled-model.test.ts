/** The bundled model through the whole server: it steers, it is measured, it is small, it has its card. */
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { ChatCompletion } from '../schemas/chat.ts'
import { readConfig } from '../src/config.ts'
import { generateVillage, villageMeters } from '../src/datasets/village/index.ts'
import { createServer } from '../src/wiring.ts'
import { postJson } from './http/client.ts'

const models = fileURLToPath(new URL('../models/', import.meta.url))
const PROMPTS = 16

/** Held-out prompts of one user message. */
function prompts() {
  const { heldoutPrompts } = generateVillage({ seed: 5, heldoutPrompts: 200 })
  const all = [...heldoutPrompts].map(({ messages }) => messages)
  return all
    .filter((messages) => messages.filter(({ role }) => role === 'user').length === 1)
    .slice(0, PROMPTS)
}

t.test('the bundled models are at most 20 MB with their cards', async (t) => {
  const files = ['village', 'village-apm'].flatMap((name) =>
    readdirSync(join(models, name)).map((file) => join(models, name, file)),
  )
  const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0)
  t.ok(bytes < 20e6, `${bytes} bytes`)
  for (const name of ['village', 'village-apm'])
    t.match(readFileSync(join(models, name, 'README.md'), 'utf8'), /train (pretrain|apm)/)
})

t.test('every slider moves the true value of replies to held-out prompts', async (t) => {
  const server = await createServer(readConfig({ home: t.testdir() }, {}), false)
  t.teardown(() => server.close())
  t.same(server.models.toSorted(), ['village', 'village-apm'])
  const reply = async (
    messages: readonly object[],
    attributes: Record<string, number>,
    seed: number,
  ) => {
    const body = { model: 'village', messages, attributes, seed, temperature: 0.8 }
    const response = await postJson(server.app, '/v1/chat/completions', body)
    return ChatCompletion.parse(response.json())
  }
  for (const [name, meter] of Object.entries(villageMeters)) {
    const measure = async (level: number) => {
      const replies = await Promise.all(
        prompts().map((messages, seed) => reply(messages, { [name]: level }, seed)),
      )
      const texts = replies.map(({ choices }) => choices[0]!.message.content ?? '')
      const meters = texts.map((text) => meter(text))
      const achieved = replies.map(({ steering }) => steering?.achieved?.[name] ?? NaN)
      const mean = (values: number[]) => values.reduce((sum, v) => sum + v, 0) / values.length
      return { true: mean(meters), judged: mean(achieved) }
    }
    const [low, high] = [await measure(0), await measure(4)]
    t.ok(high.true - low.true >= 1, `${name}: true values ${low.true} and ${high.true}`)
    t.ok(high.judged - low.judged >= 1, `${name}: judged ${low.judged} and ${high.judged}`)
  }
})

t.test('the same seed gives the same reply, another seed another', async (t) => {
  const server = await createServer(
    readConfig({ model: ['village'], home: t.testdir() }, {}),
    false,
  )
  t.teardown(() => server.close())
  const ask = async (seed: number) => {
    const messages = [{ role: 'user', content: 'Where is the old bridge, guard?' }]
    const response = await postJson(server.app, '/v1/chat/completions', {
      model: 'village',
      messages,
      seed,
    })
    return ChatCompletion.parse(response.json()).choices[0]!.message.content
  }
  const first = await ask(1)
  t.equal(await ask(1), first)
  t.not(await ask(2), first)
})
