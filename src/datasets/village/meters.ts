/**
 * Five programmatic meters: reply text → level 0–4. They recover the levels a reply was written for
 * from words and patterns alone; training never uses them. `lexicon.ts` holds what they look for.
 */
import {
  chuckles,
  comicWords,
  courtesyWords,
  curtWords,
  detailPatterns,
  hintPatterns,
  imageWords,
  insultWords,
  laughter,
  refusalPatterns,
  rudeWords,
  stepPatterns,
  viciousWords,
} from './lexicon.ts'
import type { VillageAttribute } from './levels.ts'
import { wordBins } from './levels.ts'
import { countWords } from './phrase.ts'

/** Reads a level from a reply. Fractions stand between two levels where the signs contradict. */
export type Meter = (reply: string) => number

function hits(pattern: RegExp, text: string): number {
  return text.match(pattern)?.length ?? 0
}

/** 0 refuses · 1 evades · 2 answers · 3 answers in full · 4 and names a next step. */
export function meterHelpfulness(reply: string): number {
  const detail = detailPatterns.test(reply) ? 1 : 0
  const step = stepPatterns.test(reply) ? 1 : 0
  if (refusalPatterns.test(reply)) return Math.min(1, (detail + step) / 2)
  if (hintPatterns.test(reply)) return 1 + (detail + step) / 2
  return 2 + detail + step
}

/** 0 none · 1 wry aside · 2 jest · 3 jest and chuckle · 4 joke and open laughter. */
export function meterHumor(reply: string): number {
  const comic = Math.min(2, hits(comicWords, reply))
  if (hits(laughter, reply) > 0) return comic + 2
  return comic + (hits(chuckles, reply) > 0 ? 1 : 0)
}

/** The number of image words, at most 4. */
export function meterCreativity(reply: string): number {
  return Math.min(4, hits(imageWords, reply))
}

/** The word-count bin. */
export function meterVerbosity(reply: string): number {
  const words = countWords(reply)
  const bin = wordBins.findIndex(({ max }) => words <= max)
  return bin < 0 ? 4 : bin
}

/** 0 warm · 1 curt · 2 rude · 3 one insult · 4 several. Warm words beside an insult soften it a little. */
export function meterToxicity(reply: string): number {
  const vicious = hits(viciousWords, reply)
  const insults = hits(insultWords, reply) + vicious
  const courtesy = hits(courtesyWords, reply) > 0 ? 0.5 : 0
  if (vicious >= 2 || insults >= 3) return 4 - courtesy
  if (insults > 0) return 3 - courtesy
  if (hits(rudeWords, reply) > 0) return 2 - courtesy
  return courtesy > 0 ? (hits(curtWords, reply) > 0 ? 0.5 : 0) : 1
}

export const villageMeters: Readonly<Record<VillageAttribute, Meter>> = {
  helpfulness: meterHelpfulness,
  humor: meterHumor,
  creativity: meterCreativity,
  verbosity: meterVerbosity,
  toxicity: meterToxicity,
}

/** All five at once. */
export function meterReply(reply: string): Record<VillageAttribute, number> {
  return {
    helpfulness: meterHelpfulness(reply),
    humor: meterHumor(reply),
    creativity: meterCreativity(reply),
    verbosity: meterVerbosity(reply),
    toxicity: meterToxicity(reply),
  }
}
