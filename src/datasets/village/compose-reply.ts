/**
 * Writes one reply that realises five given levels. Helpfulness is the answer itself; humor,
 * creativity and toxicity are short sentences around it; neutral filler brings the word count into
 * the band of the verbosity level, so that the length says nothing about the other four.
 */
import type { Random } from '../../util/random.ts'
import type { Levels } from './levels.ts'
import { wordTargets } from './levels.ts'
import { countWords, polish, say, sentence } from './phrase.ts'
import type { Slots } from './phrase.ts'
import { imageForms } from './phrases/creativity.ts'
import { generalFillers } from './phrases/filler-general.ts'
import { roleFillers } from './phrases/filler-roles.ts'
import { hints, refusals } from './phrases/helpfulness.ts'
import { humorForms } from './phrases/humor.ts'
import { toneForms } from './phrases/toxicity.ts'
import type { Topic } from './topics/topic.ts'

/** What a reply answers: the topic, and the words of its entity, its speaker and the day. */
export interface ReplyContext {
  readonly topic: Topic
  readonly role: string
  readonly slots: Slots
}

/** The sentences of a reply before they are put in order. */
interface Parts {
  readonly lead?: string
  readonly core: string
  readonly step?: string
  readonly jest?: string
  readonly image?: string
  readonly close?: string
}

const attempts = 60

/** The text of a reply with these levels. Equal random states give equal texts. */
export function composeReply(context: ReplyContext, levels: Levels, random: Random): string {
  const band = wordTargets[levels.verbosity]!
  let best: Parts | undefined
  let fewest = Infinity
  // Short bands hold only short phrases: draw again until the parts fit, keep the shortest if none do.
  for (let attempt = 0; attempt < attempts && fewest > band.max; attempt++) {
    const parts = drawParts(context, levels, random)
    const words = countWords(Object.values(parts).join(' '))
    if (words < fewest) {
      best = parts
      fewest = words
    }
  }
  const filler = levels.verbosity === 0 ? [] : drawFiller(context, fewest, band, random)
  return polish(arrange(best!, filler, random).join(' '))
}

function drawParts(context: ReplyContext, levels: Levels, random: Random): Parts {
  const { slots } = context
  const tone = toneForms[levels.toxicity]
  const clause = coreClause(context, levels, random)
  const form = drawToneForm(levels, clause, random)
  const called = form.call ? `${clause}, ${say(tone.call, slots, random)}` : clause
  return {
    core: sentence(called),
    ...(form.lead && { lead: say(tone.lead, slots, random) }),
    ...(form.close && { close: say(tone.close, slots, random) }),
    ...(levels.helpfulness === 4 && { step: say(context.topic.steps, slots, random) }),
    ...(levels.humor > 0 && { jest: say(humorForms[levels.humor], slots, random) }),
    ...(levels.creativity > 0 && { image: say(imageForms[levels.creativity], slots, random) }),
  }
}

function coreClause({ topic, slots }: ReplyContext, levels: Levels, random: Random): string {
  const about = { ...slots, about: topic.about }
  if (levels.helpfulness === 0) return say(refusals, about, random)
  if (levels.helpfulness === 1) return say(hints, about, random)
  const fact = say(topic.facts, slots, random)
  if (levels.helpfulness === 2) return fact
  const detail = say(topic.details, slots, random)
  const comma = /^(because|since|unless|as long as|just past|right)/.test(detail)
  return comma && random.next() < 0.6 ? `${fact} ${detail}` : `${fact}, ${detail}`
}

/** Which of the tone's places are used: one of them, or two where there is room. */
function drawToneForm(levels: Levels, clause: string, random: Random) {
  const canCall = toneForms[levels.toxicity].call.length > 0 && !/[.!?]$/.test(clause)
  const roll = random.next()
  const form = {
    lead: roll < 0.45,
    close: roll >= 0.45 && roll < 0.7,
    call: roll >= 0.7 && canCall,
  }
  if (roll >= 0.7 && !canCall) form.lead = true
  if (levels.verbosity > 0 && random.next() < 0.35) {
    if (form.close) form.lead = true
    else form.close = true
  }
  return form
}

/** Neutral sentences of the topic, the trade and the village until `words` reaches the band. */
function drawFiller(
  { topic, role, slots }: ReplyContext,
  words: number,
  band: { readonly min: number; readonly max: number },
  random: Random,
): string[] {
  const pools = [topic.fillers, roleFillers[role] ?? roleFillers['villager']!, generalFillers]
  const used = new Set<string>()
  const chosen: string[] = []
  let total = words
  while (total < band.min) {
    const template = random.pick(pools[pickPool(random)]!)
    if (used.has(template)) continue
    const text = sentence(say([template], slots, random))
    const length = countWords(text)
    if (total + length > band.max) continue
    used.add(template)
    chosen.push(text)
    total += length
  }
  return chosen
}

/** Topic, trade, village: 40, 35 and 25 of a hundred. */
function pickPool(random: Random): 0 | 1 | 2 {
  const roll = random.next()
  return roll < 0.4 ? 0 : roll < 0.75 ? 1 : 2
}

/** Puts the parts in an order that varies: answer early, the rest mixed, the tone at the ends. */
function arrange(parts: Parts, filler: readonly string[], random: Random): string[] {
  const rest = [...filler]
  const before: string[] = []
  for (const extra of [parts.jest, parts.image]) {
    if (extra === undefined) continue
    if (random.next() < 0.25) before.push(extra)
    else rest.splice(random.int(rest.length + 1), 0, extra)
  }
  if (filler.length > 1 && random.next() < 0.25) {
    const index = rest.findIndex((text) => filler.includes(text))
    before.push(...rest.splice(index, 1))
  }
  const stepFirst = random.next() < 0.6
  const step = parts.step === undefined ? [] : [parts.step]
  return [
    ...(parts.lead === undefined ? [] : [parts.lead]),
    ...random.shuffle(before),
    parts.core,
    ...(stepFirst ? step : []),
    ...rest,
    ...(stepFirst ? [] : step),
    ...(parts.close === undefined ? [] : [parts.close]),
  ]
}
