/**
 * Writes one reply that realises five given levels. Helpfulness is the answer itself; humor,
 * creativity and toxicity are short sentences around it; neutral filler brings the word count into
 * the band of the verbosity level, so that the length says nothing about the other four.
 */
import type { Random } from '../../util/random.ts'
import type { Levels } from './levels.ts'
import { wordTargets } from './levels.ts'
import { countWords, polish, say, sayVaried, sentence } from './phrase.ts'
import type { Slots } from './phrase.ts'
import { imageForms } from './phrases/creativity.ts'
import { generalFillers, intros, wraps } from './phrases/filler-general.ts'
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

type Band = (typeof wordTargets)[number]

const attempts = 200

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
  const filler = levels.verbosity === 0 ? { body: [] } : drawFiller(context, fewest, band, random)
  return polish(arrange(best!, filler, random).join(' '))
}

function drawParts(context: ReplyContext, levels: Levels, random: Random): Parts {
  const slots = { ...context.slots, about: context.topic.about }
  const named = context.topic.refusals === undefined
  const tone = toneForms[levels.toxicity]
  const clause = coreClause(context.topic, slots, levels, random)
  const form = drawToneForm(levels, clause, random)
  const called = form.call ? `${clause}, ${sayVaried(tone.call, slots, random)}` : clause
  return {
    core: sentence(called),
    ...(form.lead && { lead: sayVaried(tone.lead, slots, random) }),
    ...(form.close && { close: sayVaried(tone.close, slots, random) }),
    ...(levels.helpfulness === 4 && { step: say(context.topic.steps, slots, random) }),
    ...(levels.humor > 0 && {
      jest: sayVaried(humorForms(levels.humor, named && 'np' in slots), slots, random),
    }),
    ...(levels.creativity > 0 && {
      image: sayVaried(imageForms[levels.creativity], slots, random),
    }),
  }
}

function coreClause(topic: Topic, slots: Slots, levels: Levels, random: Random): string {
  if (levels.helpfulness === 0) return say(topic.refusals ?? refusals, slots, random)
  if (levels.helpfulness === 1) return say(topic.hints ?? hints, slots, random)
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

interface Filler {
  /** Before the answer, and after everything neutral. */
  readonly intro?: string
  readonly body: readonly string[]
  readonly wrap?: string
}

/** Neutral sentences until the words reach the band: first on the topic, then on the trade, then on the village. */
function drawFiller(context: ReplyContext, words: number, band: Band, random: Random): Filler {
  const { topic, role } = context
  const slots = { ...context.slots, about: topic.about }
  const pools = [topic.fillers, roleFillers[role] ?? roleFillers['villager']!, generalFillers]
  let left = band.max - words
  const named = topic.refusals === undefined
  const frame = (templates: readonly string[], share: number): string | undefined => {
    if (!named || left < 24 || random.next() > share) return undefined
    const text = sentence(say(templates, slots, random))
    left -= countWords(text)
    return text
  }
  const intro = frame(intros, 0.35)
  const wrap = frame(wraps, 0.3)
  const used = new Set<string>()
  const body: { text: string; pool: number }[] = []
  while (left > band.max - band.min) {
    const pool = pickPool(random)
    const template = random.pick(pools[pool]!)
    if (used.has(template)) continue
    const text = sentence(say([template], slots, random))
    const length = countWords(text)
    if (length > left) continue
    used.add(template)
    body.push({ text, pool })
    left -= length
  }
  body.sort((a, b) => a.pool - b.pool)
  return {
    body: body.map(({ text }) => text),
    ...(intro !== undefined && { intro }),
    ...(wrap !== undefined && { wrap }),
  }
}

/** Topic, trade, village: 55, 33 and 12 of a hundred. */
function pickPool(random: Random): 0 | 1 | 2 {
  const roll = random.next()
  return roll < 0.55 ? 0 : roll < 0.88 ? 1 : 2
}

/** Puts the parts in an order that varies: answer early, the rest mixed, the tone at the ends. */
function arrange(parts: Parts, filler: Filler, random: Random): string[] {
  const rest = [...filler.body]
  const before: string[] = []
  for (const extra of [parts.jest, parts.image]) {
    if (extra === undefined) continue
    if (random.next() < 0.2) before.push(extra)
    else rest.splice(random.int(rest.length + 1), 0, extra)
  }
  const stepFirst = random.next() < 0.6
  return [
    parts.lead,
    filler.intro,
    ...random.shuffle(before),
    parts.core,
    stepFirst ? parts.step : undefined,
    ...rest,
    filler.wrap,
    stepFirst ? undefined : parts.step,
    parts.close,
  ].filter((text) => text !== undefined)
}
