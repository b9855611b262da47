/**
 * What guidance, avoided values and choosing among replies do to the bundled model, by its true meters.
 *   npm run measure:steering -- [--prompts 40] [--seed 7] [--url http://127.0.0.1:8080]
 * The server at --url must serve `village` and `village-apm`. Prints one JSON document; intervals are 95 % bootstrap over
 * prompts.
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Message } from '../schemas/records.ts'
import { openModelFolder } from '../src/commands/workplace.ts'
import { generateVillage, meterReply } from '../src/datasets/village/index.ts'
import { mapConcurrently } from '../src/services/evaluation/map-concurrently.ts'
import { createRandom } from '../src/util/random.ts'
import { bootstrapIntervals, mean } from '../src/util/statistics.ts'

const { values: flags } = parseArgs({
  options: {
    prompts: { type: 'string', default: '40' },
    seed: { type: 'string', default: '7' },
    url: { type: 'string', default: 'http://127.0.0.1:8080' },
  },
})
const seed = Number(flags.seed)
const model = fileURLToPath(new URL('../models/village', import.meta.url))
const { tokenizer, template, manifest } = await openModelFolder(model)
const names = manifest.attributes.map(({ name }) => name)
type Name = keyof ReturnType<typeof meterReply>

const prompts = [...generateVillage({ seed: 1, heldoutPrompts: Number(flags.prompts) }).heldoutPrompts].map(({ messages }) => messages.slice(0, messages.findLastIndex(({ role }) => role === 'user') + 1)) // prettier-ignore

async function post<T>(path: string, body: object): Promise<T> {
  const response = await fetch(`${flags.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${path}: ${response.status}: ${await response.text()}`)
  return (await response.json()) as T
}

interface Written {
  text: string
  /** By the attribute model. */
  achieved: Record<string, number>
}

async function write(
  messages: readonly Message[],
  attributes: Record<string, number>,
  steering: object,
  seedOfReply: number,
): Promise<Written> {
  const body = { model: 'village', messages, attributes, steering, temperature: 0.8, seed: seedOfReply } // prettier-ignore
  const answer = await post<{
    choices: { message: { content: string } }[]
    steering: { achieved: Record<string, number> }
  }>('/v1/chat/completions', body)
  return { text: answer.choices[0]!.message.content, achieved: answer.steering.achieved }
}

/** Negative log-likelihood of a reply and its number of tokens, under the model without a label line. */
async function fluency(
  messages: readonly Message[],
  text: string,
): Promise<{ nll: number; tokens: number }> {
  const reply = tokenizer.encode(text, { addSpecialTokens: false })
  const prompt = [...template!.promptTokens([...messages], {}), ...reply]
  const body = { model: 'village', prompt, max_tokens: 0, echo: true, logprobs: 0 }
  const answer = await post<{ choices: { logprobs: { token_logprobs: number[] } }[] }>('/v1/completions', body) // prettier-ignore
  const logprobs = answer.choices[0]!.logprobs.token_logprobs.slice(-reply.length)
  return { nll: -logprobs.reduce((sum, value) => sum + value, 0), tokens: reply.length }
}

const others = (prompt: number, name: string): Record<string, number> => {
  const random = createRandom(seed).fork(`${prompt} ${name}`)
  return Object.fromEntries(names.map((each) => [each, random.int(5)]))
}

/** The range of each slider, and the perplexity of what is written, under one setting of `steering`. */
async function slidersUnder(steering: object) {
  const cells = prompts.flatMap((messages, prompt) =>
    names.flatMap((name) => [0, 4].map((level) => ({ messages, prompt, name, level }))),
  )
  const measured = await mapConcurrently(
    cells,
    async (cell, index) => {
      const wanted = { ...others(cell.prompt, cell.name), [cell.name]: cell.level }
      const { text } = await write(cell.messages, wanted, { ...steering, measure: false }, seed + index) // prettier-ignore
      const meters = meterReply(text)
      const error = mean(names.map((name) => Math.abs(meters[name as Name] - wanted[name]!)))
      return {
        ...cell,
        value: meters[cell.name as Name],
        error,
        ...(await fluency(cell.messages, text)),
      }
    },
    { concurrency: 8 },
  )
  const clusters = prompts.map((_, prompt) => measured.filter((cell) => cell.prompt === prompt))
  return bootstrapIntervals(clusters, (sample) => statistics(sample.flat()), { seed })

  function statistics(cells: typeof measured): Record<string, number> {
    const level = (name: string, wanted: number): number =>
      mean(cells.filter((cell) => cell.name === name && cell.level === wanted).map(({ value }) => value)) // prettier-ignore
    const ranges = names.map((name) => [`range ${name}`, level(name, 4) - level(name, 0)])
    const sum = (key: 'nll' | 'tokens'): number =>
      cells.reduce((total, cell) => total + cell[key], 0)
    return {
      ...Object.fromEntries(ranges),
      error: mean(cells.map(({ error }) => error)),
      perplexity: Math.exp(sum('nll') / sum('tokens')),
    }
  }
}

/** The mean distance to random requests, by both judges. */
async function distancesUnder(steering: object) {
  const measured = await mapConcurrently(
    prompts,
    async (messages, prompt) => {
      const wanted = others(prompt, 'verify')
      const { text, achieved } = await write(messages, wanted, steering, seed + 100 * prompt)
      const meters: Record<string, number> = meterReply(text)
      const from = (judged: Record<string, number>): number =>
        mean(names.map((name) => Math.abs(judged[name]! - wanted[name]!)))
      return { true: from(meters), apm: from(achieved) }
    },
    { concurrency: 2 },
  )
  return bootstrapIntervals(
    measured,
    (sample) => ({
      true: mean(sample.map((one) => one.true)),
      apm: mean(sample.map((one) => one.apm)),
    }),
    { seed },
  )
}

const guidance: Record<string, unknown> = {}
for (const gamma of [1, 1.5, 2, 3]) guidance[gamma] = await slidersUnder({ guidance: gamma })
const verify: Record<string, unknown> = {}
for (const attempts of [1, 2, 4, 8])
  verify[attempts] = await distancesUnder({ verify: { attempts, tolerance: 0 } })
console.log(JSON.stringify({ prompts: prompts.length, seed, guidance, verify }, null, 2))
