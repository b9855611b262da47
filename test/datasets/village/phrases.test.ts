import t from 'tap'
import { meterReply } from '../../../src/datasets/village/index.ts'
import { detailPatterns, stepPatterns } from '../../../src/datasets/village/lexicon.ts'
import { levelValues } from '../../../src/datasets/village/levels.ts'
import { countWords, expand, polish, sentence } from '../../../src/datasets/village/phrase.ts'
import type { Slots } from '../../../src/datasets/village/phrase.ts'
import { imageForms } from '../../../src/datasets/village/phrases/creativity.ts'
import {
  generalFillers,
  intros,
  wraps,
} from '../../../src/datasets/village/phrases/filler-general.ts'
import { roleFillers } from '../../../src/datasets/village/phrases/filler-roles.ts'
import { hints, refusals } from '../../../src/datasets/village/phrases/helpfulness.ts'
import { humorForms } from '../../../src/datasets/village/phrases/humor.ts'
import { toneForms } from '../../../src/datasets/village/phrases/toxicity.ts'
import { topics } from '../../../src/datasets/village/topics/index.ts'
import { plainVillager, roles } from '../../../src/datasets/village/world/roles.ts'
import { createRandom } from '../../../src/util/random.ts'

const scene: Slots = {
  ...plainVillager.slots,
  speaker: 'Bram',
  village: 'Thornby',
  address: 'stranger',
  now: 'it is raining',
  wear: 'a cloak',
  image: 'the road',
}
const random = createRandom('phrases')

/** Several expansions of a template, as finished sentences. */
function render(template: string, slots: Slots = scene, draws = 4): string[] {
  return Array.from({ length: draws }, () => polish(sentence(expand(template, slots, random))))
}

const plain = { humor: 0, creativity: 0, toxicity: 1 }

/** What the meters read beyond what a phrase is for; thousands of phrases, so the misses are collected. */
function check(misses: string[], text: string, expected: Record<string, number>): void {
  const read: Record<string, number> = meterReply(text)
  const wrong = Object.keys(expected).filter((name) => read[name] !== expected[name])
  if (wrong.length > 0) misses.push(`${text} reads as ${JSON.stringify(read)}`)
}

function checkNeutral(misses: string[], text: string, helpfulness: number): void {
  check(misses, text, { ...plain, helpfulness })
}

t.test('filler carries no attribute', async (t) => {
  const misses: string[] = []
  for (const lines of [generalFillers, ...Object.values(roleFillers)]) {
    for (const line of lines) for (const text of render(line)) checkNeutral(misses, text, 2)
  }
  for (const topic of topics) {
    const slots = { ...scene, ...topic.entities[0]!.slots, about: topic.about }
    const frames = topic.refusals ? [] : [...intros, ...wraps]
    for (const line of [...topic.fillers, ...frames]) {
      for (const text of render(line, slots, 2)) checkNeutral(misses, text, 2)
    }
  }
  t.same(misses, [])
})

t.test('every trade has filler', async (t) => {
  for (const role of [...roles, plainVillager]) t.ok(roleFillers[role.id]!.length >= 8, role.id)
})

t.test(
  'the parts of every answer read as their level of helpfulness and as nothing else',
  async (t) => {
    const misses: string[] = []
    for (const topic of topics) {
      for (const entity of topic.entities) {
        const slots = { ...scene, ...entity.slots, about: topic.about }
        const one = (lines: readonly string[]): string => expand(random.pick(lines), slots, random)
        for (const fact of topic.facts) {
          checkNeutral(misses, polish(`${expand(fact, slots, random)}.`), 2)
          const full = `${expand(fact, slots, random)}, ${one(topic.details)}.`
          checkNeutral(misses, polish(full), 3)
          checkNeutral(misses, polish(`${full} ${one(topic.steps)}`), 4)
        }
        checkNeutral(misses, render(one(topic.refusals ?? refusals), slots)[0]!, 0)
        checkNeutral(misses, render(one(topic.hints ?? hints), slots)[0]!, 1)
      }
      for (const detail of topic.details) {
        const slots = { ...scene, ...topic.entities[0]!.slots }
        const text = expand(detail, slots, random)
        if (!detailPatterns.test(text)) misses.push(`${topic.id}: ${text}`)
      }
      for (const step of topic.steps) {
        const slots = { ...scene, ...topic.entities[0]!.slots }
        const text = expand(step, slots, random)
        if (!stepPatterns.test(text)) misses.push(`${topic.id}: ${text}`)
      }
    }
    t.same(misses, [])
  },
)

t.test('every phrase of humor, creativity and toxicity reads as its level', async (t) => {
  const misses: string[] = []
  const slots = { ...scene, np: 'the inn', about: 'the way to the inn' }
  for (const level of levelValues) {
    for (const named of [true, false]) {
      for (const form of humorForms(level, named)) {
        for (const text of render(form, slots)) {
          check(misses, text, { ...plain, humor: level, helpfulness: 2 })
        }
      }
    }
    for (const form of imageForms[level]) {
      for (const text of render(form, slots, 12)) {
        check(misses, text, { ...plain, creativity: level, helpfulness: 2 })
      }
    }
    const { lead, close, call } = toneForms[level]
    for (const form of [...lead, ...close, ...call]) {
      for (const text of render(form, slots)) {
        check(misses, text, { ...plain, toxicity: level, helpfulness: 2 })
      }
    }
  }
  t.same(misses, [])
})

t.test('every question and answer expands without a missing slot or a stray bracket', async (t) => {
  const misses: string[] = []
  for (const topic of topics) {
    for (const entity of topic.entities) {
      const slots = { ...scene, ...entity.slots }
      for (const line of [...topic.ask, ...topic.followUp]) {
        const text = render(line, slots, 1)[0]!
        if (/[{}[\]]| {2}|undefined/.test(text)) misses.push(text)
      }
    }
  }
  t.same(misses, [])
})

t.test('polish: articles, capitals and spaces', async (t) => {
  t.equal(
    polish('you need a axe. it  is a useful one , a hour away'),
    'You need an axe. It is a useful one, a hour away',
  )
  t.equal(polish('what now? go! so'), 'What now? Go! So')
})

t.test('countWords counts words, not punctuation', async (t) => {
  t.equal(countWords('Ha ha! It is a half-eaten pie, my friend.'), 9)
  t.equal(countWords(' ... '), 0)
})
