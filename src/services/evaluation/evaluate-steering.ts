/** The steering evaluation: generates the grid of replies, lets every judge measure them, reports. */
import type { AttributeSet } from '../../../schemas/attributes.ts'
import type { Message } from '../../../schemas/records.ts'
import type { SteeringReport } from '../../../schemas/steering-report.ts'
import { createRandom } from '../../util/random.ts'
import { mean } from '../../util/statistics.ts'
import { askInWords, steeringGrid, type Cell } from './steering-grid.ts'
import { judgeReport, type Measured } from './steering-metrics.ts'

export interface ReplyRequest {
  readonly messages: readonly Message[]
  /** Empty: no label line. */
  readonly attributes: Readonly<Record<string, number>>
  readonly temperature: number
  readonly seed: number
}

/** Measures whole conversations that end with the reply; values by attribute, in order. */
export type Judge = (inputs: readonly Message[][]) => Promise<Record<string, number>[]>

export interface SteeringOptions {
  readonly model: string
  readonly apm: string | null
  readonly generate: (request: ReplyRequest, signal?: AbortSignal) => Promise<string>
  readonly judges: Readonly<Record<string, Judge>>
  readonly prompts: readonly Message[][]
  readonly attributes: AttributeSet
  readonly levels: readonly number[]
  readonly temperature: number
  readonly others: 'random' | 'default'
  readonly seed: number
  /** Replies in flight. */
  readonly concurrency: number
  /** Prompts of the prompt-only baseline; 0 leaves it out. */
  readonly promptOnly: number
  readonly combinations?: readonly { readonly values: readonly number[] }[]
  readonly onProgress?: (done: number, total: number) => void
  readonly signal?: AbortSignal
}

/** Runs `work` over the items, `concurrency` at a time, keeping their order. */
async function mapConcurrently<T, R>(
  items: readonly T[],
  concurrency: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = Array.from<R>({ length: items.length })
  const waiting = items.entries()
  const worker = async () => {
    for (const [i, item] of waiting) results[i] = await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, worker))
  return results
}

function unseen(cells: readonly Cell[], options: SteeringOptions): number | null {
  if (!options.combinations) return null
  const seen = new Set(options.combinations.map(({ values }) => values.join()))
  const asked = cells.map(({ requested }) =>
    options.attributes.map(({ name }) => requested[name]).join(),
  )
  return new Set(asked.filter((key) => !seen.has(key))).size
}

/** Replies at both ends of every slider, for the reader of the report. */
function extremes(cells: readonly Cell[], replies: readonly string[], options: SteeringOptions) {
  const ends = [options.levels[0]!, options.levels.at(-1)!]
  const random = createRandom(options.seed).fork('samples')
  const chosen = options.attributes.map(() => random.int(options.prompts.length))
  return cells.flatMap((cell, i) => {
    if (!ends.includes(cell.level) || cell.prompt !== chosen[cell.varied]) return []
    return {
      attribute: options.attributes[cell.varied]!.name,
      level: cell.level,
      prompt: options.prompts[cell.prompt]!.at(-1)!.content,
      reply: replies[i]!,
    }
  })
}

const words = (text: string) => text.split(/\s+/).filter(Boolean).length

export async function evaluateSteering(options: SteeringOptions): Promise<SteeringReport> {
  const { attributes, levels, prompts, temperature, others, seed, signal } = options
  const grid = (count: number) => steeringGrid({ prompts: count, attributes, levels, others, seed })
  const cells = grid(prompts.length)
  const askedCells = grid(Math.min(options.promptOnly, prompts.length))
  const total = cells.length + askedCells.length
  let done = 0
  const replyTo = async (request: Omit<ReplyRequest, 'temperature'>) => {
    const reply = await options.generate({ ...request, temperature }, signal)
    options.onProgress?.(++done, total)
    return reply
  }
  const replies = await mapConcurrently(cells, options.concurrency, (cell) =>
    replyTo({ messages: prompts[cell.prompt]!, attributes: cell.requested, seed: cell.seed }),
  )
  const askedReplies = await mapConcurrently(askedCells, options.concurrency, (cell) => {
    const messages = askInWords(prompts[cell.prompt]!, cell.requested)
    return replyTo({ messages, attributes: {}, seed: cell.seed })
  })
  const conversations = (of: readonly Cell[], texts: readonly string[]): Message[][] =>
    of.map(({ prompt }, i) => [...prompts[prompt]!, { role: 'assistant', content: texts[i]! }])
  const judges: SteeringReport['judges'] = {}
  for (const [name, judge] of Object.entries(options.judges)) {
    const measure = async (of: readonly Cell[], texts: readonly string[]): Promise<Measured[]> => {
      const values = await judge(conversations(of, texts))
      return of.map((cell, i) => ({ cell, achieved: values[i]! }))
    }
    const asked = askedCells.length ? await measure(askedCells, askedReplies) : null
    judges[name] = judgeReport(await measure(cells, replies), asked, { attributes, levels, seed })
  }
  return {
    settings: {
      model: options.model,
      apm: options.apm,
      prompts: prompts.length,
      attributes: attributes.map(({ name }) => name),
      levels: [...levels],
      temperature,
      others,
      seed,
      createdAt: new Date().toISOString(),
    },
    replies: cells.length,
    meanReplyWords: mean(replies.map(words)),
    unseenCombinations: unseen(cells, options),
    judges,
    samples: extremes(cells, replies, options),
  }
}
