/**
 * JavaScript's regular expressions (with the flag u, as JSON Schema has them) into ours. What no finite automaton can
 * do, or what would need another construction, is refused by name: back references, word boundaries, look-behind,
 * look-ahead that does not stand first, and anchors inside a group.
 */
import { parseRegExpLiteral, type AST } from '@eslint-community/regexpp'
import { fail } from '../errors.ts'
import { intersectDfas, subtractDfa, toCharDfa, type CharDfa } from './char-dfa.ts'
import { allCodePoints, intersect, subtract, unite, type CodePoints } from './code-points.ts'
import { limits, refuseCost } from './limits.ts'
import { chars, choice, repeat, seq, type Regex } from './regex.ts'

/** Each may have to be looked up for every code point. */
const maxProperties = 8

const anyChar = chars(allCodePoints)
const anything = repeat(anyChar, 0, Infinity)

/** The texts in which the pattern is found; `whole`: that it matches from begin to end. Fails BAD_REQUEST. */
export function parsePattern(source: string, { whole = false } = {}): CharDfa {
  if (source.length > limits.patternCharacters) {
    refuseCost('characters of the pattern', limits.patternCharacters)
  }
  if ((source.match(/\\p/gi)?.length ?? 0) > maxProperties) {
    refuseCost('Unicode properties in the pattern', maxProperties)
  }
  const { pattern } = parse(source)
  const branches = pattern.alternatives.map((branch) => readBranch(branch.elements, whole))
  if (branches.length === 1) return branches[0]!.dfa()
  const [first, ...others] = branches.map(({ regex, looks }) => {
    if (looks > 0) refuse('a look-ahead beside an alternative')
    return regex
  })
  return toCharDfa(choice(first!, ...others))
}

function parse(source: string): AST.RegExpLiteral {
  try {
    return parseRegExpLiteral(new RegExp(source, 'u'))
  } catch (error) {
    return fail('BAD_REQUEST', `not a regular expression: ${(error as Error).message}`, { cause: error }) // prettier-ignore
  }
}

function refuse(what: string): never {
  return fail('BAD_REQUEST', `${what} cannot be enforced while a reply is written`)
}

interface Branch {
  regex: Regex
  looks: number
  dfa(): CharDfa
}

/** A branch of the whole pattern: anchors at its ends, look-ahead at its begin. */
function readBranch(elements: readonly AST.Element[], whole: boolean): Branch {
  const rest = [...elements]
  const begins = takeEdge(rest, 'start') || whole
  const looks = begins ? takeLookaheads(rest) : []
  const ends = takeEdge(rest, 'end') || whole
  const body = seq(...rest.map(readElement))
  const regex = seq(...(begins ? [] : [anything]), body, ...(ends ? [] : [anything]))
  const dfa = (): CharDfa => looks.reduce(applyLook, toCharDfa(regex))
  return { regex, looks: looks.length, dfa }
}

function takeEdge(elements: AST.Element[], kind: 'start' | 'end'): boolean {
  const edge = elements.at(kind === 'start' ? 0 : -1)
  if (edge?.type !== 'Assertion' || edge.kind !== kind) return false
  if (kind === 'start') elements.shift()
  else elements.pop()
  return true
}

function takeLookaheads(elements: AST.Element[]): AST.LookaheadAssertion[] {
  const count = elements.findIndex(
    (element) => element.type !== 'Assertion' || element.kind !== 'lookahead',
  )
  return elements.splice(0, count < 0 ? elements.length : count) as AST.LookaheadAssertion[]
}

function applyLook(dfa: CharDfa, look: AST.LookaheadAssertion): CharDfa {
  const found = look.alternatives.map(({ elements }) => {
    const rest = [...elements]
    const ends = takeEdge(rest, 'end')
    return seq(...rest.map(readElement), ...(ends ? [] : [anything]))
  })
  const seen = toCharDfa(choice(...found))
  return look.negate ? subtractDfa(dfa, seen) : intersectDfas(dfa, seen)
}

function readElement(element: AST.Element): Regex {
  switch (element.type) {
    case 'Group':
    case 'CapturingGroup':
      return readAlternatives(element.alternatives)
    case 'Quantifier':
      return readQuantifier(element)
    case 'Backreference':
      return refuse(`the back reference ${element.raw}`)
    case 'Assertion':
      return refuse(`${element.raw} in this place`)
    default:
      return chars(readSet(element))
  }
}

function readAlternatives(alternatives: readonly AST.Alternative[]): Regex {
  const branches = alternatives.map(({ elements }) => seq(...elements.map(readElement)))
  return branches.length === 1 ? branches[0]! : choice(...branches)
}

function readQuantifier({ element, min, max }: AST.Quantifier): Regex {
  const most = max === Infinity ? min : max
  if (most > limits.patternNodes) refuseCost('repetitions in the pattern', limits.patternNodes)
  return repeat(readElement(element), min, max)
}

type SetElement = AST.Character | AST.CharacterSet | AST.CharacterClass | AST.ExpressionCharacterClass // prettier-ignore

function readSet(element: SetElement | AST.CharacterClassElement): CodePoints {
  switch (element.type) {
    case 'Character':
      return intersect([element.value, element.value], allCodePoints)
    case 'CharacterClassRange':
      return intersect([element.min.value, element.max.value], allCodePoints)
    case 'CharacterClass': {
      const set = unite(
        ...element.elements.map((part) => readSet(part as AST.CharacterClassElement)),
      )
      return element.negate ? subtract(allCodePoints, set) : set
    }
    case 'CharacterSet':
      return readNamedSet(element)
    default:
      return refuse(element.raw)
  }
}

const digits: CodePoints = [0x30, 0x39]
const wordSigns: CodePoints = [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a]
const lineEnds: CodePoints = [0xa, 0xa, 0xd, 0xd, 0x2028, 0x2029]

function readNamedSet(element: AST.CharacterSet): CodePoints {
  if (element.kind === 'any') return subtract(allCodePoints, lineEnds)
  const set = positiveSet(element)
  return element.negate ? subtract(allCodePoints, set) : set
}

function positiveSet(element: Exclude<AST.CharacterSet, AST.AnyCharacterSet>): CodePoints {
  if (element.kind === 'digit') return digits
  if (element.kind === 'word') return wordSigns
  if (element.kind === 'space') return propertySet('\\s')
  const { key, value } = element as AST.CharacterUnicodePropertyCharacterSet
  return propertySet(`\\p{${value === null ? key : `${key}=${value}`}}`)
}

const propertySets = new Map<string, CodePoints>()

/** Asks the runtime about every code point (some 30 ms), once for each set. */
function propertySet(source: string): CodePoints {
  const known = propertySets.get(source)
  if (known) return known
  const pattern = new RegExp(`^${source}$`, 'u')
  const found: number[] = []
  for (let point = 0; point <= 0x10ffff; point += 1) {
    if (!pattern.test(String.fromCodePoint(point))) continue
    if (found.at(-1) === point - 1) found[found.length - 1] = point
    else found.push(point, point)
  }
  const set = intersect(found, allCodePoints)
  propertySets.set(source, set)
  return set
}
