/**
 * A definition checked and made ready: names resolved against the model's attributes, defaults filled in, rules
 * parsed. Everything that could go wrong later goes wrong here, with the field at fault. Pure.
 */
import type { AttributeSet, AttributeSpec } from '../../../schemas/attributes.ts'
import type {
  NpcActionRule,
  NpcAttribute,
  NpcDefinition,
  NpcVariable,
} from '../../../schemas/npcs.ts'
import { fail } from '../../errors.ts'
import { createDetector, type Detector } from './detect-events.ts'
import {
  failRule,
  parseAction,
  parseCondition,
  parseRule,
  type Condition,
  type Decay,
  type Rule,
} from './rule-text.ts'

export interface Variable {
  readonly name: string
  readonly min: number
  readonly max: number
  readonly start: number
  readonly baseline: number
  readonly decay: Decay | null
}

/** value = base + Σ weight × variable + Σ effects, cut to min…max. */
export interface SteeredAttribute {
  readonly name: string
  readonly base: number
  readonly min: number
  readonly max: number
  readonly from: readonly { readonly variable: string; readonly weight: number }[]
}

export interface ActionRule {
  readonly type: string
  readonly id: string
  readonly args: Readonly<Record<string, string | number | boolean>>
  readonly when: Condition
  readonly on: readonly string[]
  readonly once: boolean
  readonly cooldownSeconds: number
}

export interface Character {
  readonly variables: ReadonlyMap<string, Variable>
  /** All of the model's, in its order. */
  readonly attributes: readonly SteeredAttribute[]
  readonly rules: ReadonlyMap<string, readonly Rule[]>
  readonly actions: readonly ActionRule[]
  /** Every event that some rule, action or word list knows. */
  readonly events: ReadonlySet<string>
  readonly detect: Detector
}

/** Longest time that a rule may name: ten years. */
const maxSeconds = 315_360_000
const reserved = new Set(['decay', 'forget', 'when', 'and'])

/** Fails ATTRIBUTE_UNKNOWN, ATTRIBUTE_OUT_OF_RANGE, BAD_REQUEST or NPC_RULE_INVALID with the field as `param`. */
export function buildCharacter(definition: NpcDefinition, attributes: AttributeSet): Character {
  const variables = new Map(
    Object.entries(definition.variables ?? {}).map(([name, variable]) => [
      name,
      buildVariable(name, variable, attributes),
    ]),
  )
  checkAttributeNames(definition, attributes)
  const names: Names = { variables, attributes: steered(definition, attributes, variables) }
  const texts = definition.rules ?? []
  const parsed = texts.map((text, i) => checkRule(parseRule(text, `rules.${i}`), text, i, names))
  const rules = Map.groupBy(parsed, (rule) => rule.event)
  parsed.forEach((rule, i) => checkForgets(rule, texts[i]!, i, rules))
  const actions = (definition.actions ?? []).map((action, i) => buildAction(action, i, names))
  checkActionIds(actions)
  const events = new Set([...rules.keys(), ...actions.flatMap((action) => action.on)])
  definition.detect?.forEach(({ event }, i) => {
    if (events.has(event)) return
    badRequest(
      `detect.${i}.event`,
      `"${event}" is in no rule and no action; there are: ${list(events)}`,
    )
  })
  return { ...names, rules, actions, events, detect: createDetector(definition.detect ?? []) }
}

interface Names {
  readonly variables: ReadonlyMap<string, Variable>
  readonly attributes: readonly SteeredAttribute[]
}

interface Range {
  readonly min: number
  readonly max: number
}

function buildVariable(name: string, given: NpcVariable, attributes: AttributeSet): Variable {
  const param = `variables.${name}`
  if (reserved.has(name)) badRequest(param, 'the name is a word of the rule language')
  if (attributes.some((spec) => spec.name === name)) {
    badRequest(param, 'the model has an attribute of this name; give the variable another')
  }
  const { min, max } = given
  if (!(min < max)) badRequest(`${param}.max`, `expected more than min (${min}), got ${max}`)
  const start = given.start ?? (min <= 0 && max >= 0 ? 0 : min)
  const baseline = given.baseline ?? start
  checkWithin(`${param}.start`, start, given)
  checkWithin(`${param}.baseline`, baseline, given)
  if (given.half_life_s != null && given.decay_s != null) {
    badRequest(param, 'it has both half_life_s and decay_s; expected one of them')
  }
  const decay = decayOf(given)
  if (given.baseline != null && !decay) {
    badRequest(`${param}.baseline`, 'without half_life_s or decay_s nothing falls back to it')
  }
  return { name, min, max, start, baseline, decay }
}

function decayOf({ half_life_s, decay_s }: NpcVariable): Decay | null {
  if (half_life_s != null) return { kind: 'half-life', seconds: half_life_s }
  return decay_s == null ? null : { kind: 'linear', seconds: decay_s }
}

function checkAttributeNames(definition: NpcDefinition, attributes: AttributeSet): void {
  const check = (name: string, param: string): void => {
    if (attributes.some((spec) => spec.name === name)) return
    fail('ATTRIBUTE_UNKNOWN', `"${name}"; the model's attributes: ${attributeNames(attributes)}`, {
      param,
    })
  }
  for (const name of Object.keys(definition.attributes ?? {})) check(name, `attributes.${name}`)
  definition.examples?.forEach(({ attributes: shown }, i) => {
    for (const [name, value] of Object.entries(shown ?? {})) {
      const param = `examples.${i}.attributes.${name}`
      check(name, param)
      checkAttributeValue(
        param,
        value,
        attributes.find((spec) => spec.name === name)!,
      )
    }
  })
}

function steered(
  definition: NpcDefinition,
  attributes: AttributeSet,
  variables: ReadonlyMap<string, Variable>,
): SteeredAttribute[] {
  return attributes.map((spec) => {
    const given = definition.attributes?.[spec.name]
    const parts: NpcAttribute = typeof given === 'number' ? { base: given } : (given ?? {})
    const param = `attributes.${spec.name}`
    const [min, max] = [parts.min ?? spec.min, parts.max ?? spec.max]
    checkAttributeValue(`${param}.min`, min, spec)
    checkAttributeValue(`${param}.max`, max, spec)
    if (min > max) badRequest(`${param}.max`, `expected at least min (${min}), got ${max}`)
    const base = parts.base ?? Math.min(max, Math.max(min, spec.default))
    checkAttributeValue(typeof given === 'number' ? param : `${param}.base`, base, {
      ...spec,
      min,
      max,
    })
    const from = Object.entries(parts.from ?? {}).map(([variable, weight]) => {
      checkContribution(`${param}.from.${variable}`, weight, variables.get(variable), {
        variables,
        attributes,
      })
      return { variable, weight }
    })
    return { name: spec.name, base, min, max, from }
  })
}

/** An attribute is made of variables alone, so nothing can go round in a circle. */
function checkContribution(
  param: string,
  weight: number,
  variable: Variable | undefined,
  known: { variables: ReadonlyMap<string, Variable>; attributes: AttributeSet },
): void {
  if (!variable) {
    const name = param.slice(param.lastIndexOf('.') + 1)
    const isAttribute = known.attributes.some((spec) => spec.name === name)
    const why = isAttribute
      ? 'is an attribute; an attribute may depend on variables only, so that no circle arises'
      : 'is not a variable'
    badRequest(param, `"${name}" ${why}; there are: ${list(known.variables.keys())}`)
  }
  const reach = Math.abs(weight) * Math.max(Math.abs(variable.min), Math.abs(variable.max))
  if (reach > 1000) badRequest(param, `a weight of ${weight} moves the attribute by up to ${reach}`)
}

function checkRule(rule: Rule, text: string, index: number, names: Names): Rule {
  const param = `rules.${index}`
  if (rule.changes.length + rule.sets.length + rule.forgets.length === 0) {
    failRule(text, 'it changes nothing', param)
  }
  if (rule.decay && rule.sets.length > 0) {
    failRule(text, '"=" does not decay; use + or -, or another rule', param)
  }
  if (rule.decay && rule.changes.length === 0) failRule(text, 'there is nothing to decay', param)
  if (rule.decay && !(rule.decay.seconds > 0 && rule.decay.seconds <= maxSeconds)) {
    failRule(text, `a decay takes more than 0 seconds and at most ten years`, param)
  }
  for (const { target, amount, field } of rule.changes) {
    const range = rangeOf(target, names, text, param)
    const width = range.max - range.min
    if (amount === 0) failRule(text, `"${target}" changes by 0`, param)
    if (field === null && Math.abs(amount) > width) {
      const whole = `${range.min} to ${range.max}`
      failRule(text, `"${target}" changes by ${amount}, but its whole range is ${whole}`, param)
    }
    if (Math.abs(amount) > 1e6) failRule(text, `${amount} is too large`, param)
    if (!rule.decay && !names.variables.has(target)) {
      failRule(
        text,
        `"${target}" is an attribute, which falls back to its baseline: say how fast, such as "decay 60 s"; ` +
          'what shall stay belongs into a variable',
        param,
      )
    }
  }
  for (const { target, value } of rule.sets) {
    const variable = names.variables.get(target)
    const range = variable ?? rangeOf(target, names, text, param)
    if (!variable) failRule(text, `"${target}" is an attribute; only variables can be set`, param)
    if (value < range.min || value > range.max) {
      failRule(text, `"${target}" is from ${range.min} to ${range.max}, not ${value}`, param)
    }
  }
  checkCondition(rule.when, text, param, names)
  return rule
}

function checkForgets(
  rule: Rule,
  text: string,
  index: number,
  rules: ReadonlyMap<string, readonly Rule[]>,
): void {
  for (const event of rule.forgets) {
    const leaves = rules.get(event)?.some((other) => other.decay)
    if (!leaves) {
      failRule(text, `"${event}" leaves no effect that could be forgotten`, `rules.${index}`)
    }
  }
}

function buildAction(given: string | NpcActionRule, index: number, names: Names): ActionRule {
  const param = `actions.${index}`
  const full: NpcActionRule = typeof given === 'string' ? parseAction(given, param) : given
  const whenParam = typeof given === 'string' ? param : `${param}.when`
  const when = full.when == null ? [] : parseCondition(full.when, whenParam)
  checkCondition(when, full.when ?? '', whenParam, names)
  if (when.length === 0 && full.on == null) {
    badRequest(
      param,
      `"${full.type}" has neither "when" nor "on", so every line would come with it`,
    )
  }
  return {
    type: full.type,
    id: full.id ?? full.type,
    args: full.args ?? {},
    when,
    on: full.on ?? [],
    once: full.once ?? false,
    cooldownSeconds: full.cooldown_s ?? 0,
  }
}

function checkActionIds(actions: readonly ActionRule[]): void {
  actions.forEach(({ id }, i) => {
    if (actions.findIndex((other) => other.id === id) === i) return
    badRequest(`actions.${i}.id`, `"${id}" stands twice; tell the two apart by "id"`)
  })
}

function checkCondition(condition: Condition, text: string, param: string, names: Names): void {
  for (const { name, op, value } of condition) {
    const { min, max } = rangeOf(name, names, text, param)
    const isPossible = {
      '<': min < value,
      '<=': min <= value,
      '>': max > value,
      '>=': max >= value,
      '=': min <= value && value <= max,
      '!=': true,
    }[op]
    if (!isPossible) {
      failRule(text, `"${name} ${op} ${value}" is never true: it is from ${min} to ${max}`, param)
    }
  }
}

function rangeOf(name: string, names: Names, text: string, param: string): Range {
  const variable = names.variables.get(name)
  const attribute = names.attributes.find((item) => item.name === name)
  return (
    variable ??
    attribute ??
    failRule(
      text,
      `"${name}" is neither a variable (${list(names.variables.keys())}) nor an attribute ` +
        `(${attributeNames(names.attributes)})`,
      param,
    )
  )
}

function checkWithin(param: string, value: number, { min, max }: Range): void {
  if (value < min || value > max) badRequest(param, `expected ${min} to ${max}, got ${value}`)
}

function checkAttributeValue(
  param: string,
  value: number,
  spec: Pick<AttributeSpec, 'name' | 'min' | 'max'>,
): void {
  if (value >= spec.min && value <= spec.max) return
  const detail = `${param}: expected a number from ${spec.min} to ${spec.max}, got ${value}`
  fail('ATTRIBUTE_OUT_OF_RANGE', detail, { param })
}

function badRequest(param: string, detail: string): never {
  return fail('BAD_REQUEST', `${param}: ${detail}`, { param })
}

function list(names: Iterable<string>): string {
  return [...names].join(', ') || 'none'
}

const attributeNames = (set: readonly { readonly name: string }[]): string =>
  list(set.map((item) => item.name))
