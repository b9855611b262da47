/**
 * The phrase grammar: `[a|b|c]` is a choice (may nest, may be empty), `{slot}` is a value from the
 * context. Also the small rules of English that templates cannot hold: capitals, a/an, spacing.
 */
import { fail } from '../../errors.ts'
import type { Random } from '../../util/random.ts'

export type Slots = Readonly<Record<string, string>>

const innerChoice = /\[([^[\]]*)\]/g
const slotPattern = /\{([a-zA-Z]+)\}/g

/** Expands the choices and slots of one template. Throws when a slot has no value. */
export function expand(template: string, slots: Slots, random: Random): string {
  let text = template
  while (text.includes('[')) {
    text = text.replace(innerChoice, (_, choices: string) => random.pick(choices.split('|')))
  }
  // A slot's value may hold slots and choices itself (an item's use names a place).
  text = text.replace(slotPattern, (_, name: string) => {
    const value = slots[name]
    if (value === undefined) {
      fail('INTERNAL', `internal: phrase "${template}": no value for slot {${name}}`)
    }
    return value
  })
  return /[[{]/.test(text) ? expand(text, slots, random) : text
}

/** Picks a template and expands it. */
export function say(templates: readonly string[], slots: Slots, random: Random): string {
  return expand(random.pick(templates), slots, random)
}

/** Like `say`, but draws again (a few times) while a word of five letters or more stands twice. */
export function sayVaried(templates: readonly string[], slots: Slots, random: Random): string {
  for (let attempt = 0; ; attempt++) {
    const text = say(templates, slots, random)
    if (attempt === 8 || !repeatsWord(text)) return text
  }
}

/** Compares word beginnings, so that "ribbon" and "ribbons", "whisper" and "whispers" count as the same. */
function repeatsWord(text: string): boolean {
  const stems =
    text
      .toLowerCase()
      .match(/[a-z]{5,}/g)
      ?.map((word) => word.slice(0, 5)) ?? []
  return new Set(stems).size < stems.length
}

/** Single spaces, no space before a comma or stop, "an" before a vowel sound, capitals at sentence starts. */
export function polish(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replace(/ ([,.!?])/g, '$1')
    .replace(/\b(a|A) (?=[aeiou])(?!(?:one|use|uni|eu))/g, '$1n ')
    .replace(/(^|[.!?] )([a-z])/g, (_, before: string, letter: string) => {
      return before + letter.toUpperCase()
    })
    .trim()
}

/** Ends a clause as a sentence, unless it already ends one. */
export function sentence(clause: string): string {
  return /[.!?]$/.test(clause) ? clause : `${clause}.`
}

/** Words: runs of letters, digits, apostrophes and hyphens. */
export function countWords(text: string): number {
  return text.match(/[\p{L}\p{N}][\p{L}\p{N}'-]*/gu)?.length ?? 0
}
