/** A small character for the tests. */
import { NpcDefinition } from '../../../schemas/npcs.ts'
import { attributeSet } from '../../../src/labels/attribute-sets.ts'
import { buildCharacter } from '../../../src/services/npcs/character.ts'

export const guard = NpcDefinition.parse({
  name: 'Torvald',
  persona: 'You are Torvald, the guard of Eldermere.',
  attributes: {
    helpfulness: { base: 3, from: { relation: 0.5 } },
    toxicity: { base: 0, from: { relation: -0.5 } },
    verbosity: 1,
  },
  variables: {
    relation: { min: -5, max: 5 },
    mood: { min: -3, max: 3, half_life_s: 100 },
    fear: { min: 0, max: 4, start: 1, baseline: 0, decay_s: 50 },
  },
  rules: [
    'insulted: toxicity +1, helpfulness -2, decay 60 s',
    'insulted: relation -1, mood -1',
    'player.gave_gift: relation +2, forget insulted',
    'player.hit: relation -0.1 * damage, fear +2',
    'scared: fear +1, half-life 10 s',
    'reset: relation = 0',
    'sorry: relation +1 when relation < 0',
  ],
  detect: [
    { event: 'insulted', any: ['fool', 'troll face', 'C++'] },
    { event: 'sorry', any: ['sorry'] },
  ],
  actions: [
    'walk_away when relation <= -3',
    { type: 'smile', when: 'relation >= 2 and toxicity < 1', cooldown_s: 30 },
    { type: 'give_item', args: { item: 'key', count: 1 }, on: ['player.gave_gift'], once: true },
  ],
})

export const build = (more: Partial<NpcDefinition> = {}) =>
  buildCharacter({ ...guard, ...more }, attributeSet('village'))
