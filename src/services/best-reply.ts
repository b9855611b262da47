/**
 * The best of several replies: they are written side by side, scored as they finish, several in one call where several
 * have finished, and compared in the order of their numbers. So which one is given depends on the replies alone, never on
 * how fast they were written: the first that is close enough, else the nearest of all.
 */
import { fail } from '../errors.ts'
import type { Choice, Verification } from './generation-types.ts'

type Values = Record<string, number>

export interface BestReplyOptions extends Verification {
  requested: Values
  /** Replies under way at a time. */
  atOnce: number
  /** Writes one reply; `onTokens` hears of its tokens as they come. */
  write(attempt: number, signal: AbortSignal, onTokens: (count: number) => void): Promise<Choice>
  /** The values of replies, in order. */
  score(replies: readonly Choice[], signal: AbortSignal): Promise<Values[]>
}

export interface Candidate {
  achieved: Values
  /** Mean over the attributes, in levels. */
  distance: number
}

export interface BestReply {
  reply: Choice
  achieved: Values
  distance: number
  /** Those that were compared; fewer than were asked for when one was close enough. */
  candidates: Candidate[]
  /** Of all replies, those that were cut off too. */
  completionTokens: number
}

interface Scored extends Candidate {
  reply: Choice
  /** Whether every attribute is within the tolerance. */
  isClose: boolean
}

/** Fails as soon as a reply or its scoring fails. Nothing is under way any more when it returns. */
export async function bestReply(options: BestReplyOptions, outer: AbortSignal): Promise<BestReply> {
  const { attempts, tolerance, requested, atOnce } = options
  const aborts = Array.from({ length: attempts }, () => new AbortController())
  const scored: (Scored | undefined)[] = []
  const waiting: { attempt: number; reply: Choice }[] = []
  /** Later ones can no longer be chosen. */
  let last = attempts - 1
  let begun = 0
  let completionTokens = 0
  let scoring = Promise.resolve()

  const scoreWaiting = async (): Promise<void> => {
    const batch = waiting.splice(0).filter(({ attempt }) => attempt <= last)
    if (batch.length === 0) return
    const values = await options.score(batch.map(({ reply }) => reply), outer) // prettier-ignore
    batch.forEach(({ attempt, reply }, i) => {
      const { mean, largest } = distances(requested, values[i]!)
      const isClose = largest <= tolerance
      scored[attempt] = { reply, achieved: values[i]!, distance: mean, isClose }
      if (isClose) last = Math.min(last, attempt)
    })
    aborts.slice(last + 1).forEach((abort) => abort.abort())
  }

  const writeSome = async (): Promise<void> => {
    while (begun <= last) {
      const attempt = begun++
      const signal = AbortSignal.any([outer, aborts[attempt]!.signal])
      try {
        const reply = await options.write(attempt, signal, (count) => (completionTokens += count))
        waiting.push({ attempt, reply })
      } catch (error) {
        if (attempt <= last || outer.aborted) throw error
      }
      await (scoring = scoring.then(scoreWaiting))
    }
  }

  try {
    await Promise.all(Array.from({ length: Math.min(atOnce, attempts) }, writeSome))
  } finally {
    aborts.forEach((abort) => abort.abort())
  }
  const compared = scored.slice(0, last + 1).map((one) => one ?? fail('INTERNAL', 'internal: a reply has no score')) // prettier-ignore
  const best = compared.at(-1)!.isClose ? compared.at(-1)! : nearest(compared)
  const candidates = compared.map(({ achieved, distance }) => ({ achieved, distance }))
  return { ...best, candidates, completionTokens }
}

/** The first among equals. */
const nearest = (scored: readonly Scored[]): Scored =>
  scored.reduce((best, one) => (one.distance < best.distance ? one : best))

/** Between requested and achieved, in levels. */
export function distances(requested: Values, achieved: Values): { mean: number; largest: number } {
  const gaps = Object.entries(requested).map(([name, wanted]) =>
    Math.abs((achieved[name] ?? Infinity) - wanted),
  )
  const sum = gaps.reduce((total, gap) => total + gap, 0)
  return { mean: sum / gaps.length, largest: Math.max(...gaps) }
}
