/**
 * The inner life of a character: variables, fading effects, time. Pure functions from state to state; the caller
 * says what time it is. Times are seconds of the character's own clock.
 *
 * Nothing is stored that changes by itself: a variable is its value at its last change, an effect its amount at the
 * start, and what is left of them at a time is computed. So looking, or letting time pass in many small steps, gives
 * bit for bit the same as one step, and a state that was saved goes on as if nothing had happened.
 */
import type { NpcAction, NpcInnerState } from '../../../schemas/npcs.ts'
import { fail } from '../../errors.ts'
import type { ActionRule, Character } from './character.ts'
import type { Condition, Decay, Rule } from './rule-text.ts'

export type CharacterState = Readonly<NpcInnerState>
export type Effect = CharacterState['effects'][number]

export interface CharacterEvent {
  readonly type: string
  readonly data?: Readonly<Record<string, string | number | boolean>>
}

/** What is smaller than this is gone. */
const goneBelow = 1e-3
/** Of more effects than this the oldest end. */
const maxEffects = 256
const maxRecent = 200

export function initialState(character: Character, time = 0): CharacterState {
  const variables = Object.fromEntries(
    [...character.variables.values()].map(({ name, start }) => [name, { value: start, at: time }]),
  )
  return { time, variables, effects: [], recent: [], actions: {}, exchanges: 0, remembered_from: 0 }
}

/** The state at a time; a time in the past is the present, for time does not go back. Effects that are gone are left out. */
export function advance(state: CharacterState, time: number): CharacterState {
  const now = Math.max(state.time, time)
  return {
    ...state,
    time: now,
    effects: state.effects.filter((effect) => remaining(effect, now) !== 0),
  }
}

/** What is left of an effect. */
export function remaining(effect: Effect, time: number): number {
  const left = effect.amount * shareLeft(effect.decay, time - effect.at)
  return Math.abs(left) < goneBelow ? 0 : left
}

function shareLeft(decay: Decay, age: number): number {
  const periods = Math.max(0, age) / decay.seconds
  return decay.kind === 'linear' ? Math.max(0, 1 - periods) : 2 ** -periods
}

/** The values of all variables at a time not before the state's. */
export function variablesAt(
  character: Character,
  state: CharacterState,
  time: number,
): Record<string, number> {
  const now = Math.max(state.time, time)
  return Object.fromEntries(
    [...character.variables.values()].map((variable) => {
      const own = ownValue(character, state, variable.name, now)
      const value = own + effectsOn(state, variable.name, now)
      return [variable.name, clamp(value, variable)]
    }),
  )
}

/** A variable without the effects that fade on top of it. */
function ownValue(character: Character, state: CharacterState, name: string, now: number): number {
  const variable = character.variables.get(name)!
  const { value, at } = state.variables[name] ?? { value: variable.start, at: now }
  if (!variable.decay) return value
  return variable.baseline + (value - variable.baseline) * shareLeft(variable.decay, now - at)
}

function effectsOn(state: CharacterState, target: string, now: number): number {
  return state.effects.reduce(
    (sum, effect) => (effect.target === target ? sum + remaining(effect, now) : sum),
    0,
  )
}

/** What a line at this time is written for: every attribute of the model, within its limits, to four decimals. */
export function attributesAt(
  character: Character,
  state: CharacterState,
  time: number,
): Record<string, number> {
  const now = Math.max(state.time, time)
  const variables = variablesAt(character, state, now)
  return Object.fromEntries(
    character.attributes.map((attribute) => {
      const moved = attribute.from.reduce(
        (sum, { variable, weight }) => sum + weight * variables[variable]!,
        attribute.base,
      )
      const value = clamp(moved + effectsOn(state, attribute.name, now), attribute)
      return [attribute.name, Math.round(value * 1e4) / 1e4]
    }),
  )
}

/**
 * The state after an event. All its rules look at the state before it and take effect together: effects are
 * forgotten, variables set, then changed by the sum of all changes. Fails NPC_EVENT_UNKNOWN, and BAD_REQUEST when a
 * rule needs a number that the event's data lack.
 */
export function applyEvent(
  character: Character,
  before: CharacterState,
  event: CharacterEvent,
  time: number,
): CharacterState {
  if (!character.events.has(event.type)) {
    const known = [...character.events].join(', ') || 'none'
    fail('NPC_EVENT_UNKNOWN', `"${event.type}"; this character knows: ${known}`, { param: 'type' })
  }
  const state = advance(before, time)
  const values = valuesAt(character, state, state.time)
  const rules = (character.rules.get(event.type) ?? []).filter((rule) => holds(rule.when, values))
  const added = rules.flatMap((rule) => effectsOf(rule, event, state.time))
  const forgotten = new Set(rules.flatMap((rule) => rule.forgets))
  const kept = state.effects.filter((effect) => !forgotten.has(effect.event))
  return {
    ...state,
    variables: changedVariables(character, state, rules, event),
    effects: [...kept, ...added].sort(compareEffects).slice(-maxEffects),
    recent: [...state.recent.filter((type) => type !== event.type), event.type].slice(-maxRecent),
  }
}

function effectsOf(rule: Rule, event: CharacterEvent, at: number): Effect[] {
  const { decay } = rule
  if (!decay) return []
  return rule.changes.map(({ target, amount, field }) => ({
    event: rule.event,
    target,
    amount: amount * factor(event, field),
    at,
    decay,
  }))
}

/** Effects add up in one order, whatever the order of their events. */
function compareEffects(a: Effect, b: Effect): number {
  const byName = (x: string, y: string): number => (x < y ? -1 : x > y ? 1 : 0)
  return (
    a.at - b.at || byName(a.event, b.event) || byName(a.target, b.target) || a.amount - b.amount
  )
}

function changedVariables(
  character: Character,
  state: CharacterState,
  rules: readonly Rule[],
  event: CharacterEvent,
): CharacterState['variables'] {
  const changed = { ...state.variables }
  const lasting = rules.filter((rule) => !rule.decay)
  const targets = new Set(
    lasting.flatMap((rule) => [...rule.sets, ...rule.changes].map((part) => part.target)),
  )
  for (const target of targets) {
    const set = lasting.flatMap((rule) => rule.sets).findLast((item) => item.target === target)
    const from = set?.value ?? ownValue(character, state, target, state.time)
    const amounts = lasting
      .flatMap((rule) => rule.changes)
      .filter((change) => change.target === target)
      .map((change) => change.amount * factor(event, change.field))
      .sort((a, b) => a - b)
    const value = amounts.reduce((sum, amount) => sum + amount, from)
    changed[target] = { value: clamp(value, character.variables.get(target)!), at: state.time }
  }
  return changed
}

function factor(event: CharacterEvent, field: string | null): number {
  if (field === null) return 1
  const value = event.data?.[field]
  if (typeof value === 'number' && Math.abs(value) <= 1e6) return value
  const got = value === undefined ? 'nothing' : JSON.stringify(value)
  const detail = `data.${field}: a rule of "${event.type}" multiplies by it; expected a number, got ${got}`
  return fail('BAD_REQUEST', detail, { param: `data.${field}` })
}

/** The actions that a line at this time comes with, in the order of the definition. */
export function actionsAt(character: Character, state: CharacterState, time: number): NpcAction[] {
  const now = Math.max(state.time, time)
  const values = valuesAt(character, state, now)
  return character.actions
    .filter((action) => isDue(action, state, now) && holds(action.when, values))
    .map(({ type, id, args }) => ({ type, id, args: { ...args } }))
}

function isDue(action: ActionRule, state: CharacterState, now: number): boolean {
  if (action.on.length > 0 && !action.on.some((event) => state.recent.includes(event))) return false
  const last = Object.hasOwn(state.actions, action.id) ? state.actions[action.id] : undefined
  if (last === undefined) return true
  return !action.once && now - last >= action.cooldownSeconds
}

/** After a line: its actions are done, and the events that it knew of are no news. */
export function afterLine(
  state: CharacterState,
  { actions, seen, time }: { actions: readonly NpcAction[]; seen: readonly string[]; time: number },
): CharacterState {
  const now = Math.max(state.time, time)
  const done = Object.fromEntries(actions.map(({ id }) => [id, now]))
  return {
    ...state,
    time: now,
    recent: state.recent.filter((event) => !seen.includes(event)),
    actions: { ...state.actions, ...done },
    exchanges: state.exchanges + 1,
  }
}

/** The state under another definition: what both know stays, cut to the new ranges; the rest begins or ends. */
export function adoptState(character: Character, state: CharacterState): CharacterState {
  const known = new Set([...character.variables.keys(), ...character.attributes.map((a) => a.name)])
  const variables = [...character.variables.values()].map((variable) => {
    const kept = Object.hasOwn(state.variables, variable.name)
      ? state.variables[variable.name]
      : undefined
    const anchor = kept ?? { value: variable.start, at: state.time }
    return [variable.name, { value: clamp(anchor.value, variable), at: anchor.at }]
  })
  const ids = new Set(character.actions.map((action) => action.id))
  return {
    ...state,
    variables: Object.fromEntries(variables),
    effects: state.effects.filter((effect) => known.has(effect.target)),
    recent: state.recent.filter((event) => character.events.has(event)),
    actions: Object.fromEntries(Object.entries(state.actions).filter(([id]) => ids.has(id))),
  }
}

function valuesAt(
  character: Character,
  state: CharacterState,
  now: number,
): Record<string, number> {
  return { ...attributesAt(character, state, now), ...variablesAt(character, state, now) }
}

function holds(condition: Condition, values: Readonly<Record<string, number>>): boolean {
  return condition.every(({ name, op, value }) => {
    const left = values[name]!
    switch (op) {
      case '<':
        return left < value
      case '<=':
        return left <= value
      case '>':
        return left > value
      case '>=':
        return left >= value
      case '=':
        return left === value
      case '!=':
        return left !== value
      default:
        return op satisfies never
    }
  })
}

function clamp(
  value: number,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  return Math.min(max, Math.max(min, value))
}
