/**
 * The five attributes of the village corpus, their levels 0–4, and the word counts behind verbosity.
 * The order is the order of the label line (the `village` set of `src/labels/attribute-sets.ts`).
 */
import type { Random } from '../../util/random.ts'

export const villageAttributes = [
  'helpfulness',
  'humor',
  'creativity',
  'verbosity',
  'toxicity',
] as const
export type VillageAttribute = (typeof villageAttributes)[number]

export type Level = 0 | 1 | 2 | 3 | 4
export const levelValues: readonly Level[] = [0, 1, 2, 3, 4]
export type Levels = Readonly<Record<VillageAttribute, Level>>

/** Verbosity as total words of a reply, both ends included. Level 0 has no lower end, level 4 no upper. */
export const wordBins: readonly { readonly min: number; readonly max: number }[] = [
  { min: 1, max: 36 },
  { min: 37, max: 50 },
  { min: 51, max: 64 },
  { min: 65, max: 78 },
  { min: 79, max: 96 },
]

/** The band in which replies are written: away from the ends of the bin, so that a word more or less does not flip it. */
export const wordTargets: readonly { readonly min: number; readonly max: number }[] = [
  { min: 1, max: 35 },
  { min: 40, max: 47 },
  { min: 54, max: 61 },
  { min: 68, max: 74 },
  { min: 82, max: 88 },
]

/** Five independent uniform levels: all 3125 combinations are equally likely. */
export function drawLevels(random: Random): Levels {
  const level = (): Level => random.int(5) as Level
  return {
    helpfulness: level(),
    humor: level(),
    creativity: level(),
    verbosity: level(),
    toxicity: level(),
  }
}
