/** Whether a saved character fits together: the form is checked by its schema, the meaning here. */
import type { NpcSave } from '../../../schemas/npcs.ts'
import { fail } from '../../errors.ts'
import type { Character } from './character.ts'

/** Fails BAD_REQUEST with the field at fault. */
export function checkSave(save: NpcSave, character: Character): void {
  const { state, exchanges } = save
  for (const [name, { value, at }] of Object.entries(state.variables)) {
    const param = `save.state.variables.${name}`
    const variable = character.variables.get(name)
    if (!variable) bad(param, 'the definition has no such variable')
    if (value < variable.min || value > variable.max) {
      bad(param, `expected ${variable.min} to ${variable.max}, got ${value}`)
    }
    checkTime(`${param}.at`, at, state.time)
  }
  for (const name of character.variables.keys()) {
    if (!Object.hasOwn(state.variables, name)) bad('save.state.variables', `"${name}" is missing`)
  }
  const targets = new Set([
    ...character.variables.keys(),
    ...character.attributes.map((a) => a.name),
  ])
  state.effects.forEach(({ target, at }, i) => {
    const param = `save.state.effects.${i}`
    if (!targets.has(target)) bad(`${param}.target`, `"${target}" is no variable and no attribute`)
    checkTime(`${param}.at`, at, state.time)
  })
  let next = 0
  exchanges.forEach(({ exchange, time }, i) => {
    const param = `save.exchanges.${i}`
    if (exchange < next) bad(`${param}.exchange`, `expected at least ${next}, got ${exchange}`)
    next = exchange + 1
    checkTime(`${param}.time`, time, state.time)
  })
  if (state.exchanges < next) {
    bad('save.state.exchanges', `expected at least ${next}, got ${state.exchanges}`)
  }
}

function checkTime(param: string, at: number, time: number): void {
  if (at > time) bad(param, `${at} is later than the character's time, ${time}`)
}

function bad(param: string, detail: string): never {
  return fail('BAD_REQUEST', `${param}: ${detail}`, { param })
}
