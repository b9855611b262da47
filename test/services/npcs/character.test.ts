import t from 'tap'
import type { NpcDefinition } from '../../../schemas/npcs.ts'
import { attributeSet } from '../../../src/labels/attribute-sets.ts'
import { buildCharacter } from '../../../src/services/npcs/character.ts'
import { readTemplates } from '../../../src/services/npcs/templates.ts'
import { build } from './definitions.ts'

t.test('what is left out has its default, in the order of the model', async (t) => {
  const { attributes, variables } = build()
  t.same(
    attributes.map(({ name, base, min, max }) => [name, base, min, max]),
    [
      ['helpfulness', 3, 0, 4],
      ['humor', 0, 0, 4],
      ['creativity', 0, 0, 4],
      ['verbosity', 1, 0, 4],
      ['toxicity', 0, 0, 4],
    ],
  )
  t.match(variables.get('relation'), { start: 0, baseline: 0, decay: null })
  t.match(variables.get('fear'), { start: 1, baseline: 0, decay: { kind: 'linear', seconds: 50 } })
})

t.test('the templates are valid for the village', async (t) => {
  const templates = readTemplates()
  t.ok(templates.length >= 3)
  for (const { id, definition } of templates) {
    t.doesNotThrow(() => buildCharacter(definition, attributeSet('village')), id)
  }
})

const wrong: [string, Partial<NpcDefinition>, string, string, RegExp][] = [
  ['a rule with an unknown name', { rules: ['a: charm +1'] }, 'NPC_RULE_INVALID', 'rules.0', /"charm" is neither a variable \(relation, mood, fear\) nor an attribute \(helpfulness,/],
  ['a condition with an unknown name', { rules: ['a: mood +1 when charm > 1'] }, 'NPC_RULE_INVALID', 'rules.0', /"charm"/],
  ['an attribute that stays changed', { rules: ['a: toxicity +1'] }, 'NPC_RULE_INVALID', 'rules.0', /decay 60 s/],
  ['an attribute that is set', { rules: ['a: toxicity = 1'] }, 'NPC_RULE_INVALID', 'rules.0', /only variables can be set/],
  ['a set that decays', { rules: ['a: mood = 1, decay 5 s'] }, 'NPC_RULE_INVALID', 'rules.0', /does not decay/],
  ['a set out of range', { rules: ['a: mood = 9'] }, 'NPC_RULE_INVALID', 'rules.0', /-3 to 3, not 9/],
  ['a change beyond the range', { rules: ['a: mood +1', 'b: mood +100'] }, 'NPC_RULE_INVALID', 'rules.1', /whole range is -3 to 3/],
  ['a change by nothing', { rules: ['a: mood +0'] }, 'NPC_RULE_INVALID', 'rules.0', /by 0/],
  ['a decay of no time', { rules: ['a: mood +1, decay 0 s'] }, 'NPC_RULE_INVALID', 'rules.0', /more than 0 seconds/],
  ['a decay of ages', { rules: ['a: mood +1, decay 9999999 d'] }, 'NPC_RULE_INVALID', 'rules.0', /ten years/],
  ['a decay of nothing', { rules: ['a: decay 5 s'] }, 'NPC_RULE_INVALID', 'rules.0', /changes nothing/],
  ['a rule that forgets what leaves nothing', { rules: ['a: mood +1', 'b: forget a'] }, 'NPC_RULE_INVALID', 'rules.1', /leaves no effect/],
  ['a condition that is never true', { actions: ['run when relation < -5'] }, 'NPC_RULE_INVALID', 'actions.0', /never true/],
  ['an action without a condition', { actions: ['run'] }, 'BAD_REQUEST', 'actions.0', /every line/],
  ['two actions of one id', { actions: ['run when mood > 1', 'run when mood < 0'] }, 'BAD_REQUEST', 'actions.1.id', /stands twice/],
  ['words that raise an unknown event', { detect: [{ event: 'praised', any: ['wise'] }] }, 'BAD_REQUEST', 'detect.0.event', /there are: insulted/],
  ['an unknown attribute', { attributes: { charm: 1 } }, 'ATTRIBUTE_UNKNOWN', 'attributes.charm', /helpfulness/],
  ['an unknown attribute of an example', { examples: [{ player: 'a', line: 'b', attributes: { charm: 1 } }] }, 'ATTRIBUTE_UNKNOWN', 'examples.0.attributes.charm', /charm/],
  ['a baseline out of range', { attributes: { humor: 9 } }, 'ATTRIBUTE_OUT_OF_RANGE', 'attributes.humor', /0 to 4, got 9/],
  ['a limit out of range', { attributes: { humor: { max: 5 } } }, 'ATTRIBUTE_OUT_OF_RANGE', 'attributes.humor.max', /got 5/],
  ['a base beyond its limit', { attributes: { humor: { base: 3, max: 2 } } }, 'ATTRIBUTE_OUT_OF_RANGE', 'attributes.humor.base', /0 to 2/],
  ['limits the wrong way round', { attributes: { humor: { min: 3, max: 2 } } }, 'BAD_REQUEST', 'attributes.humor.max', /at least min/],
  ['an attribute made of itself', { attributes: { humor: { from: { humor: 1 } } } }, 'BAD_REQUEST', 'attributes.humor.from.humor', /no circle/],
  ['an attribute made of nothing known', { attributes: { humor: { from: { joy: 1 } } } }, 'BAD_REQUEST', 'attributes.humor.from.joy', /not a variable/],
  ['a weight beyond reason', { attributes: { humor: { from: { mood: 1e9 } } } }, 'BAD_REQUEST', 'attributes.humor.from.mood', /moves/],
  ['a variable without a range', { variables: { mood: { min: 1, max: 1 } }, rules: [], actions: [], detect: [], attributes: {} }, 'BAD_REQUEST', 'variables.mood.max', /more than min/],
  ['a start out of range', { variables: { mood: { min: 1, max: 2, start: 3 } }, rules: [], actions: [], detect: [], attributes: {} }, 'BAD_REQUEST', 'variables.mood.start', /1 to 2/],
  ['two decays of a variable', { variables: { mood: { min: 0, max: 2, decay_s: 1, half_life_s: 1 } }, rules: [], actions: [], detect: [], attributes: {} }, 'BAD_REQUEST', 'variables.mood', /one of them/],
  ['a baseline that nothing falls back to', { variables: { mood: { min: 0, max: 2, baseline: 1 } }, rules: [], actions: [], detect: [], attributes: {} }, 'BAD_REQUEST', 'variables.mood.baseline', /nothing falls back/],
  ['a variable named like an attribute', { variables: { toxicity: { min: 0, max: 2 } }, rules: [], actions: [], detect: [], attributes: {} }, 'BAD_REQUEST', 'variables.toxicity', /another/],
  ['a variable named like a word', { variables: { decay: { min: 0, max: 2 } }, rules: [], actions: [], detect: [], attributes: {} }, 'BAD_REQUEST', 'variables.decay', /rule language/],
] // prettier-ignore

for (const [name, more, code, param, message] of wrong) {
  t.test(`${name} is refused with the field at fault`, async (t) => {
    t.throws(() => build(more), { code, param, message })
  })
}
