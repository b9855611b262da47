import t from 'tap'
import { parseAction, parseCondition, parseRule } from '../../../src/services/npcs/rule-text.ts'

const none = { changes: [], sets: [], forgets: [], decay: null, when: [] }
const change = (target: string, amount: number, field: string | null = null) => ({
  target,
  amount,
  field,
})

const rules: [string, object][] = [
  ['player.gave_gift: relation +1', { event: 'player.gave_gift', changes: [change('relation', 1)] }],
  [
    'insulted: toxicity +1, helpfulness −2, decay 60 s',
    {
      event: 'insulted',
      changes: [change('toxicity', 1), change('helpfulness', -2)],
      decay: { kind: 'linear', seconds: 60 },
    },
  ],
  ['a:mood+0.5,half-life 5min', { event: 'a', changes: [change('mood', 0.5)], decay: { kind: 'half-life', seconds: 300 } }],
  ['hit: relation -0.1 * damage', { event: 'hit', changes: [change('relation', -0.1, 'damage')] }],
  ['reset: mood = -1, forget insulted', { event: 'reset', sets: [{ target: 'mood', value: -1 }], forgets: ['insulted'] }],
  [
    '  sorry :  mood +1   when relation > -4 and mood<=0 ',
    {
      event: 'sorry',
      changes: [change('mood', 1)],
      when: [
        { name: 'relation', op: '>', value: -4 },
        { name: 'mood', op: '<=', value: 0 },
      ],
    },
  ],
  ['slept: mood +1, decay 2 h', { event: 'slept', changes: [change('mood', 1)], decay: { kind: 'linear', seconds: 7200 } }],
] // prettier-ignore

t.test('rules are read, whatever their spaces and minus signs', async (t) => {
  for (const [text, expected] of rules) {
    t.same(parseRule(text, 'rules.0'), { ...none, ...expected }, text)
  }
})

const wrong: [string, RegExp][] = [
  ['', /event: changes/],
  ['insulted', /event: changes/],
  ['Insulted: mood +1', /event: changes/],
  ['insulted: mood up', /"mood up" is none of/],
  ['insulted: mood +', /none of/],
  ['insulted: mood + 1 2', /none of/],
  ['insulted: mood +1e9', /none of/],
  ['insulted: mood +1, decay', /"decay" is none of/],
  ['insulted: mood +1, decay 60', /none of/],
  ['insulted: mood +1, decay 1 s, decay 2 s', /two decays/],
  ['insulted: mood +1 when', /none of/],
  ['insulted: mood +1 when mood > 0 when mood < 1', /twice/],
  ['insulted: mood +1 when mood', /no comparison/],
  ['insulted: mood +1 when mood > toxicity', /no comparison/],
  ['insulted: constructor(), mood +1', /none of/],
]

t.test('anything else is refused with the rule and what is wrong with it', async (t) => {
  for (const [text, message] of wrong) {
    const expected = { code: 'NPC_RULE_INVALID', param: 'rules.7', message }
    t.throws(() => parseRule(text, 'rules.7'), expected, text)
  }
})

t.test('actions and conditions are read the same way', async (t) => {
  t.same(parseAction('walk_away when relation <= −3', 'actions.0'), {
    type: 'walk_away',
    when: 'relation <= -3',
  })
  t.same(parseAction('wave', 'actions.0'), { type: 'wave', when: null })
  t.throws(() => parseAction('walk away when x > 1', 'actions.0'), { code: 'NPC_RULE_INVALID' })
  t.same(parseCondition('mood != 0', 'actions.0.when'), [{ name: 'mood', op: '!=', value: 0 }])
})

t.test('a long rule of one letter is refused quickly', async (t) => {
  const before = process.cpuUsage().user
  t.throws(() => parseRule(`${'a'.repeat(250)} ${'.a'.repeat(120)}`, 'rules.0'))
  t.ok(process.cpuUsage().user - before < 500_000)
})
