/**
 * The text of rules, conditions and actions into data. Only the form is checked here; whether the names exist and
 * the values make sense is for `character.ts`. The grammar stands in `docs/characters.md`.
 *
 *   rule      = event ":" part { "," part } [ "when" condition ]
 *   part      = name ("+" | "-") number [ "*" field ] | name "=" number
 *             | "decay" time | "half-life" time | "forget" event
 *   condition = name ("<" | "<=" | ">" | ">=" | "=" | "!=") number { "and" … }
 *   time      = number ("s" | "min" | "h" | "d")
 */
import { fail } from '../../errors.ts'

export interface Decay {
  /** `linear`: gone after `seconds`. `half-life`: halved every `seconds`. */
  readonly kind: 'linear' | 'half-life'
  readonly seconds: number
}

export type Comparator = '<' | '<=' | '>' | '>=' | '=' | '!='

export interface Comparison {
  readonly name: string
  readonly op: Comparator
  readonly value: number
}

/** True when every comparison is; without any, always. */
export type Condition = readonly Comparison[]

export interface Change {
  readonly target: string
  readonly amount: number
  /** The number of the event's data that the amount is multiplied by. */
  readonly field: string | null
}

export interface Rule {
  readonly event: string
  readonly changes: readonly Change[]
  readonly sets: readonly { readonly target: string; readonly value: number }[]
  /** Events whose effects end. */
  readonly forgets: readonly string[]
  /** Of all changes of the rule. */
  readonly decay: Decay | null
  readonly when: Condition
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3600, d: 86_400 }
const number = String.raw`\d+(?:\.\d+)?`
const word = String.raw`[a-z][a-z0-9_]*`
const eventName = String.raw`${word}(?:\.[a-z0-9_]+)*`

const changePattern = new RegExp(`^(${word}) ?([+-]) ?(${number})(?: ?\\* ?(${word}))?$`)
const setPattern = new RegExp(`^(${word}) ?= ?(-?${number})$`)
const decayPattern = new RegExp(`^(decay|half-life) (${number}) ?(s|min|h|d)$`)
const forgetPattern = new RegExp(`^forget (${eventName})$`)
const comparisonPattern = new RegExp(`^(${word}) ?(<=|>=|!=|<|>|=) ?(-?${number})$`)
const headPattern = new RegExp(`^(${eventName}) ?: ?(.+)$`)
const actionPattern = new RegExp(`^(${word})(?: when (.+))?$`)

/** Fails NPC_RULE_INVALID with `param`. */
export function parseRule(text: string, param: string): Rule {
  return inRule(text, param, () => {
    const head = headPattern.exec(normalize(text))
    if (!head) return malformed('expected "event: changes"')
    const [body, when, ...more] = head[2]!.split(/ when /)
    if (more.length > 0) malformed('"when" stands twice')
    const rule = {
      event: head[1]!,
      changes: [] as Change[],
      sets: [] as { target: string; value: number }[],
      forgets: [] as string[],
      decay: null as Decay | null,
      when: when === undefined ? [] : parseComparisons(when),
    }
    for (const part of body!.split(',')) addPart(rule, part.trim())
    return rule
  })
}

type OpenRule = {
  changes: Change[]
  sets: { target: string; value: number }[]
  forgets: string[]
  decay: Decay | null
}

function addPart(rule: OpenRule, part: string): void {
  const change = changePattern.exec(part)
  const set = setPattern.exec(part)
  const decay = decayPattern.exec(part)
  const forget = forgetPattern.exec(part)
  if (change) {
    const amount = Number(change[3]) * (change[2] === '-' ? -1 : 1)
    rule.changes.push({ target: change[1]!, amount, field: change[4] ?? null })
  } else if (set) rule.sets.push({ target: set[1]!, value: Number(set[2]) })
  else if (decay) {
    if (rule.decay) malformed('it has two decays; write two rules')
    const kind = decay[1] === 'decay' ? 'linear' : 'half-life'
    rule.decay = { kind, seconds: Number(decay[2]) * unitSeconds[decay[3]!]! }
  } else if (forget) rule.forgets.push(forget[1]!)
  else {
    malformed(
      `"${part}" is none of "relation +1", "relation = 0", "decay 60 s", "half-life 5 min", "forget insulted"`,
    )
  }
}

/** `walk_away when relation <= -3`. Fails NPC_RULE_INVALID. */
export function parseAction(text: string, param: string): { type: string; when: string | null } {
  return inRule(text, param, () => {
    const match = actionPattern.exec(normalize(text))
    if (!match) return malformed('expected "action when condition"')
    return { type: match[1]!, when: match[2] ?? null }
  })
}

/** `relation <= -3 and toxicity > 2`. Fails NPC_RULE_INVALID. */
export function parseCondition(text: string, param: string): Condition {
  return inRule(text, param, () => parseComparisons(normalize(text)))
}

function parseComparisons(text: string): Condition {
  return text.split(/ and /).map((part) => {
    const match = comparisonPattern.exec(part.trim())
    if (!match) return malformed(`"${part.trim()}" is no comparison such as "relation <= -3"`)
    return { name: match[1]!, op: match[2] as Comparator, value: Number(match[3]) }
  })
}

/** Spaces are one space, and the minus sign of print is a minus. */
function normalize(text: string): string {
  return text
    .replace(/[\u2212\u2013]/g, '-')
    .replace(/\s+/g, ' ')
    .trim()
}

class MalformedText extends Error {}

function malformed(detail: string): never {
  throw new MalformedText(detail)
}

function inRule<T>(text: string, param: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof MalformedText)) throw error
    return failRule(text, error.message, param)
  }
}

/** Fails NPC_RULE_INVALID: the rule, then what is wrong with it. */
export function failRule(text: string, detail: string, param: string): never {
  const shown = text.length > 120 ? `${text.slice(0, 117)}...` : text
  return fail('NPC_RULE_INVALID', `${param}: "${shown}": ${detail}`, { param })
}
