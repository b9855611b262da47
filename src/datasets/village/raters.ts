/**
 * Simulated raters: rating = clamp(round(truth + the rater's bias + noise)), three of a pool of twelve
 * per message. Now and then a rater disagrees wildly, leaves an attribute out, or all three do.
 */
import type { Random } from '../../util/random.ts'
import type { Levels, VillageAttribute } from './levels.ts'
import { villageAttributes } from './levels.ts'

export interface RaterOptions {
  readonly pool: number
  readonly perMessage: number
  readonly biasSd: number
  readonly noiseSd: number
  /** Share of ratings drawn uniformly from 0–4, whatever the truth. */
  readonly wildShare: number
  /** Share of single ratings left out. */
  readonly gapShare: number
  /** Share of a message's attributes that nobody rates. */
  readonly blankShare: number
}

export const defaultRaters: RaterOptions = {
  pool: 12,
  perMessage: 3,
  biasSd: 0.3,
  noiseSd: 0.5,
  wildShare: 0.03,
  gapShare: 0.06,
  blankShare: 0.03,
}

export interface Rated {
  readonly ratings: Record<string, number[]>
  /** Means over the raters who answered; an attribute that nobody rated is absent. */
  readonly attributes: Record<string, number>
}

/** Rates the true levels of a message. The pool's biases come from `random`'s seed, fixed at creation. */
export function createRaters(random: Random, options: RaterOptions = defaultRaters) {
  const biasRandom = random.fork('bias')
  const biases = Array.from({ length: options.pool }, () => drawBiases(biasRandom, options.biasSd))

  return function rate(truth: Levels, draw: Random): Rated {
    const panel = draw.shuffle(biases.map((_, index) => index)).slice(0, options.perMessage)
    const ratings: Record<string, number[]> = {}
    const attributes: Record<string, number> = {}
    for (const attribute of villageAttributes) {
      const values = rateAttribute(attribute, panel, draw)
      if (values.length === 0) continue
      ratings[attribute] = values
      attributes[attribute] = values.reduce((sum, value) => sum + value, 0) / values.length
    }
    return { ratings, attributes }

    function rateAttribute(attribute: VillageAttribute, raters: number[], r: Random): number[] {
      if (r.next() < options.blankShare) return []
      const values: number[] = []
      for (const rater of raters) {
        if (r.next() < options.gapShare) continue
        values.push(rateOnce(truth[attribute] + biases[rater]![attribute], options, r))
      }
      return values
    }
  }
}

function rateOnce(expected: number, options: RaterOptions, random: Random): number {
  if (random.next() < options.wildShare) return random.int(5)
  const value = Math.round(expected + options.noiseSd * random.normal())
  return Math.min(4, Math.max(0, value))
}

function drawBiases(random: Random, sd: number): Levels {
  return Object.fromEntries(
    villageAttributes.map((attribute) => [attribute, sd * random.normal()]),
  ) as Record<VillageAttribute, number> as Levels
}
