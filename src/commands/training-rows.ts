/** A stored data set as the rows of one training: tokens with masks, or tokens with labels. */
import type { AttributeSet } from '../../schemas/attributes.ts'
import type { ConversationRecord, Message } from '../../schemas/records.ts'
import type { Dataset } from '../datasets/dataset-store.ts'
import type { PromptTemplate } from '../datasets/prompt-template.ts'
import { promptKey } from '../datasets/prompt-key.ts'
import { levelOf } from '../labels/label-codec.ts'
import type { ScoredRow, TokenRow } from '../training/feeds.ts'
import { createRandom } from '../util/random.ts'

export interface RowSplit<Row> {
  readonly train: Row[]
  readonly validation: Row[]
}

/** The last `share` of a seeded shuffle; rows keep their order within each part. */
export function splitRows<Row>(rows: readonly Row[], share: number, seed: number): RowSplit<Row> {
  const held = Math.floor(rows.length * share)
  const order = createRandom(seed)
    .fork('validation')
    .shuffle(rows.map((_, i) => i))
  const validation = new Set(order.slice(rows.length - held))
  return {
    train: rows.filter((_, i) => !validation.has(i)),
    validation: rows.filter((_, i) => validation.has(i)),
  }
}

/** The same by prompt: replies to one prompt are all trained on or all held back, about `share` of the rows. */
export function splitByPrompt<Row extends { readonly prompt: string }>(
  rows: readonly Row[],
  share: number,
  seed: number,
): RowSplit<Row> {
  const prompts = [...new Set(rows.map(({ prompt }) => prompt))]
  const held = new Set(splitRows(prompts, share, seed).validation)
  return {
    train: rows.filter(({ prompt }) => !held.has(prompt)),
    validation: rows.filter(({ prompt }) => held.has(prompt)),
  }
}

/** Raw rows as they come: `first_loss_token` and what follows count. */
export async function rawRows(dataset: Dataset): Promise<TokenRow[]> {
  const rows: TokenRow[] = []
  for await (const { tokens, first_loss_token } of dataset.tokenRows()) {
    const lossMask = Uint8Array.from(tokens, (_, j) => Number(j >= first_loss_token))
    rows.push({ tokens, lossMask })
  }
  return rows
}

const unlabelled = ({ messages }: ConversationRecord) =>
  messages.map(({ role, content }) => ({ role, content }))

/** A row and what a split must not part: see `promptKey`. */
type WithPrompt<Row> = Row & { readonly prompt: string }

/** Whole conversations without labels; every token counts. */
export async function pretrainRows(
  dataset: Dataset,
  template: PromptTemplate,
): Promise<WithPrompt<TokenRow>[]> {
  const rows: WithPrompt<TokenRow>[] = []
  for await (const record of dataset.conversations()) {
    const { tokens } = template.trainingRow(unlabelled(record))
    const lossMask = new Uint8Array(tokens.length).fill(1)
    rows.push({ tokens, lossMask, prompt: promptKey(record.messages) })
  }
  return rows
}

/**
 * Conversations with their label lines; replies and ends of turns count. A label line is left out
 * with probability `labelDropout`, so that the model also knows the unlabelled reply.
 */
export async function conditionedRows(
  dataset: Dataset,
  template: PromptTemplate,
  options: { readonly labelDropout: number; readonly seed: number },
): Promise<WithPrompt<TokenRow>[]> {
  const random = createRandom(options.seed).fork('label dropout')
  const rows: WithPrompt<TokenRow>[] = []
  for await (const record of dataset.conversations()) {
    const labelDropout = () => random.next() < options.labelDropout
    const row = template.trainingRow(record.messages, { labelDropout })
    rows.push({ ...row, prompt: promptKey(record.messages) })
  }
  return rows
}

export type RatedRow = WithPrompt<ScoredRow>

export interface LabelWeights {
  /** One an attribute. */
  readonly weights?: readonly number[]
  /** A value counts once for every rater whose value is in `ratings`. */
  readonly perRater?: boolean
}

/** One row for every rated reply: the conversation up to it and its values, NaN where unrated. */
export async function ratedRows(
  dataset: Dataset,
  template: PromptTemplate,
  attributes: AttributeSet,
  { weights, perRater = false }: LabelWeights = {},
): Promise<RatedRow[]> {
  const rows: RatedRow[] = []
  const weightsOf = ({ ratings = {} }: Message) =>
    attributes.map(({ name }, a) => {
      const raters = perRater ? Math.max(1, ratings[name]?.length ?? 1) : 1
      return (weights?.[a] ?? 1) * raters
    })
  for await (const { messages } of dataset.conversations()) {
    const prompt = promptKey(messages)
    messages.forEach((message, i) => {
      const values = message.attributes ?? {}
      const labels = attributes.map(({ name }) => values[name] ?? NaN)
      const weighed = weights || perRater ? { weights: weightsOf(message) } : {}
      const counts = (label: number, a: number) => !Number.isNaN(label) && weights?.[a] !== 0
      if (message.role !== 'assistant' || !labels.some(counts)) return
      rows.push({
        tokens: template.scoringTokens(messages.slice(0, i + 1)),
        labels,
        prompt,
        ...weighed,
      })
    })
  }
  return rows
}

/** Mean of the known labels of each attribute. */
export function labelMeans(rows: readonly ScoredRow[], attributes: AttributeSet): number[] {
  return attributes.map((_, a) => {
    const known = rows.map(({ labels }) => labels[a]!).filter((value) => !Number.isNaN(value))
    return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : 0
  })
}

/** Label combinations of the data set's replies, as levels, most frequent first. */
export async function seenCombinations(
  dataset: Dataset,
  attributes: AttributeSet,
): Promise<{ values: number[]; count: number }[]> {
  const counts = new Map<string, number>()
  for await (const { messages } of dataset.conversations()) {
    for (const { attributes: values } of messages) {
      if (!values || attributes.some(({ name }) => values[name] === undefined)) continue
      const key = attributes.map((spec) => levelOf(spec, values[spec.name]!)).join()
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
  }
  return [...counts]
    .map(([key, count]) => ({ values: key.split(',').map(Number), count }))
    .sort((a, b) => b.count - a.count)
}
