import t from 'tap'
import { parseRule } from '../../src/services/npcs/rule-text.ts'
import { readTemplates } from '../../src/services/npcs/templates.ts'
import { importUi } from './import-ui.ts'

const { eventsOf, eventTitle } = await importUi('characters/events.js')

t.test('the buttons are the events that rules, actions and words speak of', async (t) => {
  const definition = {
    rules: ['insulted: toxicity +1, decay 60 s', 'hit: relation -0.1 * damage, mood -1 * pain', 'insulted: mood -1'], // prettier-ignore
    actions: ['walk_away when relation <= -3', { type: 'give', on: ['asked_for_bread'] }],
    detect: [{ event: 'praised', any: ['thanks'] }],
  }
  t.same(eventsOf(definition), [
    { type: 'insulted', fields: [] },
    { type: 'hit', fields: ['damage', 'pain'] },
    { type: 'asked_for_bread', fields: [] },
    { type: 'praised', fields: [] },
  ])
  t.same(eventsOf({ rules: null, actions: null, detect: null }), [])
  t.equal(eventTitle('player.gave_gift'), 'gave gift')
})

t.test('every rule of the templates is read as the server reads it', async (t) => {
  for (const { id, definition } of readTemplates()) {
    for (const rule of definition.rules ?? []) {
      const { event, changes } = parseRule(rule, 'rules')
      const fields = changes.flatMap(({ field }) => (field === null ? [] : [field]))
      t.same(eventsOf({ rules: [rule] }), [{ type: event, fields: [...new Set(fields)] }], `${id}: ${rule}`) // prettier-ignore
    }
  }
})
