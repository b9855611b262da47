/** Which replies a steering evaluation asks for: every prompt × attribute × level, seeded. */
import type { AttributeSet } from '../../../schemas/attributes.ts'
import type { Message } from '../../../schemas/records.ts'
import { createRandom } from '../../util/random.ts'

/** One reply to generate: `varied` is at `level`, the others are the same at all of its levels. */
export interface Cell {
  readonly prompt: number
  /** Index of the varied attribute. */
  readonly varied: number
  readonly level: number
  readonly requested: Readonly<Record<string, number>>
  readonly seed: number
}

export interface GridOptions {
  readonly prompts: number
  readonly attributes: AttributeSet
  readonly levels: readonly number[]
  /** Values of the attributes that are not varied. */
  readonly others: 'random' | 'default'
  readonly seed: number
}

export function steeringGrid({ prompts, attributes, levels, others, seed }: GridOptions): Cell[] {
  const cells: Cell[] = []
  for (let prompt = 0; prompt < prompts; prompt++) {
    attributes.forEach((attribute, varied) => {
      const random = createRandom(seed).fork(`${prompt} ${attribute.name}`)
      const fixed = attributes.map((spec) => [
        spec.name,
        others === 'default' ? spec.default : spec.min + random.int(spec.max - spec.min + 1),
      ])
      for (const level of levels) {
        const requested = { ...Object.fromEntries(fixed), [attribute.name]: level }
        cells.push({ prompt, varied, level, requested, seed: seed * 1_000_003 + cells.length })
      }
    })
  }
  return cells
}

/** The request in words, for a model that is only prompted: appended to the last user message. */
export function askInWords(messages: readonly Message[], requested: Cell['requested']): Message[] {
  const wishes = Object.entries(requested).map(([name, value]) => `${name} ${value} of 4`)
  return messages.map((message, i) =>
    i === messages.length - 1
      ? { ...message, content: `${message.content} (Answer with ${wishes.join(', ')}.)` }
      : message,
  )
}
