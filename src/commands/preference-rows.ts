/**
 * A stored data set as comparisons for a Bradley–Terry loss: the replies to one prompt with all their pairs, which are
 * one element of a batch, because pairs of one prompt spread over an epoch over-fit (2203.02155 §3.5).
 */
import type { Message } from '../../schemas/records.ts'
import type { Dataset } from '../datasets/dataset-store.ts'
import { promptKey } from '../datasets/prompt-key.ts'
import type { PromptTemplate } from '../datasets/prompt-template.ts'
import { fail } from '../errors.ts'
import type { RankedPair, RankedRow } from '../training/feeds.ts'

/** HelpSteer2-Preference (2410.01257 §3.1): what the strength m of a preference does to −log σ(r_chosen − r_rejected). */
export const pairLosses = ['bt', 'bt-margin', 'bt-scaled'] as const
export type PairLoss = (typeof pairLosses)[number]

/** Replies to one prompt; a pair's preference is the difference of its scores. */
interface Compared {
  readonly prompt: readonly Message[]
  readonly replies: { readonly content: string; readonly score: number }[]
}

/**
 * The pairs of replies with different scores: `bt` −log σ(Δ), `bt-margin` −log σ(Δ − m), `bt-scaled` −m·log σ(Δ).
 * A prompt's pairs weigh 1 together (before scaling). Ties say nothing and are no pairs.
 */
export function rankedPairs(scores: readonly number[], loss: PairLoss): RankedPair[] {
  const pairs = scores.flatMap((score, chosen) =>
    scores.flatMap((other, rejected) => (score > other ? [{ chosen, rejected }] : [])),
  )
  return pairs.map(({ chosen, rejected }) => {
    const strength = scores[chosen]! - scores[rejected]!
    const margin = loss === 'bt-margin' ? strength : 0
    const weight = (loss === 'bt-scaled' ? strength : 1) / pairs.length
    return { chosen, rejected, margin, weight }
  })
}

/**
 * A set of preferences as scores: by rank, so that those of the best and the worst differ by the strength, or without one
 * by the number of ranks between them.
 */
async function rankedReplies(dataset: Dataset): Promise<Compared[]> {
  const compared: Compared[] = []
  for await (const { messages: prompt, replies, strength } of dataset.preferences()) {
    const ranks = replies.map(({ rank }) => rank)
    const [best, worst] = [Math.min(...ranks), Math.max(...ranks)]
    const unit = strength === undefined || worst === best ? 1 : strength / (worst - best)
    const scored = replies.map(({ content, rank }) => ({ content, score: (worst - rank) * unit }))
    compared.push({ prompt, replies: scored })
  }
  return compared
}

/** Replies to the same prompt that are rated for `attribute`, in order of their prompts. */
async function ratedReplies(dataset: Dataset, attribute: string): Promise<Compared[]> {
  const groups = new Map<string, Compared>()
  for await (const { messages } of dataset.conversations()) {
    const reply = messages.at(-1)!
    const score = reply.attributes?.[attribute]
    if (reply.role !== 'assistant' || score === undefined) continue
    const prompt = messages.slice(0, -1).map(({ role, content }) => ({ role, content }))
    const key = JSON.stringify(prompt)
    const group: Compared = groups.get(key) ?? { prompt, replies: [] }
    groups.set(key, group)
    group.replies.push({ content: reply.content, score })
  }
  return [...groups.values()]
}

export interface RankingOptions {
  /** In conversations: the attribute whose values are compared; preferences need none. */
  readonly attribute: string
  readonly loss: PairLoss
}

/** One row a prompt that has a pair. Throws BAD_RECORD where none has. */
export async function rankedRows(
  dataset: Dataset,
  template: PromptTemplate,
  { attribute, loss }: RankingOptions,
): Promise<(RankedRow & { readonly prompt: string })[]> {
  const isRanked = dataset.manifest.kind === 'preferences'
  const compared = isRanked ? await rankedReplies(dataset) : await ratedReplies(dataset, attribute)
  const rows = compared.flatMap(({ prompt, replies }) => {
    const pairs = rankedPairs(
      replies.map(({ score }) => score),
      loss,
    )
    if (pairs.length === 0) return []
    const conversations = replies.map(({ content }) =>
      template.scoringTokens([...prompt, { role: 'assistant', content }]),
    )
    return [{ replies: conversations, pairs, prompt: promptKey(prompt) }]
  })
  if (rows.length === 0) {
    const differing = isRanked ? 'different ranks' : `different values of ${attribute}`
    fail(
      'BAD_RECORD',
      `"${dataset.manifest.name}" has no two replies to a prompt with ${differing}`,
    )
  }
  return rows
}
