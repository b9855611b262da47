/**
 * The built-in attribute sets. The order of a set is the order of its label line:
 * `helpsteer`, `oasst` and `steerlm` follow NeMo-Aligner's constants, `village` is ours.
 * A level label is what a slider shows at that step; 0 is the least, 4 the most of the attribute.
 */
import type { AttributeSet, AttributeSpec } from '../../schemas/attributes.ts'
import { fail } from '../errors.ts'

type Wording = Omit<AttributeSpec, 'min' | 'max' | 'levels'> & {
  levels: [string, string, string, string, string]
}

const wordings = {
  quality: {
    name: 'quality',
    description: 'How good the reply is as a whole',
    levels: ['bad', 'weak', 'fair', 'good', 'excellent'],
    direction: 'higher',
    default: 4,
  },
  toxicity: {
    name: 'toxicity',
    description: 'How rude, hurtful or hateful the reply is',
    levels: ['none', 'slight', 'noticeable', 'strong', 'extreme'],
    direction: 'lower',
    default: 0,
  },
  humor: {
    name: 'humor',
    description: 'How much the reply jokes',
    levels: ['none', 'dry', 'playful', 'funny', 'hilarious'],
    direction: 'neither',
    default: 0,
  },
  creativity: {
    name: 'creativity',
    description: 'How imaginative and unexpected the wording is',
    levels: ['plain', 'a little colour', 'vivid', 'inventive', 'wildly inventive'],
    direction: 'neither',
    default: 0,
  },
  helpfulness: {
    name: 'helpfulness',
    description: 'How well the reply does what was asked for',
    levels: ['useless', 'hardly helps', 'helps in part', 'mostly helps', 'helps fully'],
    direction: 'higher',
    default: 4,
  },
  correctness: {
    name: 'correctness',
    description: 'Whether the facts are right and nothing that matters is missing',
    levels: ['wrong', 'mostly wrong', 'mixed', 'mostly right', 'right and complete'],
    direction: 'higher',
    default: 4,
  },
  coherence: {
    name: 'coherence',
    description: 'How clear and consistent the reply is',
    levels: ['incoherent', 'hard to follow', 'uneven', 'clear', 'perfectly clear'],
    direction: 'higher',
    default: 4,
  },
  complexity: {
    name: 'complexity',
    description: 'How much learning it takes to write the reply',
    levels: ['anyone', 'simple', 'educated', 'skilled', 'expert'],
    direction: 'neither',
    default: 2,
  },
  verbosity: {
    name: 'verbosity',
    description: 'How long the reply is for what was asked',
    levels: ['very short', 'short', 'medium', 'long', 'very long'],
    direction: 'neither',
    default: 2,
  },
} as const satisfies Record<string, Wording>

const village = {
  helpfulness: {
    ...wordings.helpfulness,
    description: 'How much the villager tells or does of what the player asked for',
    levels: ['refuses', 'evades', 'gives a hint', 'answers', 'answers and adds advice'],
  },
  humor: { ...wordings.humor, description: 'How much the villager jokes' },
  creativity: {
    ...wordings.creativity,
    description: 'How much the villager speaks in images and comparisons',
    levels: ['plain', 'a little colour', 'vivid', 'poetic', 'a bard in full flight'],
  },
  verbosity: {
    ...wordings.verbosity,
    description: 'How long the villager talks',
    levels: ['a few words', 'one sentence', 'some sentences', 'talkative', 'cannot stop'],
  },
  toxicity: {
    ...wordings.toxicity,
    description: 'Rudeness: how badly the villager treats the player',
    levels: ['polite', 'curt', 'grumpy', 'rude', 'insulting'],
  },
} as const satisfies Record<string, Wording>

const range = (wording: Wording): AttributeSpec => ({
  ...wording,
  levels: [...wording.levels],
  min: 0,
  max: 4,
})

const oasst = [wordings.quality, wordings.toxicity, wordings.humor, wordings.creativity]
const helpsteer = [
  wordings.helpfulness,
  wordings.correctness,
  wordings.coherence,
  wordings.complexity,
  wordings.verbosity,
]

/** The sets by name. */
export const attributeSets = {
  village: [
    village.helpfulness,
    village.humor,
    village.creativity,
    village.verbosity,
    village.toxicity,
  ].map(range),
  helpsteer: helpsteer.map(range),
  oasst: oasst.map(range),
  /** NeMo's ALL_STEERLM_ATTRIBUTES: OASST's four, then HelpSteer's five. */
  steerlm: [...oasst, ...helpsteer].map(range),
} as const satisfies Record<string, AttributeSet>

export type AttributeSetName = keyof typeof attributeSets

/** A built-in set by name, as its own copy. Fails BAD_ARGUMENT with the known names. */
export function attributeSet(name: string): AttributeSet {
  if (!Object.hasOwn(attributeSets, name)) {
    fail('BAD_ARGUMENT', `attribute set "${name}"; known: ${Object.keys(attributeSets).join(', ')}`)
  }
  return structuredClone(attributeSets[name as AttributeSetName])
}
