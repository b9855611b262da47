/** The steering evaluation: generates the grid of replies, lets every judge measure them, reports. */
import type { AttributeSet } from '../../../schemas/attributes.ts'
import type { Message } from '../../../schemas/records.ts'
import type { SteeringReport, SteeringSample } from '../../../schemas/steering-report.ts'
import { fail } from '../../errors.ts'
import { createRandom } from '../../util/random.ts'
import { mean } from '../../util/statistics.ts'
import { mapConcurrently } from './map-concurrently.ts'
import type { Measured } from './measured.ts'
import { askInWords, combinationKey, steeringGrid, type Cell } from './steering-grid.ts'
import { judgeReport } from './steering-metrics.ts'

export interface ReplyRequest {
  /** Counts the replies of the evaluation. */
  readonly index: number
  readonly messages: readonly Message[]
  /** Empty: no label line. */
  readonly attributes: Record<string, number>
  readonly temperature: number
  readonly seed: number
}

export interface GeneratedReply {
  readonly text: string
  /** False where a limit cut the reply off before the model ended it. */
  readonly finished: boolean
}

/** Measures whole conversations that end with the reply; values by attribute, in order. */
export type Judge = (inputs: readonly Message[][]) => Promise<Record<string, number>[]>

export interface SteeringOptions {
  readonly model: string
  readonly apm: string | null
  /** A text alone is a reply that ended by itself. */
  readonly generate: (
    request: ReplyRequest,
    signal?: AbortSignal,
  ) => Promise<GeneratedReply | string>
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
  /** Label combinations seen in training, values in the order of the attributes. */
  readonly combinations?: readonly { readonly values: readonly number[] }[]
  readonly bootstrapRounds?: number
  readonly onProgress?: (done: number, total: number) => void
  readonly signal?: AbortSignal
}

const UNSEEN_EXAMPLES = 10
const words = (text: string) => text.split(/\s+/).filter(Boolean).length

function checkOptions({ prompts, attributes, levels, judges }: SteeringOptions): void {
  if (prompts.length === 0) fail('BAD_ARGUMENT', 'steering: expected prompts, got none')
  if (attributes.length === 0) fail('BAD_ARGUMENT', 'steering: the model has no attributes')
  if (Object.keys(judges).length === 0) fail('BAD_ARGUMENT', 'steering: expected a judge, got none')
  for (const { name, min, max } of attributes) {
    const outside = levels.find((level) => level < min || level > max)
    if (outside !== undefined)
      fail('BAD_ARGUMENT', `levels: ${name} goes from ${min} to ${max}, got ${outside}`, {
        param: 'levels',
      })
  }
}

/** Lets a judge measure; fails where it says nothing of an attribute that is steered. */
async function measure(
  [name, judge]: readonly [string, Judge],
  inputs: readonly Message[][],
  attributes: AttributeSet,
): Promise<Record<string, number>[]> {
  const values = await judge(inputs)
  const missing = attributes.find((spec) => typeof values[0]?.[spec.name] !== 'number')
  if (missing)
    fail(
      'BAD_ARGUMENT',
      `the judge "${name}" gives no value for "${missing.name}", which the model is steered by`,
    )
  return values
}

/** Replies to cells and the conversations that judges read. */
interface Replies {
  readonly cells: readonly Cell[]
  readonly replies: readonly GeneratedReply[]
  readonly conversations: readonly Message[][]
}

function conversationsOf(
  cells: readonly Cell[],
  replies: readonly GeneratedReply[],
  prompts: readonly Message[][],
): Message[][] {
  return cells.map(({ prompt }, i) => [
    ...prompts[prompt]!,
    { role: 'assistant', content: replies[i]!.text },
  ])
}

/** Generates the grid, then the same grid of some prompts with the requests in words. */
async function generateReplies(
  options: SteeringOptions,
): Promise<{ steered: Replies; asked: Replies }> {
  const { attributes, levels, prompts, temperature, others, seed, signal, concurrency } = options
  const grid = (count: number) => steeringGrid({ prompts: count, attributes, levels, others, seed })
  const cells = grid(prompts.length)
  const askedCells = grid(Math.min(options.promptOnly, prompts.length))
  const total = cells.length + askedCells.length
  let done = 0
  const replyTo = async (request: Omit<ReplyRequest, 'temperature'>): Promise<GeneratedReply> => {
    const reply = await options.generate({ ...request, temperature }, signal)
    options.onProgress?.(++done, total)
    return typeof reply === 'string' ? { text: reply, finished: true } : reply
  }
  const steer = ({ prompt, requested, seed }: Cell, index: number) =>
    replyTo({ index, messages: prompts[prompt]!, attributes: { ...requested }, seed })
  const ask = ({ prompt, requested, seed }: Cell, index: number) =>
    replyTo({
      index: cells.length + index,
      messages: askInWords(prompts[prompt]!, requested, attributes),
      attributes: {},
      seed,
    })
  // A judge that does not fit the model is found before hours of generating.
  const first = await steer(cells[0]!, 0)
  for (const judge of Object.entries(options.judges))
    await measure(judge, conversationsOf(cells.slice(0, 1), [first], prompts), attributes)
  const limits = { concurrency, signal }
  const replies = [
    first,
    ...(await mapConcurrently(cells.slice(1), (cell, i) => steer(cell, i + 1), limits)),
  ]
  const askedReplies = await mapConcurrently(askedCells, ask, limits)
  const together = (of: readonly Cell[], replies: readonly GeneratedReply[]): Replies => {
    return { cells: of, replies, conversations: conversationsOf(of, replies, prompts) }
  }
  return { steered: together(cells, replies), asked: together(askedCells, askedReplies) }
}

function combinationsReport(
  cells: readonly Cell[],
  attributes: AttributeSet,
  seen: ReadonlySet<string> | undefined,
): SteeringReport['combinations'] {
  if (!seen) return null
  const requested = new Map(cells.map((cell) => [combinationKey(cell, attributes), cell]))
  const unseen = [...requested].filter(([key]) => !seen.has(key)).map(([, cell]) => cell)
  return {
    requested: requested.size,
    unseen: unseen.length,
    examples: unseen
      .slice(0, UNSEEN_EXAMPLES)
      .map((cell) => attributes.map(({ name }) => cell.requested[name]!)),
  }
}

function replyWords({ cells, replies }: Replies, { attributes, levels }: SteeringOptions) {
  const atLevel = (varied: number, level: number) =>
    replies.filter((_, i) => cells[i]!.varied === varied && cells[i]!.level === level)
  return Object.fromEntries(
    attributes.map(({ name }, varied) => [
      name,
      levels.map((level) => {
        return { level, words: mean(atLevel(varied, level).map(({ text }) => words(text))) }
      }),
    ]),
  )
}

/** Replies at both ends of every slider, for the reader of the report. */
function extremes({ cells, replies }: Replies, options: SteeringOptions): SteeringSample[] {
  const ends = [options.levels[0]!, options.levels.at(-1)!]
  const random = createRandom(options.seed).fork('samples')
  const chosen = options.attributes.map(() => random.int(options.prompts.length))
  return cells.flatMap((cell, i) => {
    if (!ends.includes(cell.level) || cell.prompt !== chosen[cell.varied]) return []
    return {
      attribute: options.attributes[cell.varied]!.name,
      level: cell.level,
      prompt: options.prompts[cell.prompt]!.at(-1)!.content,
      reply: replies[i]!.text,
    }
  })
}

/** Fails BAD_ARGUMENT where prompts, levels, judges and attributes do not fit together. */
export async function evaluateSteering(options: SteeringOptions): Promise<SteeringReport> {
  checkOptions(options)
  const { attributes, levels, seed, bootstrapRounds: rounds = 1000 } = options
  const { steered, asked } = await generateReplies(options)
  const seen = options.combinations && new Set(options.combinations.map((c) => c.values.join()))
  const judges: SteeringReport['judges'] = {}
  for (const judge of Object.entries(options.judges)) {
    const measured = async ({ cells, conversations }: Replies): Promise<Measured[]> => {
      const values = await measure(judge, conversations, attributes)
      return cells.map((cell, i) => ({ cell, achieved: values[i]! }))
    }
    const baseline = asked.cells.length > 0 ? await measured(asked) : null
    judges[judge[0]] = judgeReport(await measured(steered), baseline, {
      ...{ attributes, levels, seed, rounds, seen },
    })
  }
  const texts = steered.replies.map(({ text }) => text)
  return {
    settings: {
      model: options.model,
      apm: options.apm,
      prompts: options.prompts.length,
      attributes: attributes.map(({ name }) => name),
      levels: [...levels],
      temperature: options.temperature,
      others: options.others,
      seed,
      promptOnlyPrompts: new Set(asked.cells.map(({ prompt }) => prompt)).size,
      bootstrapRounds: rounds,
      createdAt: new Date().toISOString(),
    },
    replies: texts.length,
    unfinishedReplies: steered.replies.filter(({ finished }) => !finished).length,
    meanReplyWords: mean(texts.map(words)),
    replyWords: replyWords(steered, options),
    combinations: combinationsReport(steered.cells, attributes, seen),
    judges,
    samples: extremes(steered, options),
  }
}
